import { crc32 } from 'node:zlib';
import { CopyObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { type S3Server, startS3Server } from '../support/s3-server/server.ts';

const Bucket = 'bucket';
const BYTES = Buffer.from('{"event_type":"copied"}\n');

describe('copies in the S3 server of the tests', () => {
  let server: S3Server;
  let client: S3Client;

  beforeEach(async () => {
    server = await startS3Server();
    const credentials = { accessKeyId: 'testak', secretAccessKey: 'testsecret' };
    client = new S3Client({ endpoint: server.url, region: 'us-east-1', credentials, forcePathStyle: true });
  });
  afterEach(async () => {
    client.destroy();
    await server.close();
  });

  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket, Key, Body: BYTES }));
  const copy = (source: string, Key: string, more: object = {}) =>
    client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${source}`, ...more }));
  const refusal = (copying: Promise<unknown>) =>
    copying.then(
      () => 'copied',
      (error: Error) => error.name,
    );

  it('computes the CRC-32 that is asked for, and keeps it', async () => {
    await put('from');
    const { CopyObjectResult: result } = await copy('from', 'to', { ChecksumAlgorithm: 'CRC32' });
    const crc = Buffer.from(result?.ChecksumCRC32 ?? '', 'base64').readUInt32BE();
    expect(crc).to.equal(crc32(BYTES));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'to', ChecksumMode: 'ENABLED' }));
    expect(head).to.include({ ContentLength: BYTES.length, ChecksumCRC32: result?.ChecksumCRC32, ETag: result?.ETag });
    expect(server.requests.map(({ operation }) => operation)).to.include('CopyObject');
  });

  it('takes the name of the source URL-encoded and in no other way', async () => {
    const name = 'a b/#1 50% é+?.gz';
    await put(name);
    await copy(encodeURIComponent(name), 'to');
    expect(server.objects.get(`${Bucket}/to`)?.body.equals(BYTES)).to.equal(true);
    expect(await refusal(copy('a b/#1', 'other'))).to.equal('InvalidArgument');
    expect(await refusal(copy('50%', 'other'))).to.equal('InvalidArgument');
    expect(await refusal(copy('missing', 'other'))).to.equal('NoSuchKey');
  });

  it('refuses a source that has changed, a target that exists, and itself', async () => {
    await put('from');
    expect(await refusal(copy('from', 'to', { CopySourceIfMatch: '"other"' }))).to.equal('PreconditionFailed');
    expect(await refusal(copy('from', 'from'))).to.equal('InvalidRequest');
    await copy('from', 'to', { CopySourceIfMatch: server.objects.get(`${Bucket}/from`)?.etag });
    expect(await refusal(copy('from', 'to', { IfNoneMatch: '*' }))).to.equal('PreconditionFailed');
  });
});
