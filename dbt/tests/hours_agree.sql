-- Every hour has the rows that its manifest counts, and no hour has rows without a manifest.

{{ hours_that_differ('hours', 'stg_events') }}
