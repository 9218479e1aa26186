{{ config(materialized='view') }}

-- The catalogue of properties: each key with each of its types.

select
    place,
    key,
    type,
    sum(events) as events,
    sum(events) / (select count(*) from {{ ref('events') }}) as share,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen
from {{ ref('property_hours') }}
where place <> 'event'
group by place, key, type
