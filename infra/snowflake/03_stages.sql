-- 3. The schema, how files are read, and where they are.
--    snow sql -f 03_stages.sql -D database=… -D schema=AMPLITUDE -D bucket=… -D prefix=amplitude

USE ROLE amplitude_owner;
CREATE SCHEMA IF NOT EXISTS <% database %>.<% schema %>;
USE SCHEMA <% database %>.<% schema %>;

-- A whole line as one text, so that a line which is no JSON is one row among the rejects; a JSON format would give up the
-- file with it. Nothing may take a character of the line for its own: no delimiter, no quote, no escape, no null text.
-- AUTO takes gzip by the name, so both values of OUTPUT_FORMAT load.
CREATE FILE FORMAT IF NOT EXISTS lines
    TYPE = CSV
    FIELD_DELIMITER = NONE
    RECORD_DELIMITER = '\n'
    SKIP_BLANK_LINES = TRUE
    ESCAPE_UNENCLOSED_FIELD = NONE
    NULL_IF = ()
    -- A byte that is no UTF-8 would abort the load of its hour. The object keeps it, here it becomes U+FFFD.
    REPLACE_INVALID_CHARACTERS = TRUE
    COMPRESSION = AUTO;

CREATE FILE FORMAT IF NOT EXISTS manifest_json TYPE = JSON;

-- Two stages, neither above quarantine/. Another bucket or prefix: ALTER STAGE … SET URL, and run this page again.
CREATE STAGE IF NOT EXISTS events_stage
    URL = 's3://<% bucket %>/<% prefix %>/events/'
    STORAGE_INTEGRATION = amplitude_s3;

CREATE STAGE IF NOT EXISTS manifests_stage
    URL = 's3://<% bucket %>/<% prefix %>/manifests/'
    STORAGE_INTEGRATION = amplitude_s3;
