{{ config(severity='warn') }}

-- The device's clock decides, so some are. A dashboard that ends today does not show them.

select
    event_key,
    event_time
from {{ ref('events') }}
where event_time > {{ applied_at() }}
