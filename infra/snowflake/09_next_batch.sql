-- 9. The next batch to load, or no row: as many due hours as have 1,000 objects together, which is what COPY takes.
--    snow sql -f 09_next_batch.sql -D run=2026-11-20T08:40     (any text that no other run has)
-- First the hours that were not tried. An hour of a batch that failed comes again in a batch of half as many hours, so that in
-- the end only the hours that really fail stay out. Such an hour is tried alone, last, and once in a run.

WITH due AS (
    SELECT
        hour,
        content,
        objects,
        files,
        COALESCE(CEIL(batch_hours / 2), 1000) AS at_most
    FROM due_hours
    WHERE objects > 0 AND (batch_hours IS NULL OR batch_hours > 1 OR run <> '<% run %>')
),

ordered AS (
    SELECT
        hour,
        content,
        files,
        at_most,
        MAX(at_most) OVER () AS most,
        ROW_NUMBER() OVER (PARTITION BY at_most ORDER BY hour) AS hours_so_far,
        SUM(objects) OVER (PARTITION BY at_most ORDER BY hour) AS objects_so_far
    FROM due
),

batch AS (
    SELECT
        COUNT(*) AS batch_hours,
        LISTAGG('''' || hour || '''', ', ') WITHIN GROUP (ORDER BY hour) AS hours,
        LISTAGG(files, ', ') WITHIN GROUP (ORDER BY hour) AS files,
        MD5(LISTAGG(content, ', ') WITHIN GROUP (ORDER BY hour)) AS contents
    FROM ordered
    WHERE at_most = most AND (hours_so_far = 1 OR (hours_so_far <= at_most AND objects_so_far <= 1000))
)

SELECT
    batch_hours,
    hours,
    files,
    contents
FROM batch
WHERE batch_hours > 0;
