{#
  DuckDB takes a list of files only from a variable. An empty list is an error, so the empty file stands for none.
  below: of the merged IDs '/merged_ids'. They are a landing of their own there.
#}

{% macro landed_manifests(below='') %}
  select
    file,
    regexp_extract(file, 'date=([0-9-]{10})/hour=', 1) as date,
    regexp_extract(file, 'date=([0-9-]{10})/hour=', 1) || 'T' || regexp_extract(file, '/hour=([0-9]{2})[.]json$', 1) as hour
  from glob('{{ destination() }}{{ below }}/manifests/date=*/hour=*.json')
{% endmacro %}

{# The tables are of one landing, and there must be one. #}
{% macro check_destination() %}
  {% if target.type == 'duckdb' %}
  select case
    when (select count(*) from ({{ landed_manifests() }})) = 0
      then error('No manifest under {{ destination() }}/manifests. Is DESTINATION the one of the export?')
    when exists (select 1 from {{ applied_hours() }} where model = 'destination' and hour <> '{{ destination() }}')
      then error('The tables are of another DESTINATION: ' || (select max(hour) from {{ applied_hours() }} where model = 'destination')
        || '. Give this one a DUCKDB_PATH of its own, or build with --full-refresh.')
    end
  {% endif %}
{% endmacro %}

{# The manifests of recent dates, of dates with an hour that is not known, and once a day all. #}
{% macro find_manifests(below='') %}
  {% if target.type == 'duckdb' %}
  set variable manifests = (
    select coalesce(list(file), ['/dev/null'])
    from ({{ landed_manifests(below) }})
    {% if is_incremental() %}
    where
      date >= strftime(current_date - {{ var('recent_days') }}, '%Y-%m-%d')
      or (select coalesce(max(read_at)::date < current_date, true) from {{ this }})
      or date in (select date from ({{ landed_manifests(below) }}) where hour not in (select hour from {{ this }}))
    {% endif %}
  )
  {% endif %}
{% endmacro %}

{% macro forget_hours(below='') %}
  {% if target.type == 'duckdb' and is_incremental() %}
  delete from {{ this }} where hour not in (select hour from ({{ landed_manifests(below) }}))
  {% endif %}
{% endmacro %}

{# One row a manifest that find_manifests has found. #}
{% macro read_manifests() %}
select
    date || 'T' || hour as hour,
    date,
    events,
    list_transform(objects, lambda o: o.key) as objects,
    md5(array_to_string(list_sort(list_transform(objects, lambda o: o.key)), ' ')) as content,
    "sealedAt" as sealed_at,
    {{ applied_at() }} as read_at
from read_json(
    getvariable('manifests'),
    format = 'newline_delimited',
    hive_partitioning = false,
    columns = {
        date: 'VARCHAR',
        hour: 'VARCHAR',
        events: 'BIGINT',
        objects: 'STRUCT(key VARCHAR)[]',
        sealedAt: 'TIMESTAMP'
    }
)
{% endmacro %}

{# The objects of the hours that are due, and no other object: a run that was killed leaves some that no manifest names. #}
{% macro find_objects(hours='hours', below='') %}
  set variable objects = (
    select coalesce(list('{{ destination() }}{{ below }}/' || key), ['/dev/null'])
    from (
      select unnest(objects) as key
      from {{ ref(hours) }}
      where hour in (select hour from {{ this.name }}_due)
    )
  )
{% endmacro %}
