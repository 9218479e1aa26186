-- 11. Compares what was loaded with the manifests, hour by hour: the last days, and every older hour that does not agree.
--     snow sql -f 11_reconciliation.sql -D since=2026-11-13T00

SELECT
    hour,
    status,
    manifest_events,
    rows_landed,
    rows_rejected,
    rows_typed,
    distinct_uuids,
    values_nulled,
    difference,
    quarantined
FROM reconciliation
WHERE hour >= '<% since %>' OR status <> 'ok'
-- Thousands of hours may wait for a first load.
QUALIFY ROW_NUMBER() OVER (ORDER BY IFF(status = 'ok', 1, 0), hour) <= 1000
ORDER BY hour;
