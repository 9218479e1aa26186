{# The columns of an event and their types, as in infra/snowflake/04_tables.sql. #}
{% macro event_columns() %}
  {{ return({
    'uuid': 'varchar', 'event_type': 'varchar', 'event_time': 'timestamp', 'client_event_time': 'timestamp',
    'client_upload_time': 'timestamp', 'server_received_time': 'timestamp', 'server_upload_time': 'timestamp',
    'processed_time': 'timestamp', 'app': 'bigint', 'amplitude_id': 'bigint', 'user_id': 'varchar', 'device_id': 'varchar',
    'session_id': 'bigint', 'event_id': 'bigint', 'insert_id': 'varchar', 'event_properties': 'json',
    'user_properties': 'json', 'group_properties': 'json', 'groups': 'json', 'data': 'json',
    'amplitude_attribution_ids': 'json', 'platform': 'varchar', 'os_name': 'varchar', 'os_version': 'varchar',
    'device_type': 'varchar', 'device_family': 'varchar', 'device_carrier': 'varchar', 'version_name': 'varchar',
    'start_version': 'varchar', 'library': 'varchar', 'language': 'varchar', 'country': 'varchar', 'region': 'varchar',
    'city': 'varchar', 'dma': 'varchar', 'ip_address': 'varchar', 'location_lat': 'double', 'location_lng': 'double',
    'paying': 'boolean', 'sample_rate': 'double',
  }) }}
{% endmacro %}

{# Documented keys without a column. What is neither here nor above is new: unseen_fields shows it. #}
{% macro left_out() %}
  {{ return([
    '$insert_key', '$schema', 'adid', 'amplitude_event_type', 'data_type', 'device_brand', 'device_manufacturer',
    'device_model', 'global_user_properties', 'idfa', 'is_attribution_event', 'partner_id', 'plan', 'source_id',
    'user_creation_time',
  ]) }}
{% endmacro %}

{% macro known_keys() %}
  {%- for column in event_columns() %}'{{ field(column) }}', {% endfor -%}
  {%- for key in left_out() %}'{{ key }}'{{ '' if loop.last else ', ' }}{% endfor -%}
{% endmacro %}

{# Its key in Amplitude's JSON. #}
{% macro field(column) %}{{ '$insert_id' if column == 'insert_id' else column }}{% endmacro %}

{# Where the landing is: a folder or s3://bucket/prefix, as for the export. #}
{% macro destination() %}{{ env_var('DESTINATION', '').rstrip('/').replace("'", "''") }}{% endmacro %}
