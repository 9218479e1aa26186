-- 10. Loads the hours of a batch, all of them or none. hours, files and contents come from 09, and run is the same as there:
--     snow sql -f 10_load_batch.sql -D run=2026-11-20T08:40 -D contents=… -D "hours='2026-11-20T05', '2026-11-20T06'" \
--       -D "files='date=2026-11-20/hour=05/100011471_2026-11-20T05_0.1.9f1c22ab.json', …"

-- A new table for each batch: COPY remembers for 64 days what it loaded into a table, and would skip the objects that a
-- replaced hour keeps.
CREATE OR REPLACE TEMPORARY TABLE batch_lines (line VARCHAR(134217728), file_name VARCHAR, row_number NUMBER(38, 0));

-- In its own transaction, so that it survives a load that fails. The load removes it at its end.
BEGIN;
DELETE FROM attempts WHERE hour IN (<% hours %>);
INSERT INTO attempts (hour, run, batch_hours, attempted_at)
SELECT
    hour,
    '<% run %>',
    COUNT(*) OVER (),
    SYSDATE()
FROM manifests
WHERE hour IN (<% hours %>);
COMMIT;

BEGIN;

-- Exactly the manifests' objects, and nothing else from events/. A missing object fails the statement, and with it the batch.
COPY INTO batch_lines (line, file_name, row_number)
FROM (SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @events_stage)
FILES = (<% files %>)
FILE_FORMAT = (FORMAT_NAME = 'lines')
ON_ERROR = ABORT_STATEMENT;

DELETE FROM landing WHERE hour IN (<% hours %>);
DELETE FROM rejects WHERE hour IN (<% hours %>);
DELETE FROM events WHERE hour IN (<% hours %>);

-- The hour comes from the manifest that names the key. Of an object with one key twice, 'd' keeps the last value.
INSERT INTO landing (event, hour, file_name, row_number, file_content, loaded_at)
SELECT
    TRY_PARSE_JSON(l.line, 'd'),
    o.hour,
    l.file_name,
    l.row_number,
    o.crc32,
    SYSDATE()
FROM batch_lines AS l
INNER JOIN manifest_objects AS o
    ON
        o.object_key = 'events/' || SPLIT_PART(l.file_name, '/', -3)
        || '/' || SPLIT_PART(l.file_name, '/', -2) || '/' || SPLIT_PART(l.file_name, '/', -1)
WHERE o.hour IN (<% hours %>) AND TRY_PARSE_JSON(l.line, 'd') IS NOT NULL;

-- Blank lines are no events. No manifest counts them.
INSERT INTO rejects (line, hour, file_name, row_number, file_content, loaded_at)
SELECT
    l.line,
    o.hour,
    l.file_name,
    l.row_number,
    o.crc32,
    SYSDATE()
FROM batch_lines AS l
INNER JOIN manifest_objects AS o
    ON
        o.object_key = 'events/' || SPLIT_PART(l.file_name, '/', -3)
        || '/' || SPLIT_PART(l.file_name, '/', -2) || '/' || SPLIT_PART(l.file_name, '/', -1)
WHERE o.hour IN (<% hours %>) AND TRY_PARSE_JSON(l.line, 'd') IS NULL AND REGEXP_REPLACE(l.line, '[ \t\r]', '') <> '';

-- Casts from text, because TRY_CAST takes nothing else. A number of 19 digits keeps all its digits. A time may come with fewer
-- digits, or without its fraction. Its format is named, because the account's TIMESTAMP_INPUT_FORMAT may be any.
-- STRIP_NULL_VALUE makes NULL of JSON's null.
INSERT INTO events (
    hour, uuid, event_type, event_time, client_event_time, client_upload_time, server_received_time, server_upload_time,
    processed_time, app, amplitude_id, user_id, device_id, session_id, event_id, insert_id, event_properties,
    user_properties, group_properties, groups, data, amplitude_attribution_ids, platform, os_name, os_version,
    device_type, device_family, device_carrier, version_name, start_version, library, language, country, region, city,
    dma, ip_address, location_lat, location_lng, paying, sample_rate, nulled, file_name, row_number, loaded_at
)
SELECT
    hour,
    event:uuid::VARCHAR AS uuid,
    event:event_type::VARCHAR AS event_type,
    TRY_TO_TIMESTAMP_NTZ(
        RPAD(event:event_time::VARCHAR || IFF(CONTAINS(event:event_time::VARCHAR, '.'), '', '.'), 26, '0'),
        'YYYY-MM-DD HH24:MI:SS.FF6'
    ) AS event_time,
    TRY_TO_TIMESTAMP_NTZ(
        RPAD(event:client_event_time::VARCHAR || IFF(CONTAINS(event:client_event_time::VARCHAR, '.'), '', '.'), 26, '0'),
        'YYYY-MM-DD HH24:MI:SS.FF6'
    ) AS client_event_time,
    TRY_TO_TIMESTAMP_NTZ(
        RPAD(event:client_upload_time::VARCHAR || IFF(CONTAINS(event:client_upload_time::VARCHAR, '.'), '', '.'), 26, '0'),
        'YYYY-MM-DD HH24:MI:SS.FF6'
    ) AS client_upload_time,
    TRY_TO_TIMESTAMP_NTZ(
        RPAD(event:server_received_time::VARCHAR || IFF(CONTAINS(event:server_received_time::VARCHAR, '.'), '', '.'), 26, '0'),
        'YYYY-MM-DD HH24:MI:SS.FF6'
    ) AS server_received_time,
    TRY_TO_TIMESTAMP_NTZ(
        RPAD(event:server_upload_time::VARCHAR || IFF(CONTAINS(event:server_upload_time::VARCHAR, '.'), '', '.'), 26, '0'),
        'YYYY-MM-DD HH24:MI:SS.FF6'
    ) AS server_upload_time,
    TRY_TO_TIMESTAMP_NTZ(
        RPAD(event:processed_time::VARCHAR || IFF(CONTAINS(event:processed_time::VARCHAR, '.'), '', '.'), 26, '0'),
        'YYYY-MM-DD HH24:MI:SS.FF6'
    ) AS processed_time,
    TRY_CAST(event:app::VARCHAR AS NUMBER(38, 0)) AS app,
    TRY_CAST(event:amplitude_id::VARCHAR AS NUMBER(38, 0)) AS amplitude_id,
    event:user_id::VARCHAR AS user_id,
    event:device_id::VARCHAR AS device_id,
    TRY_CAST(event:session_id::VARCHAR AS NUMBER(38, 0)) AS session_id,
    TRY_CAST(event:event_id::VARCHAR AS NUMBER(38, 0)) AS event_id,
    event:"$insert_id"::VARCHAR AS insert_id,
    STRIP_NULL_VALUE(event:event_properties) AS event_properties,
    STRIP_NULL_VALUE(event:user_properties) AS user_properties,
    STRIP_NULL_VALUE(event:group_properties) AS group_properties,
    STRIP_NULL_VALUE(event:groups) AS groups,
    STRIP_NULL_VALUE(event:data) AS data,
    STRIP_NULL_VALUE(event:amplitude_attribution_ids) AS amplitude_attribution_ids,
    event:platform::VARCHAR AS platform,
    event:os_name::VARCHAR AS os_name,
    event:os_version::VARCHAR AS os_version,
    event:device_type::VARCHAR AS device_type,
    event:device_family::VARCHAR AS device_family,
    event:device_carrier::VARCHAR AS device_carrier,
    event:version_name::VARCHAR AS version_name,
    event:start_version::VARCHAR AS start_version,
    event:library::VARCHAR AS library,
    event:language::VARCHAR AS language,
    event:country::VARCHAR AS country,
    event:region::VARCHAR AS region,
    event:city::VARCHAR AS city,
    event:dma::VARCHAR AS dma,
    event:ip_address::VARCHAR AS ip_address,
    TRY_CAST(event:location_lat::VARCHAR AS FLOAT) AS location_lat,
    TRY_CAST(event:location_lng::VARCHAR AS FLOAT) AS location_lng,
    TRY_CAST(event:paying::VARCHAR AS BOOLEAN) AS paying,
    TRY_CAST(event:sample_rate::VARCHAR AS FLOAT) AS sample_rate,
    ARRAY_CONSTRUCT_COMPACT(
        IFF(event_time IS NULL AND event:event_time::VARCHAR <> '', 'event_time', NULL),
        IFF(client_event_time IS NULL AND event:client_event_time::VARCHAR <> '', 'client_event_time', NULL),
        IFF(client_upload_time IS NULL AND event:client_upload_time::VARCHAR <> '', 'client_upload_time', NULL),
        IFF(server_received_time IS NULL AND event:server_received_time::VARCHAR <> '', 'server_received_time', NULL),
        IFF(server_upload_time IS NULL AND event:server_upload_time::VARCHAR <> '', 'server_upload_time', NULL),
        IFF(processed_time IS NULL AND event:processed_time::VARCHAR <> '', 'processed_time', NULL),
        IFF(app IS NULL AND event:app::VARCHAR <> '', 'app', NULL),
        IFF(amplitude_id IS NULL AND event:amplitude_id::VARCHAR <> '', 'amplitude_id', NULL),
        IFF(session_id IS NULL AND event:session_id::VARCHAR <> '', 'session_id', NULL),
        IFF(event_id IS NULL AND event:event_id::VARCHAR <> '', 'event_id', NULL),
        IFF(location_lat IS NULL AND event:location_lat::VARCHAR <> '', 'location_lat', NULL),
        IFF(location_lng IS NULL AND event:location_lng::VARCHAR <> '', 'location_lng', NULL),
        IFF(paying IS NULL AND event:paying::VARCHAR <> '', 'paying', NULL),
        IFF(sample_rate IS NULL AND event:sample_rate::VARCHAR <> '', 'sample_rate', NULL)
    ) AS nulled,
    file_name,
    row_number,
    loaded_at
FROM landing
WHERE hour IN (<% hours %>);

-- The rows of these hours are the newest of their uuids. But a uuid that an hour has lost may be in another one: that row goes
-- first, while the table still has the hour's old rows.
INSERT INTO events_deduplicated
SELECT *
FROM events
WHERE
    uuid IN (
        SELECT uuid FROM events_deduplicated
        WHERE hour IN (<% hours %>)
    )
    AND uuid NOT IN (
        SELECT new.uuid FROM events AS new
        WHERE new.hour IN (<% hours %>) AND new.uuid IS NOT NULL
    )
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY uuid
    ORDER BY loaded_at DESC, hour DESC, file_name DESC, row_number DESC
) = 1;
DELETE FROM events_deduplicated WHERE hour IN (<% hours %>);
DELETE FROM events_deduplicated WHERE uuid IN (SELECT uuid FROM events WHERE hour IN (<% hours %>));
-- Not by the insert id: the sender sets it, and it is often null. A row without a uuid stays. It has its own partition, so that
-- such rows do not pile up in one.
INSERT INTO events_deduplicated
SELECT *
FROM events
WHERE hour IN (<% hours %>)
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY COALESCE(uuid, file_name || ':' || row_number)
    ORDER BY loaded_at DESC, hour DESC, file_name DESC, row_number DESC
) = 1;

-- If a manifest has changed since 09, content is null here and the insert fails. So the hours keep their old rows and stay due.
DELETE FROM loads WHERE hour IN (<% hours %>);
INSERT INTO loads (
    hour, content, sealed_at, loaded_at, rows_landed, rows_rejected, rows_typed, distinct_uuids, values_nulled
)
SELECT
    m.hour,
    IFF(b.contents = '<% contents %>', m.content, NULL),
    m.sealed_at,
    SYSDATE(),
    COALESCE(d.rows_landed, 0),
    COALESCE(r.rows_rejected, 0),
    COALESCE(e.rows_typed, 0),
    COALESCE(e.distinct_uuids, 0),
    COALESCE(e.values_nulled, 0)
FROM manifests AS m
CROSS JOIN (
    SELECT MD5(LISTAGG(content, ', ') WITHIN GROUP (ORDER BY hour)) AS contents
    FROM manifests
    WHERE hour IN (<% hours %>)
) AS b
LEFT JOIN (
    SELECT
        hour,
        COUNT(*) AS rows_landed
    FROM landing
    WHERE hour IN (<% hours %>)
    GROUP BY hour
) AS d ON m.hour = d.hour
LEFT JOIN (
    SELECT
        hour,
        COUNT(*) AS rows_rejected
    FROM rejects
    WHERE hour IN (<% hours %>)
    GROUP BY hour
) AS r ON m.hour = r.hour
LEFT JOIN (
    SELECT
        hour,
        COUNT(*) AS rows_typed,
        COUNT(DISTINCT uuid) AS distinct_uuids,
        SUM(ARRAY_SIZE(nulled)) AS values_nulled
    FROM events
    WHERE hour IN (<% hours %>)
    GROUP BY hour
) AS e ON m.hour = e.hour
WHERE m.hour IN (<% hours %>);

DELETE FROM attempts WHERE hour IN (<% hours %>);

COMMIT;
