{# The hours whose rows are not those that their manifest counts, and hours that have rows without a manifest. #}
{% macro hours_that_differ(hours, lines) %}
select
    coalesce(h.hour, e.hour) as hour,
    h.events as manifest_events,
    e.events
from {{ ref(hours) }} as h
full outer join (
    select
        hour,
        count(*) as events
    from {{ ref(lines) }}
    group by hour
) as e on h.hour = e.hour
where coalesce(h.events, -1) <> coalesce(e.events, 0)
{% endmacro %}
