import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { contentOf, Miscounted } from '../../../src/destination/destination.ts';
import { openDestination } from '../../../src/destination/open.ts';
import { destinationContract, failure } from '../../support/destination-contract.ts';
import { needs } from '../../support/needs.ts';
import { hearingLog, s3Settings } from '../../support/settings.ts';

/** The contract suite against the S3 server that the environment names, in a bucket of its own. */
const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
const bucket = process.env.S3_TEST_BUCKET ?? `contract-${randomBytes(4).toString('hex')}`;
/** Some stand-ins believe whatever checksum they are told. */
const trusting = process.env.S3_TEST_TRUSTING === '1';
const kmsKeyId = process.env.S3_TEST_KMS_KEY_ID || undefined;
/** S3's own least size of a part. */
const MULTIPART = { aboveBytes: 6 * 2 ** 20, partBytes: 5 * 2 ** 20 };

describe(`destination: the S3 server at ${endpoint}`, function () {
  this.timeout(120_000);
  const s3 = s3Settings(endpoint, { credentials, region: process.env.AWS_REGION ?? 'us-east-1' });

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    if (process.env.S3_TEST_BUCKET !== undefined) return;
    const client = new S3Client({ endpoint, region: s3.region ?? '', credentials, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
  });

  const open = (signal: AbortSignal, multipart?: typeof MULTIPART) => {
    const prefix = `run/${randomBytes(6).toString('hex')}`;
    const log = hearingLog();
    return openDestination({ kind: 's3', bucket, prefix }, { s3, signal, log, ...(multipart ? { multipart } : {}) });
  };
  destinationContract(async (signal) => open(signal), { keepsChecksums: !trusting });

  describe('told no checksums', () => {
    before(() => {
      process.env.AWS_REQUEST_CHECKSUM_CALCULATION = 'when_required';
    });
    after(() => {
      delete process.env.AWS_REQUEST_CHECKSUM_CALCULATION;
    });
    // Without a checksum versitygw keeps what came of an upload that broke off. No manifest names it.
    destinationContract(async (signal) => open(signal), { keepsChecksums: false, dropsHalves: false });

    it('proves parts by their ETags', async () => {
      const destination = open(new AbortController().signal, MULTIPART);
      const bytes = randomBytes(16 * 2 ** 20);
      await destination.put('events/parts.json', contentOf(bytes));
      expect((await destination.read('events/parts.json'))?.equals(bytes)).to.equal(true);
      const wrong = { ...contentOf(bytes), crc32: 7 };
      expect(await failure(destination.put('events/wrong.json', wrong))).to.be.instanceOf(Miscounted);
      expect(await destination.read('events/wrong.json')).to.equal(undefined);
    });
  });

  it('uploads in parts above the threshold, checked as a whole', async () => {
    const destination = open(new AbortController().signal, MULTIPART);
    const bytes = randomBytes(16 * 2 ** 20);
    await destination.put('events/parts.json', contentOf(bytes));
    expect((await destination.read('events/parts.json'))?.equals(bytes)).to.equal(true);
    if (trusting) return;
    const wrong = { ...contentOf(bytes), crc32: 7, count: async () => ({ bytes: bytes.length, crc32: 7 }) };
    expect(await failure(destination.put('events/wrong.json', wrong))).to.include({ code: 'BAD_DIGEST' });
    expect(await destination.read('events/wrong.json')).to.equal(undefined);
  });

  (trusting ? it.skip : it)('refuses bytes that do not match the CRC-32', async () => {
    const destination = open(new AbortController().signal);
    const content = contentOf(Buffer.from('{"a":1}\n'));
    const wrong = { ...content, crc32: 7, count: async () => ({ bytes: 8, crc32: 7 }) };
    expect(await failure(destination.put('events/wrong.json', wrong))).to.include({ code: 'BAD_DIGEST' });
    expect(await destination.read('events/wrong.json')).to.equal(undefined);
  });

  (kmsKeyId === undefined ? it.skip : it)('encrypts with the KMS key that is set', async () => {
    const signal = new AbortController().signal;
    const prefix = `run/${randomBytes(6).toString('hex')}`;
    const settings = { ...s3, kmsKeyId };
    const destination = openDestination({ kind: 's3', bucket, prefix }, { s3: settings, signal, log: hearingLog() });
    await destination.put('events/a.json', contentOf(Buffer.from('{}\n')));
    const client = new S3Client({
      endpoint,
      region: s3.region ?? '',
      credentials,
      forcePathStyle: true,
    });
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: `${prefix}/events/a.json` }));
    expect(head).to.include({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId });
    client.destroy();
  });

  it('names a bucket that does not exist', async () => {
    const log = hearingLog();
    const signal = new AbortController().signal;
    const missing = openDestination({ kind: 's3', bucket: `${bucket}-missing`, prefix: '' }, { s3, signal, log });
    expect(await failure(Array.fromAsync(missing.list('')))).to.include({ code: 'BUCKET_MISSING' });
    expect(await failure(missing.put('a', contentOf(Buffer.from('x'))))).to.include({ code: 'BUCKET_MISSING' });
  });
});
