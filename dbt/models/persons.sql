{{ config(materialized='table') }}

-- One row an Amplitude id, with the person that it is: the last id of the chain of merges. An id is merged by its latest line in
-- merged_ids, by merge_server_time; without one, by what its events say.

with recursive known as (
    select
        amplitude_id,
        merged_amplitude_id as merged_into,
        merge_server_time,
        merge_time,
        1 as source
    from {{ ref('merged_ids') }}
    union all
    select
        amplitude_id,
        try_cast(merged_into as bigint),
        null,
        null,
        2
    from {{ ref('amplitude_ids') }}
),

merges as (
    select
        amplitude_id,
        merged_into,
        merge_server_time
    from known
    where merged_into <> amplitude_id
    qualify row_number() over (
        partition by amplitude_id
        order by source, merge_server_time desc nulls last, merge_time desc nulls last, merged_into
    ) = 1
),

chain as (
    select
        merges.amplitude_id,
        merges.merged_into as person,
        merges.merge_server_time,
        1 as step
    from merges
    inner join {{ ref('amplitude_ids') }} as ids on merges.amplitude_id = ids.amplitude_id
    union all
    select
        chain.amplitude_id,
        merges.merged_into,
        merges.merge_server_time,
        chain.step + 1
    from chain
    inner join merges on chain.person = merges.amplitude_id
    where chain.step < 20
),

-- Twenty steps are a circle, and the last ten go round all of it. It is one person, by the id that its latest merge left.
steps as (
    select
        *,
        step > 10 and max(step) over (partition by amplitude_id) = 20 as in_circle
    from chain
),

ends as (
    select
        amplitude_id,
        person
    from steps
    qualify row_number() over (
        partition by amplitude_id
        order by
            case when in_circle then merge_server_time end desc nulls last,
            case when in_circle then person end nulls last,
            step desc
    ) = 1
)

select
    ids.amplitude_id,
    coalesce(ends.person, ids.amplitude_id) as person
from {{ ref('amplitude_ids') }} as ids
left join ends on ids.amplitude_id = ends.amplitude_id
