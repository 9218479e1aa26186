{{ config(
    enabled=(target.type == 'duckdb'),
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='date',
    post_hook="{{ write_days() }}",
) }}

-- One row a day that is written as Parquet, to tables/events/date=…/ of the destination: a day (of server_upload_time) that has a
-- manifest for each of its 24 hours. It is due again when its rows in events have changed.

with days as (
    select
        left(hour, 10) as date,
        count(*) as events,
        max(applied_at) as changed_at
    from {{ ref('events') }}
    group by left(hour, 10)
)

select
    days.date,
    days.events,
    days.changed_at,
    {{ applied_at() }} as written_at
from days
where
    (select count(*) from {{ ref('hours') }} as h where h.date = days.date) = 24
    {% if is_incremental() %}
    and not exists (
        select 1 from {{ this }} as t
        where t.date = days.date and t.events = days.events and t.changed_at = days.changed_at
    )
    {% endif %}
