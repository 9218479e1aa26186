{% set duckdb = target.type == 'duckdb' %}
{% set fields = ['amplitude_id', 'merged_amplitude_id', 'merge_time', 'merge_server_time', 'scope'] %}
{{ config(
    materialized='incremental' if duckdb else 'view',
    incremental_strategy='append',
    pre_hook=(
        before('merged_hours', ['hour'], ['hour', 'hour']) + ["{{ find_objects('merged_hours', '/merged_ids') }}"]
    ) if duckdb else [],
    post_hook=after() if duckdb else [],
) }}

-- One row a line of Amplitude's merged IDs: amplitude_id was merged into merged_amplitude_id, which stays. Amplitude says so of the
-- "Merged User table" of its Snowflake destination. Its S3 destination lists the same fields, with times that are numbers.

{% if duckdb %}

-- depends_on: {{ ref('merged_hours') }}
with lines as (
    select
        json,
        regexp_extract(filename, 'date=([0-9-]{10})/hour=([0-9]{2})/[^/]+$', ['date', 'hour']) as place
    from read_ndjson_objects(getvariable('objects'), filename = true, hive_partitioning = false, ignore_errors = true)
)

select
    place.date || 'T' || place.hour as hour,
    {%- for field in fields %}
    try_cast(json ->> '$.{{ field }}' as bigint) as {{ field }},
    {%- endfor %}
    {{ applied_at() }} as applied_at
from lines

{% else %}

-- The load does not read them: no rows.
select
    hour,
    {%- for field in fields %}
    cast(null as bigint) as {{ field }},
    {%- endfor %}
    loaded_at as applied_at
from {{ source('amplitude', 'loads') }}
where 1 = 0

{% endif %}
