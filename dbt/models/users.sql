{{ config(materialized='table') }}

-- One row a person: the Amplitude ids that were merged into one another, by the last id of the chain.

with recursive merges as (
    select
        amplitude_id,
        try_cast(merged_into as bigint) as merged_into
    from {{ ref('amplitude_ids') }}
    where try_cast(merged_into as bigint) <> amplitude_id
),

-- A circle ends after ten steps.
chain as (
    select
        amplitude_id,
        merged_into as person,
        1 as step
    from merges
    union all
    select
        chain.amplitude_id,
        merges.merged_into,
        chain.step + 1
    from chain
    inner join merges on chain.person = merges.amplitude_id
    where chain.step < 10
),

persons as (
    select
        amplitude_id,
        person
    from chain
    qualify row_number() over (partition by amplitude_id order by step desc) = 1
)

select
    coalesce(persons.person, ids.amplitude_id) as amplitude_id,
    max(ids.user_id) as user_id,
    count(*) as amplitude_ids,
    min(ids.first_seen) as first_seen,
    max(ids.last_seen) as last_seen,
    sum(ids.events) as events,
    sum(ids.sessions) as sessions
from {{ ref('amplitude_ids') }} as ids
left join persons on ids.amplitude_id = persons.amplitude_id
group by coalesce(persons.person, ids.amplitude_id)
