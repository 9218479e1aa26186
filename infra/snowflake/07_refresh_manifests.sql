-- 7. Reads the manifests of some dates from the bucket, and removes those that are gone there.
--    snow sql -f 07_refresh_manifests.sql -D 'dates=2026-11-2[0-9]'     (a regular expression of dates; .* is all)
-- A year has 8,760 manifests, so an hourly run reads only the last days. FORCE: COPY remembers what it loaded into
-- manifest_files, and would skip every manifest that has not changed since.

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
    TRY_CAST(f.manifest:sealedAt::VARCHAR AS TIMESTAMP_NTZ),
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

DELETE FROM manifest_files;

COMMIT;
