-- 4. The tables. An hour is written as in logs and flows: 2026-11-20T05, the UTC hour of server_upload_time.
--    snow sql -f 04_tables.sql -D name=amplitude -D database=…
-- No cluster keys: hours load in their order, so a filter on hour prunes well, and reclustering costs credits.

USE ROLE <% name %>_owner;
USE SCHEMA <% database %>.<% name %>;

-- The manifests in the bucket, as of the last refresh.
CREATE TABLE IF NOT EXISTS manifests (
    hour VARCHAR(13) NOT NULL,
    -- 1 with the first manifest of an hour, one more with each new manifest.
    generation NUMBER(38, 0) NOT NULL,
    status VARCHAR NOT NULL,
    project VARCHAR,
    events NUMBER(38, 0) NOT NULL,
    quarantined NUMBER(38, 0) NOT NULL,
    objects NUMBER(38, 0) NOT NULL,
    -- Hash of the objects' keys and checksums. Equal for an hour that was sealed again unchanged.
    content VARCHAR NOT NULL,
    sealed_at TIMESTAMP_NTZ,
    refreshed_at TIMESTAMP_NTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS manifest_objects (
    hour VARCHAR(13) NOT NULL,
    object_key VARCHAR NOT NULL,
    crc32 VARCHAR NOT NULL,
    events NUMBER(38, 0) NOT NULL
);

-- Raw events, one row a line.
CREATE TABLE IF NOT EXISTS landing (
    event VARIANT NOT NULL,
    hour VARCHAR(13) NOT NULL,
    file_name VARCHAR NOT NULL,
    row_number NUMBER(38, 0) NOT NULL,
    -- The CRC-32 of the object, from its manifest.
    file_content VARCHAR NOT NULL,
    loaded_at TIMESTAMP_NTZ NOT NULL
);

-- Lines that are no JSON to Snowflake, unchanged. Without a number, VARCHAR ends at 16 MB.
CREATE TABLE IF NOT EXISTS rejects (
    line VARCHAR(134217728) NOT NULL,
    hour VARCHAR(13) NOT NULL,
    file_name VARCHAR NOT NULL,
    row_number NUMBER(38, 0) NOT NULL,
    file_content VARCHAR NOT NULL,
    loaded_at TIMESTAMP_NTZ NOT NULL
);

-- The loaded hours. Written last in the transaction of a batch, with what the load counted in the tables then.
CREATE TABLE IF NOT EXISTS loads (
    hour VARCHAR(13) NOT NULL,
    content VARCHAR NOT NULL,
    sealed_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ NOT NULL,
    rows_landed NUMBER(38, 0) NOT NULL,
    rows_rejected NUMBER(38, 0) NOT NULL,
    rows_typed NUMBER(38, 0) NOT NULL,
    distinct_uuids NUMBER(38, 0) NOT NULL,
    values_nulled NUMBER(38, 0) NOT NULL
);

-- Hours whose load started and did not end: in which run, in a batch of how many hours. The next batch is half of it.
CREATE TABLE IF NOT EXISTS attempts (
    hour VARCHAR(13) NOT NULL,
    run VARCHAR NOT NULL,
    batch_hours NUMBER(38, 0) NOT NULL,
    attempted_at TIMESTAMP_NTZ NOT NULL
);

-- The typed events. A value that does not fit its type is null here, stays in landing, and nulled names its column. Times are
-- UTC.
-- Properties stay VARIANT: their shape changes with the product. By Amplitude's own pages, amplitude_attribution_ids is a
-- text or an array, and paying a boolean or a text.
CREATE TABLE IF NOT EXISTS events (
    hour VARCHAR(13) NOT NULL,
    uuid VARCHAR,
    event_type VARCHAR,
    event_time TIMESTAMP_NTZ,
    client_event_time TIMESTAMP_NTZ,
    client_upload_time TIMESTAMP_NTZ,
    server_received_time TIMESTAMP_NTZ,
    server_upload_time TIMESTAMP_NTZ,
    processed_time TIMESTAMP_NTZ,
    app NUMBER(38, 0),
    amplitude_id NUMBER(38, 0),
    user_id VARCHAR,
    device_id VARCHAR,
    session_id NUMBER(38, 0),
    event_id NUMBER(38, 0),
    insert_id VARCHAR,
    event_properties VARIANT,
    user_properties VARIANT,
    group_properties VARIANT,
    groups VARIANT,
    data VARIANT,
    amplitude_attribution_ids VARIANT,
    platform VARCHAR,
    os_name VARCHAR,
    os_version VARCHAR,
    device_type VARCHAR,
    device_family VARCHAR,
    device_carrier VARCHAR,
    version_name VARCHAR,
    start_version VARCHAR,
    library VARCHAR,
    language VARCHAR,
    country VARCHAR,
    region VARCHAR,
    city VARCHAR,
    dma VARCHAR,
    ip_address VARCHAR,
    location_lat FLOAT,
    location_lng FLOAT,
    paying BOOLEAN,
    sample_rate FLOAT,
    nulled ARRAY NOT NULL,
    file_name VARCHAR NOT NULL,
    row_number NUMBER(38, 0) NOT NULL,
    loaded_at TIMESTAMP_NTZ NOT NULL
);

-- One row for each uuid, from the newest landing, and every row without a uuid. A table, because a view would sort all
-- history at each query. The load keeps it.
CREATE TABLE IF NOT EXISTS events_deduplicated LIKE events;
