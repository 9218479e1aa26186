{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=before('events', ['amplitude_id', 'session_id']),
    post_hook=after(),
) }}

-- One row a session of an Amplitude id. session_id is its start in milliseconds. -1 stands for events outside sessions.

select
    amplitude_id,
    session_id,
    max(user_id) as user_id,
    min(event_time) as started_at,
    max(event_time) as ended_at,
    {{ seconds_between('min(event_time)', 'max(event_time)') }} as seconds,
    count(*) as events,
    min(platform) as platform,
    min(country) as country,
    min(hour) as first_hour,
    max(hour) as last_hour
from {{ ref('events') }}
where amplitude_id is not null and session_id > 0 and {{ touched(['amplitude_id', 'session_id']) }}
group by amplitude_id, session_id
