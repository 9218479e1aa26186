-- 6. The rights of the loader and the analysts. Nothing is granted on future objects: a new table is a decision.
--    snow sql -f 06_grants.sql -D name=amplitude -D database=…

USE ROLE <% name %>_owner;
USE SCHEMA <% database %>.<% name %>;

-- With the schema come temporary tables, which need no right of their own.
GRANT USAGE ON SCHEMA <% database %>.<% name %> TO ROLE <% name %>_loader;
GRANT USAGE ON STAGE events_stage TO ROLE <% name %>_loader;
GRANT USAGE ON STAGE manifests_stage TO ROLE <% name %>_loader;
GRANT USAGE ON FILE FORMAT lines TO ROLE <% name %>_loader;
GRANT USAGE ON FILE FORMAT manifest_json TO ROLE <% name %>_loader;

-- To replace an hour is to delete and insert. So no UPDATE, and no TRUNCATE, which cannot be undone.
GRANT SELECT, INSERT, DELETE ON TABLE manifests TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE manifest_objects TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE landing TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE rejects TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE events TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE events_deduplicated TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE loads TO ROLE <% name %>_loader;
GRANT SELECT, INSERT, DELETE ON TABLE attempts TO ROLE <% name %>_loader;
GRANT SELECT ON VIEW due_hours TO ROLE <% name %>_loader;
GRANT SELECT ON VIEW reconciliation TO ROLE <% name %>_loader;

-- A view reads with its owner's rights: readers of the reconciliation need no rights on raw lines.
GRANT USAGE ON SCHEMA <% database %>.<% name %> TO ROLE <% name %>_reader;
GRANT SELECT ON TABLE events TO ROLE <% name %>_reader;
GRANT SELECT ON TABLE events_deduplicated TO ROLE <% name %>_reader;
GRANT SELECT ON VIEW reconciliation TO ROLE <% name %>_reader;
