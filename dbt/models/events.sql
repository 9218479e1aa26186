{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=before('stg_events', ['event_key'], ['hour', 'hour']),
    post_hook=after(),
) }}

-- One row a uuid, from the first hour that has it, so that an hour which comes later changes no older day. An event without a uuid
-- stays. Only rows that have a double are sorted: all of them, with all their columns, would not fit in memory.

with fresh as (
    select *
    from {{ ref('stg_events') }}
    where parsed and {{ touched(['event_key']) }}
),

doubles as (
    select event_key
    from fresh
    group by event_key
    having count(*) > 1
),

kept as (
    select *
    from fresh
    where event_key not in (select event_key from doubles)
    union all
    select *
    from fresh
    where event_key in (select event_key from doubles)
    qualify row_number() over (partition by event_key order by hour, file_name) = 1
)

select
    * exclude (parsed, applied_at),
    cast(event_time as date) as event_date,
    {{ applied_at() }} as applied_at
from kept
