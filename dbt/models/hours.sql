{{ config(
    materialized='incremental' if target.type == 'duckdb' else 'view',
    incremental_strategy='delete+insert',
    unique_key='date',
    pre_hook=[
        "{% if target.type == 'duckdb' and not is_incremental() %}delete from {{ applied_hours() }} where model = 'destination'{% endif %}",
        "{{ check_destination() }}",
        "{{ find_manifests() }}",
        "{{ forget_hours() }}",
    ],
    post_hook="{% if target.type == 'duckdb' %}
      insert into {{ applied_hours() }} select 'destination', '{{ destination() }}', null
      where not exists (select 1 from {{ applied_hours() }} where model = 'destination')
      {% endif %}",
) }}

-- One row an hour that has landed, by its manifest. content stands for its objects: it changes with them, and only then.

{% if target.type == 'duckdb' %}

{{ read_manifests() }}

{% else %}

select
    loads.hour,
    left(loads.hour, 10) as date,
    loads.rows_landed as events,
    loads.content,
    loads.sealed_at,
    loads.loaded_at as read_at
from {{ source('amplitude', 'loads') }} as loads

{% endif %}
