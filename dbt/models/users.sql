{{ config(materialized='table') }}

-- One row a person: the Amplitude ids that were merged into one another.

select
    persons.person as amplitude_id,
    max(ids.user_id) as user_id,
    count(*) as amplitude_ids,
    min(ids.first_seen) as first_seen,
    max(ids.last_seen) as last_seen,
    sum(ids.events) as events,
    sum(ids.sessions) as sessions
from {{ ref('amplitude_ids') }} as ids
inner join {{ ref('persons') }} as persons on ids.amplitude_id = persons.amplitude_id
group by persons.person
