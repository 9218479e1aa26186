{% set duckdb = target.type == 'duckdb' %}
{{ config(
    materialized='incremental' if duckdb else 'view',
    incremental_strategy='append',
    pre_hook=(before('hours', ['hour'], ['hour', 'hour']) + ["{{ find_objects() }}"]) if duckdb else [],
    post_hook=after() if duckdb else [],
) }}

-- One row a line of the landing, typed as Snowflake's table events. A value that does not fit its type is null, and nulled names
-- its column. A line that is not valid JSON has null in every column. unseen has the keys without a column.

{% set columns = event_columns() %}
{% if duckdb %}

-- depends_on: {{ ref('hours') }}
with lines as (
    select
        json,
        regexp_extract(filename, 'date=([0-9-]{10})/hour=([0-9]{2})/([^/]+)$', ['date', 'hour', 'name']) as place,
        json_transform(json, '{ {%- for column in columns -%}
            "{{ field(column) }}":"{{ 'JSON' if columns[column] == 'json' else 'VARCHAR' }}"{{ '' if loop.last else ',' }}
        {%- endfor -%} }') as event
    from read_ndjson_objects(getvariable('objects'), filename = true, hive_partitioning = false, ignore_errors = true)
),

typed as (
    select
        json,
        event,
        place.date || 'T' || place.hour as hour,
        place.name as file_name,
        {%- for column, type in columns.items() %}
        {%- set value = 'event."' ~ field(column) ~ '"' %}
        {% if type == 'timestamp' -%} try_strptime({{ value }}, ['%Y-%m-%d %H:%M:%S.%f', '%Y-%m-%d %H:%M:%S'])
        {%- elif type in ('varchar', 'json') -%} {{ value }}
        {%- else -%} try_cast({{ value }} as {{ type }})
        {%- endif %} as {{ column }}{{ '' if loop.last else ',' }}
        {%- endfor %}
    from lines
)

select
    hour,
    coalesce(uuid, 'none:' || gen_random_uuid()) as event_key,
    {{ columns | join(', ') }},
    list_filter([
        {%- for column, type in columns.items() if type not in ('varchar', 'json') %}
        case when {{ column }} is null and event."{{ field(column) }}" <> '' then '{{ column }}' end{{ '' if loop.last else ',' }}
        {%- endfor %}
    ], lambda name: name is not null) as nulled,
    list_filter(json_keys(json), lambda key: key not in ({{ known_keys() }})) as unseen,
    json is not null as parsed,
    file_name,
    {{ applied_at() }} as applied_at
from typed

{% else %}

select
    hour,
    coalesce(uuid, file_name || ':' || row_number) as event_key,
    {{ columns | join(', ') }},
    nulled,
    true as parsed,
    file_name,
    loaded_at as applied_at
from {{ source('amplitude', 'events') }}

{% endif %}
