-- 5. Views: due hours, the comparison of counts, and events without duplicates.
--    snow sql -f 05_views.sql -D database=… -D schema=AMPLITUDE

USE ROLE amplitude_owner;
USE SCHEMA <% database %>.<% schema %>;

-- Hours whose manifest names other objects than were loaded. An hour that was sealed again unchanged has the same objects,
-- so it is not due. files is the list for COPY, relative to the stage.
CREATE OR REPLACE VIEW due_hours COPY GRANTS AS
SELECT
    m.hour,
    m.content,
    m.objects,
    m.events,
    o.files,
    a.attempted_at
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

-- An hour agrees if every event that its manifest counts is parsed or rejected, and every parsed row is typed.
-- distinct_uuids does not matter for that: Amplitude delivers true duplicates.
CREATE OR REPLACE VIEW reconciliation COPY GRANTS AS
WITH landed AS (
    SELECT
        hour,
        COUNT(*) AS landed_rows
    FROM landing
    GROUP BY hour
),

rejected AS (
    SELECT
        hour,
        COUNT(*) AS rejected_rows
    FROM rejects
    GROUP BY hour
),

typed AS (
    SELECT
        hour,
        COUNT(*) AS typed_rows,
        COUNT(DISTINCT uuid) AS uuids
    FROM events
    GROUP BY hour
),

known_hours AS (
    SELECT hour FROM manifests
    UNION
    SELECT hour FROM loads
    UNION
    SELECT hour FROM landed
    UNION
    SELECT hour FROM rejected
    UNION
    SELECT hour FROM typed
),

counted AS (
    SELECT
        h.hour,
        m.hour IS NOT NULL AS sealed,
        l.hour IS NOT NULL AS loaded,
        l.content IS NOT DISTINCT FROM m.content AS current_content,
        a.hour IS NOT NULL AS attempted,
        COALESCE(m.events, 0) AS manifest_events,
        COALESCE(d.landed_rows, 0) AS rows_landed,
        COALESCE(r.rejected_rows, 0) AS rows_rejected,
        COALESCE(t.typed_rows, 0) AS rows_typed,
        COALESCE(t.uuids, 0) AS distinct_uuids,
        COALESCE(m.quarantined, 0) AS quarantined,
        m.sealed_at,
        l.loaded_at
    FROM known_hours AS h
    LEFT JOIN manifests AS m ON h.hour = m.hour
    LEFT JOIN loads AS l ON h.hour = l.hour
    LEFT JOIN attempts AS a ON h.hour = a.hour
    LEFT JOIN landed AS d ON h.hour = d.hour
    LEFT JOIN rejected AS r ON h.hour = r.hour
    LEFT JOIN typed AS t ON h.hour = t.hour
)

SELECT
    hour,
    CASE
        WHEN NOT sealed THEN 'manifest gone'
        WHEN attempted AND NOT current_content THEN 'load failed'
        WHEN NOT loaded THEN 'not loaded'
        WHEN NOT current_content THEN 'stale'
        WHEN manifest_events <> rows_landed + rows_rejected OR rows_landed <> rows_typed THEN 'differs'
        ELSE 'ok'
    END AS status,
    manifest_events,
    rows_landed,
    rows_rejected,
    rows_typed,
    distinct_uuids,
    manifest_events - rows_landed - rows_rejected AS difference,
    quarantined,
    sealed_at,
    loaded_at
FROM counted;

-- One row for each uuid, from the newest landing. Not by $insert_id: the sender sets it, and it is often null. A row without
-- a uuid stays. It has its own partition, so that such rows do not pile up in one.
CREATE OR REPLACE VIEW events_deduplicated COPY GRANTS AS
SELECT *
FROM events
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY COALESCE(uuid, file_name || ':' || row_number)
    ORDER BY loaded_at DESC, hour DESC, file_name DESC, row_number DESC
) = 1;
