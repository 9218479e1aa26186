{{ config(enabled=(target.type == 'duckdb')) }}

-- The same of the merged IDs.

{{ hours_that_differ('merged_hours', 'merged_ids') }}
