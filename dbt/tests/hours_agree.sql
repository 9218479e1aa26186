-- Every hour has the rows that its manifest counts, and no hour has rows without a manifest.

select
    coalesce(h.hour, e.hour) as hour,
    h.events as manifest_events,
    e.events
from {{ ref('hours') }} as h
full outer join (
    select
        hour,
        count(*) as events
    from {{ ref('stg_events') }}
    group by hour
) as e on h.hour = e.hour
where coalesce(h.events, -1) <> coalesce(e.events, 0)
