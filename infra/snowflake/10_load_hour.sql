-- 10. Loads one due hour, all of it or nothing. hour, content and files come from 09:
--     snow sql -f 10_load_hour.sql -D hour=2026-11-20T05 -D content=… \
--       -D "files='date=2026-11-20/hour=05/100011471_2026-11-20T05_0.1.9f1c22ab.json'"

-- In its own transaction, so that it survives a load that fails. The load removes it at its end.
BEGIN;
DELETE FROM attempts WHERE hour = '<% hour %>';
INSERT INTO attempts (hour, attempted_at) SELECT '<% hour %>', SYSDATE();
COMMIT;

BEGIN;

DELETE FROM lines;

-- Exactly the manifest's objects (COPY takes 1,000 names), and nothing else from events/. A missing object fails the
-- statement, and with it the hour. FORCE: COPY remembers what it loaded into lines, though lines is emptied each time. It
-- would skip the objects that a replaced hour keeps, and all objects of an hour that is loaded again.
COPY INTO lines (line, file_name, row_number)
FROM (SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @events_stage)
FILES = (<% files %>)
FILE_FORMAT = (FORMAT_NAME = 'lines')
ON_ERROR = ABORT_STATEMENT
FORCE = TRUE;

DELETE FROM landing WHERE hour = '<% hour %>';
DELETE FROM rejects WHERE hour = '<% hour %>';
DELETE FROM events WHERE hour = '<% hour %>';

-- The hour comes from the manifest that names the key.
INSERT INTO landing (event, hour, file_name, row_number, file_content, loaded_at)
SELECT
    TRY_PARSE_JSON(l.line),
    o.hour,
    l.file_name,
    l.row_number,
    o.crc32,
    SYSDATE()
FROM lines AS l
INNER JOIN manifest_objects AS o
    ON
        o.object_key = 'events/' || SPLIT_PART(l.file_name, '/', -3)
        || '/' || SPLIT_PART(l.file_name, '/', -2) || '/' || SPLIT_PART(l.file_name, '/', -1)
WHERE o.hour = '<% hour %>' AND TRY_PARSE_JSON(l.line) IS NOT NULL;

-- Blank lines are no events. No manifest counts them.
INSERT INTO rejects (line, hour, file_name, row_number, file_content, loaded_at)
SELECT
    l.line,
    o.hour,
    l.file_name,
    l.row_number,
    o.crc32,
    SYSDATE()
FROM lines AS l
INNER JOIN manifest_objects AS o
    ON
        o.object_key = 'events/' || SPLIT_PART(l.file_name, '/', -3)
        || '/' || SPLIT_PART(l.file_name, '/', -2) || '/' || SPLIT_PART(l.file_name, '/', -1)
WHERE o.hour = '<% hour %>' AND TRY_PARSE_JSON(l.line) IS NULL AND REGEXP_REPLACE(l.line, '[ \t\r]', '') <> '';

-- Casts from text, because TRY_CAST takes nothing else. A number of 19 digits keeps all its digits.
INSERT INTO events (
    hour, uuid, event_type, event_time, client_event_time, client_upload_time, server_received_time, server_upload_time,
    processed_time, app, amplitude_id, user_id, device_id, session_id, event_id, insert_id, event_properties,
    user_properties, group_properties, groups, data, amplitude_attribution_ids, platform, os_name, os_version,
    device_type, device_family, device_carrier, version_name, start_version, library, language, country, region, city,
    dma, ip_address, location_lat, location_lng, paying, sample_rate, file_name, row_number, loaded_at
)
SELECT
    hour,
    event:uuid::VARCHAR,
    event:event_type::VARCHAR,
    TRY_CAST(event:event_time::VARCHAR AS TIMESTAMP_NTZ),
    TRY_CAST(event:client_event_time::VARCHAR AS TIMESTAMP_NTZ),
    TRY_CAST(event:client_upload_time::VARCHAR AS TIMESTAMP_NTZ),
    TRY_CAST(event:server_received_time::VARCHAR AS TIMESTAMP_NTZ),
    TRY_CAST(event:server_upload_time::VARCHAR AS TIMESTAMP_NTZ),
    TRY_CAST(event:processed_time::VARCHAR AS TIMESTAMP_NTZ),
    TRY_CAST(event:app::VARCHAR AS NUMBER(38, 0)),
    TRY_CAST(event:amplitude_id::VARCHAR AS NUMBER(38, 0)),
    event:user_id::VARCHAR,
    event:device_id::VARCHAR,
    TRY_CAST(event:session_id::VARCHAR AS NUMBER(38, 0)),
    TRY_CAST(event:event_id::VARCHAR AS NUMBER(38, 0)),
    event:"$insert_id"::VARCHAR,
    event:event_properties,
    event:user_properties,
    event:group_properties,
    event:groups,
    event:data,
    event:amplitude_attribution_ids,
    event:platform::VARCHAR,
    event:os_name::VARCHAR,
    event:os_version::VARCHAR,
    event:device_type::VARCHAR,
    event:device_family::VARCHAR,
    event:device_carrier::VARCHAR,
    event:version_name::VARCHAR,
    event:start_version::VARCHAR,
    event:library::VARCHAR,
    event:language::VARCHAR,
    event:country::VARCHAR,
    event:region::VARCHAR,
    event:city::VARCHAR,
    event:dma::VARCHAR,
    event:ip_address::VARCHAR,
    TRY_CAST(event:location_lat::VARCHAR AS FLOAT),
    TRY_CAST(event:location_lng::VARCHAR AS FLOAT),
    TRY_CAST(event:paying::VARCHAR AS BOOLEAN),
    TRY_CAST(event:sample_rate::VARCHAR AS FLOAT),
    file_name,
    row_number,
    loaded_at
FROM landing
WHERE hour = '<% hour %>';

-- If the manifest has changed since 09, content is null here and the insert fails. So the hour keeps its old rows and stays
-- due.
DELETE FROM loads WHERE hour = '<% hour %>';
INSERT INTO loads (hour, content, sealed_at, loaded_at)
SELECT
    '<% hour %>',
    MAX(content),
    MAX(sealed_at),
    SYSDATE()
FROM manifests
WHERE hour = '<% hour %>' AND content = '<% content %>';

DELETE FROM attempts WHERE hour = '<% hour %>';
DELETE FROM lines;

COMMIT;
