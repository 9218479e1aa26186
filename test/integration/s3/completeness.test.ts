import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { openDestination } from '../../../src/destination/open.ts';
import { completenessContract } from '../../support/completeness-contract.ts';
import { needs } from '../../support/needs.ts';
import { hearingLog, s3Settings } from '../../support/settings.ts';

/** `status`, `verify` and the filling of gaps on the S3 server that the environment names. */
const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
/** Some stand-ins let anybody in, and keep no checksums. */
const trusting = process.env.S3_TEST_TRUSTING === '1';
const region = process.env.AWS_REGION ?? 'us-east-1';
const bucket = process.env.S3_TEST_BUCKET ?? `completeness-${randomBytes(4).toString('hex')}`;

describe(`what has landed in the S3 server at ${endpoint}`, function () {
  this.timeout(120_000);
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    if (process.env.S3_TEST_BUCKET !== undefined) return;
    const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
  });

  completenessContract(
    async () => {
      const prefix = `run/${randomBytes(6).toString('hex')}`;
      const s3 = s3Settings(endpoint, { credentials, region });
      const signal = new AbortController().signal;
      return {
        env: {
          DESTINATION: `s3://${bucket}/${prefix}`,
          AWS_ENDPOINT_URL_S3: endpoint,
          AWS_ACCESS_KEY_ID,
          AWS_SECRET_ACCESS_KEY,
          AWS_REGION: region,
        },
        destination: openDestination({ kind: 's3', bucket, prefix }, { s3, signal, log: hearingLog() }),
      };
    },
    { keepsChecksums: !trusting },
  );
});
