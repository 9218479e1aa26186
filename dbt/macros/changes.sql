{#
  What a run has to do again. Each model keeps, for each hour, the version of its upstream that it holds (applied_hours).
  An hour whose version differs is due. The keys that such an hour has, or had, are touched: their rows are deleted and written again.
  So a run costs what changed. The next run continues one that died: it finds the hours still due.
  A model names its hooks by before() and after(), and reads touched(). Time never decides: an hour that lands late is due.
#}

{% macro applied_hours() %}{{ target.schema }}.applied_hours{% endmacro %}

{# Not a temporary table: Snowflake has no transaction around a model. If a run dies after it has deleted the rows of these keys,
   the next run finds them here. #}
{% macro touched_keys() %}{{ target.schema }}.{{ this.name }}_touched{% endmacro %}

{% macro create_applied_hours() %}
  {% if target.type == 'snowflake' %}create schema if not exists {{ target.database }}.{{ target.schema }};{% endif %}
  create table if not exists {{ applied_hours() }} (model varchar, hour varchar, version varchar)
{% endmacro %}

{# hour, version #}
{% macro versions(upstream) %}
  {% if upstream in ('hours', 'merged_hours') %}
    select hour, content as version from {{ ref(upstream) }}
  {% else %}
    select hour, count(*) || ' ' || max(applied_at) as version from {{ ref(upstream) }} group by hour
  {% endif %}
{% endmacro %}

{# keys: columns of both. hours: the columns of this model that say which hours a row comes from. #}
{% macro before(upstream, keys, hours=['first_hour', 'last_hour']) %}
  {% set columns = keys | join(', ') %}
  {{ return([
    "{% if not is_incremental() %}delete from {{ applied_hours() }} where model = '{{ this.name }}'{% endif %}",
    "{% if not is_incremental() %}drop table if exists {{ touched_keys() }}{% endif %}",
    "create or replace temporary table {{ this.name }}_due as
      select coalesce(v.hour, a.hour) as hour, v.version
      from ({{ versions('" ~ upstream ~ "') }}) as v
      full outer join (select hour, version from {{ applied_hours() }} where model = '{{ this.name }}') as a on v.hour = a.hour
      where v.version is distinct from a.version",
    "{% if is_incremental() %}
      create table if not exists {{ touched_keys() }} as select " ~ columns ~ " from {{ this }} where 1 = 0
      {% endif %}",
    "{% if is_incremental() %}
      insert into {{ touched_keys() }}
      select distinct " ~ columns ~ " from {{ ref('" ~ upstream ~ "') }} where hour in (select hour from {{ this.name }}_due)
      union
      select " ~ columns ~ " from {{ this }} as t
      where exists (select 1 from {{ this.name }}_due as d where d.hour between t." ~ hours[0] ~ " and t." ~ hours[1] ~ ")
      {% endif %}",
    "{% if is_incremental() %}
      delete from {{ this }} where (" ~ columns ~ ") in (select " ~ columns ~ " from {{ touched_keys() }})
      {% endif %}",
  ]) }}
{% endmacro %}

{# In a first build, every row. #}
{% macro touched(keys) %}
  {%- if is_incremental() -%}
  ({{ keys | join(', ') }}) in (select {{ keys | join(', ') }} from {{ touched_keys() }})
  {%- else -%} true {%- endif -%}
{% endmacro %}

{% macro after() %}
  {{ return([
    "delete from {{ applied_hours() }}
      where model = '{{ this.name }}' and hour in (select hour from {{ this.name }}_due)",
    "insert into {{ applied_hours() }}
      select '{{ this.name }}', hour, version from {{ this.name }}_due where version is not null",
    "drop table if exists {{ touched_keys() }}",
  ]) }}
{% endmacro %}

{# Of all rows that a run writes. #}
{% macro applied_at() %}cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp){% endmacro %}
