-- 2. The way from Snowflake to the bucket, without keys: Snowflake's own AWS user assumes the role. Run as ACCOUNTADMIN.
--    snow sql -f 02_storage_integration.sql -D name=amplitude -D bucket=… -D prefix=amplitude \
--      -D role_arn=arn:aws:iam::…:role/… -D external_id=…
-- The role need not exist yet. You choose its name and the external id, so the stack in infra/aws needs one value from here:
--    snow sql -q "DESC INTEGRATION amplitude_s3"     STORAGE_AWS_IAM_USER_ARN
-- Not OR REPLACE: it would cut the stages off from the integration.

-- The linter does not know STORAGE_AWS_EXTERNAL_ID.
-- noqa: disable=PRS

USE ROLE ACCOUNTADMIN;

-- Allows only what the load reads: no stage of this integration can load from quarantine/.
CREATE STORAGE INTEGRATION IF NOT EXISTS <% name %>_s3
TYPE = EXTERNAL_STAGE
STORAGE_PROVIDER = 'S3'
ENABLED = TRUE
STORAGE_AWS_ROLE_ARN = '<% role_arn %>'
STORAGE_AWS_EXTERNAL_ID = '<% external_id %>'
STORAGE_ALLOWED_LOCATIONS = ('s3://<% bucket %>/<% prefix %>/events/', 's3://<% bucket %>/<% prefix %>/manifests/');

ALTER STORAGE INTEGRATION <% name %>_s3 SET
STORAGE_AWS_ROLE_ARN = '<% role_arn %>'
STORAGE_AWS_EXTERNAL_ID = '<% external_id %>'
STORAGE_ALLOWED_LOCATIONS = ('s3://<% bucket %>/<% prefix %>/events/', 's3://<% bucket %>/<% prefix %>/manifests/');

-- The owner makes the stages. LIST and COPY need the integration as well as the stage.
GRANT USAGE ON INTEGRATION <% name %>_s3 TO ROLE <% name %>_owner;
GRANT USAGE ON INTEGRATION <% name %>_s3 TO ROLE <% name %>_loader;
