{{ config(
    enabled=(target.type == 'duckdb'),
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='date',
    pre_hook=["{{ find_manifests('/merged_ids') }}", "{{ forget_hours('/merged_ids') }}"],
) }}

-- One row an hour of merged IDs that has landed, as in hours. None where the destination has no merged_ids/.
-- After hours, which refuses another destination. depends_on: {{ ref('hours') }}

{{ read_manifests() }}
