-- 9. The due hours, at most so many: first the hours that were not tried, oldest first, then the hours that failed.
--    snow sql -f 09_due_hours.sql -D hours=200

SELECT
    hour,
    content,
    files
FROM due_hours
WHERE objects > 0
ORDER BY attempted_at NULLS FIRST, hour
LIMIT <% hours %>;
