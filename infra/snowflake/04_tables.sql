-- 4. The tables. An hour is written as in logs and flows: 2026-11-20T05, the UTC hour of server_upload_time.
--    snow sql -f 04_tables.sql -D database=… -D schema=AMPLITUDE
-- No cluster keys: hours load in their order, so a filter on hour prunes well, and reclustering costs credits.

USE ROLE amplitude_owner;
USE SCHEMA <% database %>.<% schema %>;

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

-- Lines that are no JSON to Snowflake, unchanged. An object with one key twice is one of them.
CREATE TABLE IF NOT EXISTS rejects (
    line VARCHAR NOT NULL,
    hour VARCHAR(13) NOT NULL,
    file_name VARCHAR NOT NULL,
    row_number NUMBER(38, 0) NOT NULL,
    file_content VARCHAR NOT NULL,
    loaded_at TIMESTAMP_NTZ NOT NULL
);

-- The loaded hours. Written last in the transaction of an hour.
CREATE TABLE IF NOT EXISTS loads (
    hour VARCHAR(13) NOT NULL,
    content VARCHAR NOT NULL,
    sealed_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ NOT NULL
);

-- Loads that started and did not end. Such an hour comes last in the next run, so that no other hour waits for it.
CREATE TABLE IF NOT EXISTS attempts (
    hour VARCHAR(13) NOT NULL,
    attempted_at TIMESTAMP_NTZ NOT NULL
);

-- Filled and emptied within each load. Transient, because nobody needs their history or wants to pay for it.
CREATE TRANSIENT TABLE IF NOT EXISTS lines (
    line VARCHAR,
    file_name VARCHAR,
    row_number NUMBER(38, 0)
) DATA_RETENTION_TIME_IN_DAYS = 0;

CREATE TRANSIENT TABLE IF NOT EXISTS manifest_files (
    manifest VARIANT,
    file_name VARCHAR
) DATA_RETENTION_TIME_IN_DAYS = 0;

-- The typed events. A value that does not fit its type is null here and stays in landing. Times are UTC.
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
    file_name VARCHAR NOT NULL,
    row_number NUMBER(38, 0) NOT NULL,
    loaded_at TIMESTAMP_NTZ NOT NULL
);
