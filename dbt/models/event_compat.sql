{{ config(materialized='view') }}

-- The events under the column names of Fivetran's dbt package for Amplitude. What has no column in events is null.

with numbered as (
    select
        *,
        row_number() over (partition by amplitude_id order by started_at, session_id) as session_number,
        lag(ended_at) over (partition by amplitude_id order by started_at, session_id) as former_end
    from {{ ref('sessions') }}
)

select
    e.event_key as unique_event_id,
    e.amplitude_id || '-' || e.session_id as unique_session_id,
    cast(e.amplitude_id as varchar) as amplitude_user_id,
    e.event_id,
    e.event_type,
    e.event_time,
    e.event_date as event_day,
    cast(null as varchar) as event_type_id,
    e.event_type as event_type_name,
    e.session_id,
    row_number() over (partition by e.amplitude_id, e.session_id order by e.event_time, e.event_key) as session_event_number,
    row_number() over (partition by e.amplitude_id order by e.event_time, e.event_key) as user_event_number,
    e.groups as group_types,
    e.user_id,
    e.amplitude_id,
    e.app,
    cast(e.app as varchar) as project_name,
    {%- for column in [
        'version_name', 'client_event_time', 'client_upload_time', 'server_received_time', 'server_upload_time', 'city',
        'country', 'region', 'data', 'location_lat', 'location_lng', 'device_carrier', 'device_family', 'device_id',
        'device_type', 'ip_address', 'os_name', 'os_version', 'platform', 'language', 'dma', 'start_version',
        'event_properties', 'user_properties', 'group_properties',
    ] %}
    e.{{ column }},
    {%- endfor %}
    {%- for column in ['device_brand', 'device_manufacturer', 'device_model', 'schema', 'user_creation_time'] %}
    cast(null as varchar) as {{ column }},
    {%- endfor %}
    s.events as events_per_session,
    s.started_at as session_started_at,
    s.ended_at as session_ended_at,
    s.session_number as user_session_number,
    cast(s.started_at as date) as session_started_at_day,
    cast(s.ended_at as date) as session_ended_at_day,
    s.seconds / 60 as session_length_in_minutes,
    case when s.session_number = 1 then 1 else 0 end as is_first_user_session,
    {{ seconds_between('s.former_end', 's.started_at') }} / 60 as minutes_in_between_sessions
from {{ ref('events') }} as e
left join numbered as s on e.amplitude_id = s.amplitude_id and e.session_id = s.session_id
