-- 2. The way from Snowflake to the bucket, without keys: Snowflake's own AWS user assumes the role. Run as ACCOUNTADMIN.
--    snow sql -f 02_storage_integration.sql -D bucket=… -D prefix=amplitude -D role_arn=arn:aws:iam::…:role/…
--
-- Then read what AWS must trust, and give both values to the stack in infra/aws (step 3 there):
--    snow sql -q "DESC INTEGRATION amplitude_s3"
--    STORAGE_AWS_IAM_USER_ARN   the principal of the role's trust policy
--    STORAGE_AWS_EXTERNAL_ID    its sts:ExternalId
-- Not OR REPLACE: a new integration has a new external id, and no stage works until the role trusts it.

USE ROLE ACCOUNTADMIN;

-- Allows only what the load reads: no stage of this integration can load from quarantine/.
CREATE STORAGE INTEGRATION IF NOT EXISTS amplitude_s3
TYPE = EXTERNAL_STAGE
STORAGE_PROVIDER = 'S3'
ENABLED = TRUE
STORAGE_AWS_ROLE_ARN = '<% role_arn %>'
STORAGE_ALLOWED_LOCATIONS = ('s3://<% bucket %>/<% prefix %>/events/', 's3://<% bucket %>/<% prefix %>/manifests/');

-- Only for the owner of the stages. Reading from a stage needs the stage, not the integration.
GRANT USAGE ON INTEGRATION amplitude_s3 TO ROLE amplitude_owner;
