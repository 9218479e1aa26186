{# The days that this run has to write, each as one file in place of the day's former one. #}
{% macro write_days() %}
  {% if execute %}
    {% set root = destination() if '://' in destination() else 'local://' ~ destination() %}
    {% set texts = [] %}
    {% for column, type in event_columns().items() if type == 'json' %}
      {% do texts.append('cast(' ~ column ~ ' as varchar) as ' ~ column) %}
    {% endfor %}
    {% set due = run_query('select date from ' ~ this ~ ' where written_at = ' ~ applied_at() ~ ' order by date') %}
    {% for date in due.columns[0].values() %}
      {% do run_query("
        copy (
          select * exclude (event_key, event_date, unseen, applied_at) replace (" ~ texts | join(', ') ~ ")
          from " ~ ref('events') ~ "
          where hour between '" ~ date ~ "T00' and '" ~ date ~ "T23'
        ) to '" ~ root ~ "/tables/events/date=" ~ date ~ "/events.parquet' (format parquet, compression zstd)") %}
    {% endfor %}
  {% endif %}
{% endmacro %}
