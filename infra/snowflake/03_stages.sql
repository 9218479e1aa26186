-- 3. The schema, the file formats and the stages.
--    snow sql -f 03_stages.sql -D database=… -D schema=AMPLITUDE -D bucket=… -D prefix=amplitude

USE ROLE amplitude_owner;
CREATE SCHEMA IF NOT EXISTS <% database %>.<% schema %>;
USE SCHEMA <% database %>.<% schema %>;

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
    -- A byte that is no UTF-8 would abort the load of its hour. It becomes U+FFFD here and stays in the object.
    REPLACE_INVALID_CHARACTERS = TRUE
    COMPRESSION = AUTO;

CREATE FILE FORMAT IF NOT EXISTS manifest_json TYPE = JSON;

-- Two stages, so that none covers quarantine/. For another bucket or prefix: ALTER STAGE … SET URL.
CREATE STAGE IF NOT EXISTS events_stage
    URL = 's3://<% bucket %>/<% prefix %>/events/'
    STORAGE_INTEGRATION = amplitude_s3;

CREATE STAGE IF NOT EXISTS manifests_stage
    URL = 's3://<% bucket %>/<% prefix %>/manifests/'
    STORAGE_INTEGRATION = amplitude_s3;
