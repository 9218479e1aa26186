{# What DuckDB and Snowflake write differently. #}

{% macro seconds_between(start, end) %}
  {%- if target.type == 'duckdb' -%} date_diff('second', {{ start }}, {{ end }})
  {%- else -%} datediff('second', {{ start }}, {{ end }}) {%- endif -%}
{% endmacro %}

{% macro hours_ago(hours) %}
  {%- if target.type == 'duckdb' -%} {{ applied_at() }} - interval {{ hours }} hour
  {%- else -%} dateadd('hour', -{{ hours }}, {{ applied_at() }}) {%- endif -%}
{% endmacro %}

{% macro json_text(column, key) %}
  {%- if target.type == 'duckdb' -%} {{ column }} ->> '$.{{ key }}'
  {%- else -%} {{ column }}:{{ key }}::varchar {%- endif -%}
{% endmacro %}

{# hour, place, key, type, events, first_seen, last_seen of the touched hours #}
{% macro keys_of(column) %}
select
    hour,
    '{{ column }}' as place,
    property.key as key,
    {{ "coalesce(json_type(property.value), 'NULL')" if target.type == 'duckdb' else 'typeof(property.value)' }} as type,
    count(*) as events,
    min(event_time) as first_seen,
    max(event_time) as last_seen
{% if target.type == 'duckdb' %}
{# Not json_each: its join keeps every event in memory. #}
from (
    select
        hour,
        event_time,
        unnest(map_entries(from_json({{ column }}, '"MAP(VARCHAR, JSON)"'))) as property
    from {{ ref('events') }}
    where {{ touched(['hour']) }}
)
{% else %}
from {{ ref('events') }}, lateral flatten(input => {{ column }}) as property
where {{ touched(['hour']) }}
{% endif %}
group by 1, 2, 3, 4
{% endmacro %}

{% macro unseen_keys() %}
select
    hour,
    'event' as place,
    unseen.key as key,
    cast(null as varchar) as type,
    count(*) as events,
    min(event_time) as first_seen,
    max(event_time) as last_seen
{% if target.type == 'duckdb' %}
from (select hour, event_time, unnest(unseen) as key from {{ ref('events') }} where {{ touched(['hour']) }}) as unseen
{% else %}
from (
    select
        landing.hour,
        try_to_timestamp_ntz(rpad(landing.event:event_time::varchar || iff(contains(landing.event:event_time::varchar, '.'), '', '.'), 26, '0'), 'YYYY-MM-DD HH24:MI:SS.FF6') as event_time,
        field.key
    from {{ source('amplitude', 'landing') }} as landing, lateral flatten(input => landing.event) as field
    where {{ touched(['hour']) }}
      and field.key not in ({{ known_keys() }})
) as unseen
{% endif %}
group by 1, 2, 3
{% endmacro %}
