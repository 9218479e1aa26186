-- Removes everything except the bucket, the database and the schema that dbt made. Turn the flow of the load off first.
-- Run as ACCOUNTADMIN.
--    snow sql -f 90_teardown.sql -D name=amplitude -D database=…
-- The database stays, because it may hold more than this schema.

USE ROLE ACCOUNTADMIN;

-- First the login and the way to the bucket. If a later statement fails, nothing reads or writes any more.
DROP USER IF EXISTS <% name %>_kestra;
DROP INTEGRATION IF EXISTS <% name %>_s3;
DROP SCHEMA IF EXISTS <% database %>.<% name %>;
DROP WAREHOUSE IF EXISTS <% name %>_load;
DROP RESOURCE MONITOR IF EXISTS <% name %>_budget;
DROP ROLE IF EXISTS <% name %>_dbt;
DROP ROLE IF EXISTS <% name %>_reader;
DROP ROLE IF EXISTS <% name %>_loader;
DROP ROLE IF EXISTS <% name %>_owner;
