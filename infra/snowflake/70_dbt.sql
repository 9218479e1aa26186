-- For the tables of dbt, if you build them in Snowflake: a role that reads what the load has loaded, and writes a schema of its own.
-- Run as ACCOUNTADMIN. Then give the role to whoever runs dbt. The flow amplitude_transform runs it as amplitude_kestra.
--    snow sql -f 70_dbt.sql -D name=amplitude -D database=…

USE ROLE ACCOUNTADMIN;

CREATE ROLE IF NOT EXISTS <% name %>_dbt;
GRANT ROLE <% name %>_dbt TO ROLE SYSADMIN;
GRANT ROLE <% name %>_dbt TO USER <% name %>_kestra;

-- dbt uses the warehouse of the load, and its budget.
GRANT USAGE ON WAREHOUSE <% name %>_load TO ROLE <% name %>_dbt;
GRANT USAGE, CREATE SCHEMA ON DATABASE <% database %> TO ROLE <% name %>_dbt;
GRANT USAGE ON SCHEMA <% database %>.<% name %> TO ROLE <% name %>_dbt;
GRANT SELECT ON TABLE <% database %>.<% name %>.loads TO ROLE <% name %>_dbt;
GRANT SELECT ON TABLE <% database %>.<% name %>.events TO ROLE <% name %>_dbt;
GRANT SELECT ON TABLE <% database %>.<% name %>.landing TO ROLE <% name %>_dbt;
