-- 2. The way from Snowflake to the bucket, without keys: Snowflake's own AWS user takes the role. Run as ACCOUNTADMIN.
--    snow sql -f 02_storage_integration.sql -D bucket=… -D prefix=amplitude -D role_arn=arn:aws:iam::…:role/…
--
-- Then read what AWS has to trust, and give both values to the stack in infra/aws (its second step):
--    snow sql -q "DESC INTEGRATION amplitude_s3"
--    STORAGE_AWS_IAM_USER_ARN   the principal of the role's trust policy
--    STORAGE_AWS_EXTERNAL_ID    its sts:ExternalId
-- Not OR REPLACE: a new integration has a new external id, and every stage would be refused until the role trusts that.

USE ROLE ACCOUNTADMIN;

-- Only what is read is allowed: what is in quarantine/ cannot be loaded by any stage of this integration.
CREATE STORAGE INTEGRATION IF NOT EXISTS amplitude_s3
TYPE = EXTERNAL_STAGE
STORAGE_PROVIDER = 'S3'
ENABLED = TRUE
STORAGE_AWS_ROLE_ARN = '<% role_arn %>'
STORAGE_ALLOWED_LOCATIONS = ('s3://<% bucket %>/<% prefix %>/events/', 's3://<% bucket %>/<% prefix %>/manifests/');

-- For the stages' owner alone. Who reads from a stage needs the stage, not the integration.
GRANT USAGE ON INTEGRATION amplitude_s3 TO ROLE amplitude_owner;
