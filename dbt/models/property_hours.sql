{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=before('events', ['hour'], ['hour', 'hour']),
    post_hook=after(),
) }}

-- How often each key was there, hour by hour: properties of events and users, and keys of the event that have no column.

{{ keys_of('event_properties') }}
union all
{{ keys_of('user_properties') }}
union all
{{ unseen_keys() }}
