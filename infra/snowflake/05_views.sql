-- 5. Views: due hours, and the comparison of counts.
--    snow sql -f 05_views.sql -D name=amplitude -D database=…

USE ROLE <% name %>_owner;
USE SCHEMA <% database %>.<% name %>;

-- Hours whose manifest names other objects than were loaded. An hour that was sealed again unchanged has the same objects,
-- so it is not due. files is the list for COPY, relative to the stage.
CREATE OR REPLACE VIEW due_hours COPY GRANTS AS
SELECT
    m.hour,
    m.content,
    m.objects,
    m.events,
    o.files,
    a.run,
    a.batch_hours
FROM manifests AS m
LEFT JOIN loads AS l ON m.hour = l.hour
LEFT JOIN attempts AS a ON m.hour = a.hour
LEFT JOIN (
    SELECT
        hour,
        LISTAGG('''' || REPLACE(SUBSTR(object_key, LENGTH('events/') + 1), '''', '''''') || '''', ', ')
        WITHIN GROUP (ORDER BY object_key) AS files
    FROM manifest_objects
    GROUP BY hour
) AS o ON m.hour = o.hour
WHERE l.content IS DISTINCT FROM m.content;

-- An hour agrees if every event that its manifest counts is parsed or rejected, and every parsed row is typed. It compares
-- what the load counted, so it reads a row an hour, however many events there are. 12 counts the tables themselves.
-- distinct_uuids does not matter for that: Amplitude delivers true duplicates.
CREATE OR REPLACE VIEW reconciliation COPY GRANTS AS
WITH counted AS (
    SELECT
        COALESCE(m.hour, l.hour) AS hour,
        m.hour IS NOT NULL AS sealed,
        l.hour IS NOT NULL AS loaded,
        l.content IS NOT DISTINCT FROM m.content AS current_content,
        COALESCE(m.events, 0) AS manifest_events,
        COALESCE(l.rows_landed, 0) AS rows_landed,
        COALESCE(l.rows_rejected, 0) AS rows_rejected,
        COALESCE(l.rows_typed, 0) AS rows_typed,
        COALESCE(l.distinct_uuids, 0) AS distinct_uuids,
        COALESCE(l.values_nulled, 0) AS values_nulled,
        COALESCE(m.quarantined, 0) AS quarantined,
        m.sealed_at,
        l.loaded_at
    FROM manifests AS m
    FULL OUTER JOIN loads AS l ON m.hour = l.hour
)

SELECT
    c.hour,
    CASE
        WHEN NOT c.sealed THEN 'manifest gone'
        WHEN a.hour IS NOT NULL AND NOT c.current_content THEN 'load failed'
        WHEN NOT c.loaded THEN 'not loaded'
        WHEN NOT c.current_content THEN 'stale'
        WHEN c.manifest_events <> c.rows_landed + c.rows_rejected OR c.rows_landed <> c.rows_typed THEN 'differs'
        -- A value in each row on average: not an odd event, but a type or a format that Amplitude has changed.
        WHEN c.rows_typed > 0 AND c.values_nulled >= c.rows_typed THEN 'nulled'
        ELSE 'ok'
    END AS status,
    c.manifest_events,
    c.rows_landed,
    c.rows_rejected,
    c.rows_typed,
    c.distinct_uuids,
    c.values_nulled,
    c.manifest_events - c.rows_landed - c.rows_rejected AS difference,
    c.quarantined,
    c.sealed_at,
    c.loaded_at
FROM counted AS c
LEFT JOIN attempts AS a ON c.hour = a.hour;
