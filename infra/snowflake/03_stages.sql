-- 3. The schema, the file formats and the stages.
--    snow sql -f 03_stages.sql -D name=amplitude -D database=… -D bucket=… -D prefix=amplitude

USE ROLE <% name %>_owner;
CREATE SCHEMA IF NOT EXISTS <% database %>.<% name %>;
USE SCHEMA <% database %>.<% name %>;

-- Reads a whole line as one text. So a line that is no JSON becomes one reject; a JSON format would give up the whole file.
-- No delimiter, quote, escape or null text: each would change lines. AUTO knows gzip by the name, so both values of
-- OUTPUT_FORMAT load.
CREATE FILE FORMAT IF NOT EXISTS lines
    TYPE = CSV
    FIELD_DELIMITER = NONE
    RECORD_DELIMITER = '\n'
    SKIP_BLANK_LINES = TRUE
    ESCAPE_UNENCLOSED_FIELD = NONE
    NULL_IF = ()
    -- A byte that is no UTF-8 would abort the load of its batch. It becomes U+FFFD here and stays in the object.
    REPLACE_INVALID_CHARACTERS = TRUE
    COMPRESSION = AUTO;

CREATE FILE FORMAT IF NOT EXISTS manifest_json TYPE = JSON;

-- Two stages, so that none covers quarantine/.
CREATE STAGE IF NOT EXISTS events_stage
    URL = 's3://<% bucket %>/<% prefix %>/events/'
    STORAGE_INTEGRATION = <% name %>_s3;
ALTER STAGE events_stage SET
    URL = 's3://<% bucket %>/<% prefix %>/events/'
    STORAGE_INTEGRATION = <% name %>_s3;

CREATE STAGE IF NOT EXISTS manifests_stage
    URL = 's3://<% bucket %>/<% prefix %>/manifests/'
    STORAGE_INTEGRATION = <% name %>_s3;
ALTER STAGE manifests_stage SET
    URL = 's3://<% bucket %>/<% prefix %>/manifests/'
    STORAGE_INTEGRATION = <% name %>_s3;
