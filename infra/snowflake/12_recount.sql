-- 12. Counts the rows of the tables again, and shows each hour and table that no longer has the rows that its load counted:
--     somebody added or removed some. It reads the column hour of the three tables within the window.
--     snow sql -f 12_recount.sql -D since=2026-11-01T00 -D until=2026-12-01T00

WITH counted AS (
    SELECT
        hour,
        'landing' AS table_name,
        rows_landed AS loaded,
        0 AS present
    FROM loads
    UNION ALL
    SELECT
        hour,
        'rejects',
        rows_rejected,
        0
    FROM loads
    UNION ALL
    SELECT
        hour,
        'events',
        rows_typed,
        0
    FROM loads
    UNION ALL
    SELECT
        hour,
        'landing',
        0,
        COUNT(*)
    FROM landing
    GROUP BY hour
    UNION ALL
    SELECT
        hour,
        'rejects',
        0,
        COUNT(*)
    FROM rejects
    GROUP BY hour
    UNION ALL
    SELECT
        hour,
        'events',
        0,
        COUNT(*)
    FROM events
    GROUP BY hour
)

SELECT
    hour,
    table_name,
    SUM(loaded)::NUMBER(38, 0) AS rows_loaded,
    SUM(present)::NUMBER(38, 0) AS rows_present
FROM counted
WHERE hour >= '<% since %>' AND hour < '<% until %>'
GROUP BY hour, table_name
HAVING SUM(loaded) <> SUM(present)
ORDER BY hour, table_name
LIMIT 1000;
