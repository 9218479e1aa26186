-- 7. The dates whose manifests a run reads, as a regular expression: all in the first run of a UTC day, else those given.
--    snow sql -f 07_dates.sql -D 'dates=2026-11-2[0-9]'
-- A year has 8,760 manifests, so not every run reads all. The first one of a day does: an export of a past range may have
-- landed, and somebody may have deleted a manifest.

SELECT IFF(MAX(refreshed_at) >= SYSDATE()::DATE, '<% dates %>', '.*') AS dates
FROM manifests;
