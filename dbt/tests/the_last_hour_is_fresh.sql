{{ config(severity='warn') }}

-- If it is not: does the export run? amplitude-to-s3 status shows the gaps.

select max(hour) as last_hour
from {{ ref('hours') }}
having coalesce(cast(replace(max(hour), 'T', ' ') || ':00:00' as timestamp), cast('2000-01-01' as timestamp)) < {{ hours_ago(var('stale_after_hours')) }}
