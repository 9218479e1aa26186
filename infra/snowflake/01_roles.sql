-- 1. Roles, the loading user, the warehouse with its budget, the database. Run as a user with ACCOUNTADMIN.
--    snow sql -f 01_roles.sql -D name=amplitude -D database=ANALYTICS -D credits=20 -D public_key="$(…)"
-- Run again, it also sets the user's key. To change the credits alone: ALTER RESOURCE MONITOR amplitude_budget SET CREDIT_QUOTA = …
-- The name is that of the Amplitude project. Everything that belongs to the account carries it, so a second project gets its own.
-- CREATE … IF NOT EXISTS keeps what is there, and ALTER … SET then gives it the values of this run.

USE ROLE USERADMIN;

-- Owns the objects. Nothing else runs as it, so the load can neither drop nor redirect anything.
CREATE ROLE IF NOT EXISTS <% name %>_owner;
-- For the load: reads the stages, writes rows.
CREATE ROLE IF NOT EXISTS <% name %>_loader;
-- For analysts: reads the typed events and the reconciliation.
CREATE ROLE IF NOT EXISTS <% name %>_reader;

-- Without this, nobody could administer what these roles own.
GRANT ROLE <% name %>_owner TO ROLE SYSADMIN;
GRANT ROLE <% name %>_loader TO ROLE SYSADMIN;
GRANT ROLE <% name %>_reader TO ROLE SYSADMIN;

-- TYPE = SERVICE has no password and no browser login: a key pair is the only way in. Without secondary roles it has the rights
-- of amplitude_loader and no others.
CREATE USER IF NOT EXISTS <% name %>_kestra TYPE = SERVICE;
ALTER USER <% name %>_kestra SET
DEFAULT_ROLE = <% name %>_loader
DEFAULT_SECONDARY_ROLES = ()
RSA_PUBLIC_KEY = '<% public_key %>';
GRANT ROLE <% name %>_loader TO USER <% name %>_kestra;

USE ROLE SYSADMIN;

-- Billed by the second after the first minute. It sleeps soon after a run. A statement may take an hour, and wait ten minutes.
CREATE WAREHOUSE IF NOT EXISTS <% name %>_load INITIALLY_SUSPENDED = TRUE;
ALTER WAREHOUSE <% name %>_load SET
WAREHOUSE_SIZE = XSMALL
AUTO_SUSPEND = 60
AUTO_RESUME = TRUE
STATEMENT_TIMEOUT_IN_SECONDS = 3600
STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 600;
GRANT USAGE ON WAREHOUSE <% name %>_load TO ROLE <% name %>_owner;
GRANT USAGE ON WAREHOUSE <% name %>_load TO ROLE <% name %>_loader;

USE ROLE ACCOUNTADMIN;

-- Credits a month, counted from the day of this statement. At the quota a running statement may still end, then the warehouse
-- stands still until the next month. The load fails meanwhile, and goes on from there afterwards.
CREATE RESOURCE MONITOR IF NOT EXISTS <% name %>_budget
WITH CREDIT_QUOTA = <% credits %> FREQUENCY = MONTHLY START_TIMESTAMP = IMMEDIATELY
TRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND;
ALTER RESOURCE MONITOR <% name %>_budget SET CREDIT_QUOTA = <% credits %>;
ALTER WAREHOUSE <% name %>_load SET RESOURCE_MONITOR = <% name %>_budget;

-- An existing database works too, whoever owns it: the project uses one schema in it.
CREATE DATABASE IF NOT EXISTS <% database %>;
GRANT USAGE, CREATE SCHEMA ON DATABASE <% database %> TO ROLE <% name %>_owner;
GRANT USAGE ON DATABASE <% database %> TO ROLE <% name %>_loader;
GRANT USAGE ON DATABASE <% database %> TO ROLE <% name %>_reader;
