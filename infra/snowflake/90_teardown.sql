-- Removes everything except the bucket and the database. Turn the flow of the load off first. Run as ACCOUNTADMIN.
--    snow sql -f 90_teardown.sql -D database=… -D schema=AMPLITUDE -D warehouse=AMPLITUDE_LOAD
-- The database stays, because it may hold more than this schema.

USE ROLE ACCOUNTADMIN;

-- First the login and the way to the bucket. If a later statement fails, nothing reads or writes any more.
DROP USER IF EXISTS amplitude_kestra;
DROP INTEGRATION IF EXISTS amplitude_s3;
DROP SCHEMA IF EXISTS <% database %>.<% schema %>;
DROP WAREHOUSE IF EXISTS <% warehouse %>;
DROP ROLE IF EXISTS amplitude_reader;
DROP ROLE IF EXISTS amplitude_loader;
DROP ROLE IF EXISTS amplitude_owner;
