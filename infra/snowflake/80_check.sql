-- Shows where integration and stages differ from the values given: no row is right. Changes nothing. Run it before you run 02 and
-- 03 again with other values, and after that.
--    snow sql --enable-templating STANDARD -f 80_check.sql -D name=amplitude -D database=… -D bucket=… -D prefix=amplitude \
--      -D role_arn=arn:aws:iam::…:role/… -D external_id=…

USE ROLE ACCOUNTADMIN;
USE WAREHOUSE <% name %>_load;

DESC INTEGRATION <% name %>_s3;
SELECT
    'integration' AS of_what,
    "property" AS property,
    "property_value" AS is_value,
    CASE "property"
        WHEN 'ENABLED' THEN 'true'
        WHEN 'STORAGE_AWS_ROLE_ARN' THEN '<% role_arn %>'
        WHEN 'STORAGE_AWS_EXTERNAL_ID' THEN '<% external_id %>'
        WHEN 'STORAGE_ALLOWED_LOCATIONS' THEN 's3://<% bucket %>/<% prefix %>/events/,s3://<% bucket %>/<% prefix %>/manifests/'
    END AS should_be
FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))
WHERE should_be IS NOT NULL AND should_be IS DISTINCT FROM is_value;

SHOW STAGES IN SCHEMA <% database %>.<% name %>;
SELECT
    "name" AS of_what,
    "url" AS is_value,
    's3://<% bucket %>/<% prefix %>/' || REPLACE(LOWER("name"), '_stage', '/') AS should_be,
    "storage_integration" AS is_integration,
    UPPER('<% name %>_s3') AS should_be_integration
FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))
WHERE is_value IS DISTINCT FROM should_be OR is_integration IS DISTINCT FROM should_be_integration;

-- "status" : "success" means that Snowflake assumes the role and lists the folder.
SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION(
    UPPER('<% name %>_s3'), 's3://<% bucket %>/<% prefix %>/manifests/', 'none', 'list'
) AS answer;
