{{ config(materialized='view') }}

-- Keys of events that no column holds. They are in the landing.

select
    key,
    sum(events) as events,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen
from {{ ref('property_hours') }}
where place = 'event'
group by key
