-- 6. The rights of the loader and the analysts. Nothing is granted on future objects: a new table is a decision.
--    snow sql -f 06_grants.sql -D database=… -D schema=AMPLITUDE

USE ROLE amplitude_owner;
USE SCHEMA <% database %>.<% schema %>;

GRANT USAGE ON SCHEMA <% database %>.<% schema %> TO ROLE amplitude_loader;
GRANT USAGE ON STAGE events_stage TO ROLE amplitude_loader;
GRANT USAGE ON STAGE manifests_stage TO ROLE amplitude_loader;
GRANT USAGE ON FILE FORMAT lines TO ROLE amplitude_loader;
GRANT USAGE ON FILE FORMAT manifest_json TO ROLE amplitude_loader;

-- To replace an hour is to delete and insert. So no UPDATE, and no TRUNCATE, which cannot be undone.
GRANT SELECT, INSERT, DELETE ON TABLE manifest_files TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE manifests TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE manifest_objects TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE lines TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE landing TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE rejects TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE events TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE loads TO ROLE amplitude_loader;
GRANT SELECT, INSERT, DELETE ON TABLE attempts TO ROLE amplitude_loader;
GRANT SELECT ON VIEW due_hours TO ROLE amplitude_loader;
GRANT SELECT ON VIEW reconciliation TO ROLE amplitude_loader;

-- A view reads with its owner's rights: readers of the reconciliation need no rights on raw lines.
GRANT USAGE ON SCHEMA <% database %>.<% schema %> TO ROLE amplitude_reader;
GRANT SELECT ON TABLE events TO ROLE amplitude_reader;
GRANT SELECT ON VIEW events_deduplicated TO ROLE amplitude_reader;
GRANT SELECT ON VIEW reconciliation TO ROLE amplitude_reader;
