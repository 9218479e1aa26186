{{ config(severity='warn') }}

-- Such a line is in the landing, and in no table. The export keeps it out with --strict.

select
    hour,
    file_name,
    count(*) as lines
from {{ ref('stg_events') }}
where not parsed
group by hour, file_name
