-- 8. Reads the manifests of some dates from the bucket, removes those that are gone there, and records due hours without
--    objects as loaded: there is nothing to copy.
--    snow sql -f 08_refresh_manifests.sql -D 'dates=.*'     (from 07)

-- COPY remembers for 64 days what it loaded into a table, and skips it. A new table has no memory.
CREATE OR REPLACE TEMPORARY TABLE manifest_files (manifest VARIANT, file_name VARCHAR);

BEGIN;

COPY INTO manifest_files (manifest, file_name)
FROM (SELECT $1, METADATA$FILENAME FROM @manifests_stage)
PATTERN = '.*date=(<% dates %>)/hour=[0-9][0-9][.]json'
FILE_FORMAT = (FORMAT_NAME = 'manifest_json')
ON_ERROR = ABORT_STATEMENT;

DELETE FROM manifest_objects WHERE REGEXP_LIKE(SUBSTR(hour, 1, 10), '(<% dates %>)');
DELETE FROM manifests WHERE REGEXP_LIKE(SUBSTR(hour, 1, 10), '(<% dates %>)');

INSERT INTO manifest_objects (hour, object_key, crc32, events)
SELECT
    f.manifest:date::VARCHAR || 'T' || f.manifest:hour::VARCHAR,
    o.value:key::VARCHAR,
    o.value:crc32::VARCHAR,
    o.value:events::NUMBER(38, 0)
FROM manifest_files AS f, LATERAL FLATTEN(INPUT => f.manifest:objects) AS o;

-- A manifest under the key of another hour gets no hour here, so the refresh fails.
INSERT INTO manifests (hour, generation, status, project, events, quarantined, objects, content, sealed_at, refreshed_at)
SELECT
    IFF(ENDSWITH(f.file_name, '/date=' || REPLACE(f.hour, 'T', '/hour=') || '.json'), f.hour, NULL),
    f.manifest:generation::NUMBER(38, 0),
    f.manifest:status::VARCHAR,
    f.manifest:project::VARCHAR,
    f.manifest:events::NUMBER(38, 0),
    f.manifest:quarantined::NUMBER(38, 0),
    COALESCE(o.objects, 0),
    MD5(COALESCE(o.content, '')),
    TRY_TO_TIMESTAMP_NTZ(REPLACE(LEFT(f.manifest:sealedAt::VARCHAR, 19), 'T', ' '), 'YYYY-MM-DD HH24:MI:SS'),
    SYSDATE()
FROM (
    SELECT
        manifest,
        file_name,
        manifest:date::VARCHAR || 'T' || manifest:hour::VARCHAR AS hour
    FROM manifest_files
) AS f
LEFT JOIN (
    SELECT
        hour,
        COUNT(*) AS objects,
        LISTAGG(object_key || ' ' || crc32, ', ') WITHIN GROUP (ORDER BY object_key) AS content
    FROM manifest_objects
    GROUP BY hour
) AS o ON f.hour = o.hour;

COMMIT;

BEGIN;

DELETE FROM landing WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM rejects WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM events WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);

-- As in 10: a uuid that was in such an hour may be in an older one too.
INSERT INTO events_deduplicated
SELECT *
FROM events
WHERE
    uuid IN (
        SELECT uuid FROM events_deduplicated
        WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0)
    )
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY uuid
    ORDER BY loaded_at DESC, hour DESC, file_name DESC, row_number DESC
) = 1;
DELETE FROM events_deduplicated WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);

DELETE FROM attempts WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM loads WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);

INSERT INTO loads (
    hour, content, sealed_at, loaded_at, rows_landed, rows_rejected, rows_typed, distinct_uuids, values_nulled
)
SELECT
    hour,
    content,
    sealed_at,
    SYSDATE(),
    0,
    0,
    0,
    0,
    0
FROM manifests
WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);

COMMIT;
