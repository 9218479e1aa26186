-- 1. Roles, the loading user, the warehouse and the database. Run as a user with USERADMIN and SYSADMIN.
--    snow sql -f 01_roles.sql -D database=ANALYTICS -D warehouse=AMPLITUDE_LOAD -D public_key="$(…)"

USE ROLE USERADMIN;

-- Owns the objects. Nothing else runs as it, so the hourly load can neither drop nor redirect anything.
CREATE ROLE IF NOT EXISTS amplitude_owner;
-- For the load: reads the stages, writes rows.
CREATE ROLE IF NOT EXISTS amplitude_loader;
-- For analysts: reads the typed events and the reconciliation.
CREATE ROLE IF NOT EXISTS amplitude_reader;

-- Without this, nobody could administer what these roles own.
GRANT ROLE amplitude_owner TO ROLE SYSADMIN;
GRANT ROLE amplitude_loader TO ROLE SYSADMIN;
GRANT ROLE amplitude_reader TO ROLE SYSADMIN;

-- TYPE = SERVICE has no password and no browser login: a key pair is the only way in.
CREATE USER IF NOT EXISTS amplitude_kestra
    TYPE = SERVICE
    DEFAULT_ROLE = amplitude_loader
    RSA_PUBLIC_KEY = '<% public_key %>';
GRANT ROLE amplitude_loader TO USER amplitude_kestra;

USE ROLE SYSADMIN;

-- Billed by the second after the first minute. It sleeps soon after an hourly run.
CREATE WAREHOUSE IF NOT EXISTS <% warehouse %>
WAREHOUSE_SIZE = XSMALL
AUTO_SUSPEND = 60
AUTO_RESUME = TRUE
INITIALLY_SUSPENDED = TRUE
STATEMENT_TIMEOUT_IN_SECONDS = 3600;
GRANT USAGE ON WAREHOUSE <% warehouse %> TO ROLE amplitude_owner;
GRANT USAGE ON WAREHOUSE <% warehouse %> TO ROLE amplitude_loader;

-- An existing database works too: the project uses one schema in it.
CREATE DATABASE IF NOT EXISTS <% database %>;
GRANT USAGE, CREATE SCHEMA ON DATABASE <% database %> TO ROLE amplitude_owner;
GRANT USAGE ON DATABASE <% database %> TO ROLE amplitude_loader;
GRANT USAGE ON DATABASE <% database %> TO ROLE amplitude_reader;
