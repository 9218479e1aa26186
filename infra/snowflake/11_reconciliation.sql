-- 11. Compares rows with manifests, hour by hour: the last days, and every older hour that does not agree.
--     snow sql -f 11_reconciliation.sql -D since=2026-11-13T00

SELECT
    hour,
    status,
    manifest_events,
    rows_landed,
    rows_rejected,
    rows_typed,
    distinct_uuids,
    difference,
    quarantined
FROM reconciliation
WHERE hour >= '<% since %>' OR status <> 'ok'
ORDER BY hour;
