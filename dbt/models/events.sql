{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=before('stg_events', ['event_key'], ['hour', 'hour']),
    post_hook=after(),
) }}

-- One row a uuid, from the first hour that has it, so that an hour which comes later changes no older day. An event without a uuid
-- stays.

select
    * exclude (parsed, applied_at),
    cast(event_time as date) as event_date,
    {{ applied_at() }} as applied_at
from {{ ref('stg_events') }}
where parsed and {{ touched(['event_key']) }}
qualify row_number() over (partition by event_key order by hour, file_name) = 1
