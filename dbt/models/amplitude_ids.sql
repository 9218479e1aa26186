{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=before('events', ['amplitude_id']),
    post_hook=after(),
) }}

-- One row an Amplitude id, with the id that Amplitude has merged it into.

select
    amplitude_id,
    max(user_id) as user_id,
    max({{ json_text('data', 'merged_amplitude_id') }}) as merged_into,
    min(event_time) as first_seen,
    max(event_time) as last_seen,
    count(*) as events,
    count(distinct case when session_id > 0 then session_id end) as sessions,
    min(hour) as first_hour,
    max(hour) as last_hour
from {{ ref('events') }}
where amplitude_id is not null and {{ touched(['amplitude_id']) }}
group by amplitude_id
