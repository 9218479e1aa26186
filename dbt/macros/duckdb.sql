{#
  DuckDB takes a list of files only from a variable. An empty list is an error, so the empty file stands for none.
#}

{% macro landed_manifests() %}
  select
    file,
    regexp_extract(file, 'date=([0-9-]{10})/hour=', 1) as date,
    regexp_extract(file, 'date=([0-9-]{10})/hour=', 1) || 'T' || regexp_extract(file, '/hour=([0-9]{2})[.]json$', 1) as hour
  from glob('{{ destination() }}/manifests/date=*/hour=*.json')
{% endmacro %}

{# The tables are of one landing, and there must be one. #}
{% macro check_destination() %}
  {% if target.type == 'duckdb' %}
  select case
    when (select count(*) from ({{ landed_manifests() }})) = 0
      then error('No manifest under {{ destination() }}/manifests. Is DESTINATION the one of the export?')
    when exists (select 1 from {{ applied_hours() }} where model = 'destination' and hour <> '{{ destination() }}')
      then error('The tables are of another DESTINATION: ' || (select max(hour) from {{ applied_hours() }} where model = 'destination')
        || '. Give this one a DUCKDB_PATH of its own, or build with --full-refresh.')
    end
  {% endif %}
{% endmacro %}

{# The manifests of recent dates, of dates with an hour that is not known, and once a day all. #}
{% macro find_manifests() %}
  {% if target.type == 'duckdb' %}
  set variable manifests = (
    select coalesce(list(file), ['/dev/null'])
    from ({{ landed_manifests() }})
    {% if is_incremental() %}
    where
      date >= strftime(current_date - {{ var('recent_days') }}, '%Y-%m-%d')
      or (select coalesce(max(read_at)::date < current_date, true) from {{ this }})
      or date in (select date from ({{ landed_manifests() }}) where hour not in (select hour from {{ this }}))
    {% endif %}
  )
  {% endif %}
{% endmacro %}

{# The objects of the hours that are due, and no other object: a run that was killed leaves some that no manifest names. #}
{% macro find_objects() %}
  set variable objects = (
    select coalesce(list('{{ destination() }}/' || key), ['/dev/null'])
    from (
      select unnest(objects) as key
      from {{ ref('hours') }}
      where hour in (select hour from {{ this.name }}_due)
    )
  )
{% endmacro %}
