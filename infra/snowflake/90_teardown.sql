-- Everything gone, but for the bucket. The load's flow must be off. Run as ACCOUNTADMIN.
--    snow sql -f 90_teardown.sql -D database=… -D schema=AMPLITUDE -D warehouse=AMPLITUDE_LOAD
-- The database stays: it may hold more than this schema.

USE ROLE ACCOUNTADMIN;

-- The way in and the way to the bucket first: whatever fails below, nothing reads or writes any more.
DROP USER IF EXISTS amplitude_kestra;
DROP INTEGRATION IF EXISTS amplitude_s3;
DROP SCHEMA IF EXISTS <% database %>.<% schema %>;
DROP WAREHOUSE IF EXISTS <% warehouse %>;
DROP ROLE IF EXISTS amplitude_reader;
DROP ROLE IF EXISTS amplitude_loader;
DROP ROLE IF EXISTS amplitude_owner;
