-- 9. What there is to load, at most so many hours: first what has not been tried, oldest first, then what failed.
--    snow sql -f 09_due_hours.sql -D hours=200

SELECT
    hour,
    content,
    files
FROM due_hours
WHERE objects > 0
ORDER BY attempted_at NULLS FIRST, hour
LIMIT <% hours %>;
