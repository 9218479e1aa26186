{{ config(enabled=(target.type == 'duckdb')) }}

-- The file of a day has the day's rows. A day that got a gap keeps its former file: export the hour again.

select
    p.date,
    p.events as events_in_file,
    count(e.hour) as events
from {{ ref('parquet_days') }} as p
left join {{ ref('events') }} as e on left(e.hour, 10) = p.date
group by p.date, p.events
having p.events <> count(e.hour)
