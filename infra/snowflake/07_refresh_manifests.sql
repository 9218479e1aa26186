-- 7. The manifests of some dates, as they are in the bucket now; one that is gone there goes here too.
--    snow sql -f 07_refresh_manifests.sql -D 'dates=2026-11-2[0-9]'     (a regular expression of dates; .* is all of them)
-- A year has 8,760 manifests, so an hourly run names the last days only. FORCE, since COPY's memory of files is not ours:
-- a manifest that vanished and came back as it was is a manifest again.

BEGIN;

DELETE FROM manifest_files;

COPY INTO manifest_files (manifest, file_name)
FROM (SELECT $1, METADATA$FILENAME FROM @manifests_stage)
PATTERN = '.*date=(<% dates %>)/hour=[0-9][0-9][.]json'
FILE_FORMAT = (FORMAT_NAME = 'manifest_json')
ON_ERROR = ABORT_STATEMENT
FORCE = TRUE;

DELETE FROM manifest_objects WHERE REGEXP_LIKE(SUBSTR(hour, 1, 10), '(<% dates %>)');
DELETE FROM manifests WHERE REGEXP_LIKE(SUBSTR(hour, 1, 10), '(<% dates %>)');

-- The hour comes from the key, …/date=2026-11-20/hour=05.json.
INSERT INTO manifest_objects (hour, object_key, crc32, events)
SELECT
    SUBSTR(SPLIT_PART(f.file_name, '/', -2), 6) || 'T' || SUBSTR(SPLIT_PART(f.file_name, '/', -1), 6, 2),
    o.value:key::VARCHAR,
    o.value:crc32::VARCHAR,
    o.value:events::NUMBER(38, 0)
FROM manifest_files AS f, LATERAL FLATTEN(INPUT => f.manifest:objects) AS o;

INSERT INTO manifests (hour, status, project, events, quarantined, objects, content, sealed_at, refreshed_at)
SELECT
    f.hour,
    f.manifest:status::VARCHAR,
    f.manifest:project::VARCHAR,
    f.manifest:events::NUMBER(38, 0),
    f.manifest:quarantined::NUMBER(38, 0),
    COALESCE(o.objects, 0),
    MD5(COALESCE(o.content, '')),
    TRY_CAST(f.manifest:sealedAt::VARCHAR AS TIMESTAMP_NTZ),
    SYSDATE()
FROM (
    SELECT
        manifest,
        SUBSTR(SPLIT_PART(file_name, '/', -2), 6) || 'T' || SUBSTR(SPLIT_PART(file_name, '/', -1), 6, 2) AS hour
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

DELETE FROM manifest_files;

COMMIT;
