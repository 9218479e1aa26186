-- 8. Records due hours without objects as loaded, all at once: there is nothing to copy.
--    snow sql -f 08_load_empty_hours.sql

BEGIN;

DELETE FROM landing WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM rejects WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM events WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM attempts WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);
DELETE FROM loads WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);

INSERT INTO loads (hour, content, sealed_at, loaded_at)
SELECT
    hour,
    content,
    sealed_at,
    SYSDATE()
FROM manifests
WHERE hour IN (SELECT hour FROM due_hours WHERE objects = 0);

COMMIT;
