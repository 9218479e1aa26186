{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=before('events', ['event_date', 'event_type']),
    post_hook=after(),
) }}

-- One row a day (UTC, of event_time) and event type.

select
    event_date,
    event_type,
    count(*) as events,
    count(distinct amplitude_id) as amplitude_ids,
    count(distinct case when session_id > 0 then amplitude_id || '-' || session_id end) as sessions,
    min(hour) as first_hour,
    max(hour) as last_hour
from {{ ref('events') }}
where event_date is not null and event_type is not null and {{ touched(['event_date', 'event_type']) }}
group by event_date, event_type
