{#
  DuckDB takes a list of files only from a variable. An empty list is an error, so the empty file stands for none.
#}

{# The manifests of recent dates, of dates with an hour that is not known, and once a day all. #}
{% macro find_manifests() %}
  {% if target.type == 'duckdb' %}
  set variable manifests = (
    select coalesce(list(file), ['/dev/null'])
    from (
      select file, regexp_extract(file, 'date=([0-9-]{10})/hour=([0-9]{2})[.]json$', ['date', 'hour']) as place
      from glob('{{ destination() }}/manifests/date=*/hour=*.json')
    )
    {% if is_incremental() %}
    where
      place.date >= strftime(current_date - {{ var('recent_days') }}, '%Y-%m-%d')
      or (select coalesce(max(read_at)::date < current_date, true) from {{ this }})
      or place.date in (
        select regexp_extract(file, 'date=([0-9-]{10})', 1)
        from glob('{{ destination() }}/manifests/date=*/hour=*.json')
        where regexp_extract(file, 'date=([0-9-]{10})', 1) || 'T' || regexp_extract(file, 'hour=([0-9]{2})[.]json$', 1)
          not in (select hour from {{ this }})
      )
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
