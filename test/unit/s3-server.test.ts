import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { type FaultName, type S3Server, type S3ServerOptions, startS3Server } from '../support/s3-server/server.ts';

const Bucket = 'events';

describe('the S3 server of the tests', () => {
  let server: S3Server;
  let client: S3Client;

  async function start(options: S3ServerOptions = {}, config: S3ClientConfig = {}): Promise<void> {
    server = await startS3Server({ buckets: [Bucket], minPartBytes: 1000, ...options });
    client = new S3Client({
      endpoint: server.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'testak', secretAccessKey: 'testsecret' },
      forcePathStyle: true,
      maxAttempts: 1,
      // Else the SDK warns on the console of every stream that it cannot send twice.
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      ...config,
    });
  }

  beforeEach(() => start());
  afterEach(async () => {
    client.destroy();
    await server.close();
  });

  const put = (Key: string, Body: string | Buffer | Readable, more: object = {}) =>
    client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
  const crcOf = (bytes: Buffer) => {
    const written = Buffer.alloc(4);
    written.writeUInt32BE(crc32(bytes));
    return written.toString('base64');
  };
  const pieces = (bytes: Buffer, size = 64 * 1024) =>
    Readable.from(
      (function* () {
        for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
      })(),
      { objectMode: false },
    );
  async function refusal(call: Promise<unknown>): Promise<{ name: string; status: number | undefined }> {
    try {
      await call;
    } catch (error) {
      if (!(error instanceof S3ServiceException)) throw error;
      return { name: error.name, status: error.$metadata.httpStatusCode };
    }
    throw new Error('the call was not refused');
  }

  describe('objects', () => {
    it('keeps bytes, type, metadata and checksum, and gives them back', async () => {
      const written = await put('a/b #1.json', 'hello', { ContentType: 'application/json', Metadata: { part: '7' } });
      expect(written.ETag).to.equal(`"${createHash('md5').update('hello').digest('hex')}"`);
      expect(written.ChecksumCRC32).to.equal(crcOf(Buffer.from('hello')));
      const read = await client.send(new GetObjectCommand({ Bucket, Key: 'a/b #1.json', ChecksumMode: 'ENABLED' }));
      expect(await read.Body?.transformToString()).to.equal('hello');
      expect(read).to.include({
        ContentType: 'application/json',
        ContentLength: 5,
        ChecksumCRC32: written.ChecksumCRC32,
      });
      expect(read.Metadata).to.deep.equal({ part: '7' });
      expect(server.objects.get('events/a/b #1.json')?.body.toString()).to.equal('hello');
    });

    it('answers HEAD, and deletes', async () => {
      await put('k', 'hello', { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:key' });
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
      expect(head).to.include({ ContentLength: 5, ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:key' });
      expect(head.ChecksumType).to.equal('FULL_OBJECT');
      await client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
      expect(await refusal(client.send(new HeadObjectCommand({ Bucket, Key: 'k' })))).to.include({ status: 404 });
      expect(await refusal(client.send(new GetObjectCommand({ Bucket, Key: 'k' })))).to.include({ name: 'NoSuchKey' });
    });

    it('answers a range', async () => {
      await put('k', '0123456789');
      const read = await client.send(new GetObjectCommand({ Bucket, Key: 'k', Range: 'bytes=2-4' }));
      expect(await read.Body?.transformToString()).to.equal('234');
      expect(read.ContentRange).to.equal('bytes 2-4/10');
    });

    it('takes a stream of known length and checksum, by 100-continue', async () => {
      const bytes = randomBytes(3_000_000);
      await put('big', pieces(bytes), { ContentLength: bytes.length, ChecksumCRC32: crcOf(bytes) });
      expect(server.objects.get('events/big')?.body.equals(bytes)).to.equal(true);
      expect(server.requests.at(-1)?.headers).to.include({ expect: '100-continue', 'content-length': '3000000' });
    });

    it('drops verified bodies where it is told to', async () => {
      await server.close();
      await start({ keepBodies: false });
      await put('k', 'hello');
      expect(server.objects.get('events/k')).to.include({ size: 5 });
      expect(server.objects.get('events/k')?.body).to.have.length(0);
      expect(await refusal(put('k', 'hello', { ChecksumCRC32: crcOf(Buffer.from('other')) }))).to.include({
        name: 'BadDigest',
      });
    });
  });

  describe('refusals', () => {
    it('stores nothing whose checksum differs', async () => {
      const bytes = randomBytes(3_000_000);
      const wrong = { ContentLength: bytes.length, ChecksumCRC32: crcOf(randomBytes(9)) };
      expect(await refusal(put('k', pieces(bytes), wrong))).to.deep.equal({ name: 'BadDigest', status: 400 });
      const md5 = createHash('md5').update('other').digest('base64');
      expect(await refusal(put('k', 'hello', { ContentMD5: md5 }))).to.include({ name: 'BadDigest' });
      expect(server.objects.size).to.equal(0);
    });

    it('stores nothing of a body that is shorter than announced', async () => {
      const bytes = randomBytes(200_000);
      let failed = false;
      const sent = put('k', pieces(bytes), { ContentLength: bytes.length + 1, ChecksumCRC32: crcOf(bytes) });
      // The client may not notice the missing byte by itself: it waits, as it would with S3.
      const timer = setTimeout(() => client.destroy(), 300);
      await sent.catch(() => {
        failed = true;
      });
      clearTimeout(timer);
      expect(failed).to.equal(true);
      expect(server.objects.size).to.equal(0);
    });

    it('requires a length', async () => {
      const answer = await raw('PUT', '/events/k', 'hello', {
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        'transfer-encoding': 'chunked',
      });
      expect(answer.body).to.include('<Code>MissingContentLength</Code>');
    });

    it('writes once where If-None-Match: * asks for it, and refuses before the body', async () => {
      await put('k', 'first', { IfNoneMatch: '*' });
      const bytes = randomBytes(3_000_000);
      const second = put('k', pieces(bytes), {
        ContentLength: bytes.length,
        ChecksumCRC32: crcOf(bytes),
        IfNoneMatch: '*',
      });
      expect(await refusal(second)).to.deep.equal({ name: 'PreconditionFailed', status: 412 });
      expect(server.objects.get('events/k')?.body.toString()).to.equal('first');
    });

    it('lets one of two racing writers win', async () => {
      const both = await Promise.allSettled(['one', 'two'].map((text) => put('k', text, { IfNoneMatch: '*' })));
      expect(both.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    });

    it('knows its buckets, its key, its region and the time', async () => {
      expect(await refusal(client.send(new ListObjectsV2Command({ Bucket: 'other' })))).to.deep.equal({
        name: 'NoSuchBucket',
        status: 404,
      });
      client.destroy();
      await server.close();
      await start({}, { credentials: { accessKeyId: 'stranger', secretAccessKey: 'x' } });
      expect(await refusal(put('k', 'hello'))).to.deep.equal({ name: 'InvalidAccessKeyId', status: 403 });
      client.destroy();
      await server.close();
      await start({ region: 'eu-central-1' });
      expect(await refusal(put('k', 'hello'))).to.deep.equal({ name: 'PermanentRedirect', status: 301 });
      client.destroy();
      await server.close();
      await start({ region: 'eu-central-1' }, { followRegionRedirects: true });
      await put('k', 'hello');
      client.destroy();
      await server.close();
      await start({}, { systemClockOffset: 3_600_000 });
      expect(await refusal(put('k', 'hello'))).to.deep.equal({ name: 'RequestTimeTooSkewed', status: 403 });
    });

    it('wants a KMS key to come with encryption by KMS', async () => {
      expect(await refusal(put('k', 'hello', { SSEKMSKeyId: 'arn:aws:kms:key' }))).to.include({
        name: 'InvalidArgument',
      });
    });
  });

  describe('lists', () => {
    const keysOf = async (input: object) =>
      (await client.send(new ListObjectsV2Command({ Bucket, ...input }))).Contents?.map(({ Key }) => Key) ?? [];

    it('pages by prefix, start-after and continuation token, in the order of UTF-8', async () => {
      for (const key of ['p/\u{1F600}', 'p/\uFF5E', 'p/b', 'p/a', 'q/a']) await put(key, 'x');
      expect(await keysOf({ Prefix: 'p/' })).to.deep.equal(['p/a', 'p/b', 'p/\uFF5E', 'p/\u{1F600}']);
      expect(await keysOf({ Prefix: 'p/', StartAfter: 'p/a', MaxKeys: 1 })).to.deep.equal(['p/b']);
      const first = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2 }));
      expect(first).to.include({ IsTruncated: true, KeyCount: 2 });
      const ContinuationToken = first.NextContinuationToken;
      expect(await keysOf({ ContinuationToken })).to.deep.equal(['p/\uFF5E', 'p/\u{1F600}', 'q/a']);
      const { Contents: [one] = [] } = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }));
      expect(one).to.include({ Size: 1, StorageClass: 'STANDARD' });
      expect(one?.LastModified).to.be.instanceOf(Date);
    });

    it('encodes keys where it is asked to', async () => {
      await put('date=1/a b#0&.json', 'x');
      expect(await keysOf({})).to.deep.equal(['date=1/a b#0&.json']);
      expect(await keysOf({ EncodingType: 'url' })).to.deep.equal(['date%3D1/a+b%230%26.json']);
    });

    it('groups by a delimiter', async () => {
      for (const key of ['p/1/a', 'p/1/b', 'p/2/a', 'p/x']) await put(key, 'x');
      const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'p/', Delimiter: '/', MaxKeys: 2 }));
      expect(listed.CommonPrefixes?.map(({ Prefix }) => Prefix)).to.deep.equal(['p/1/', 'p/2/']);
      const ContinuationToken = listed.NextContinuationToken;
      expect(await keysOf({ Prefix: 'p/', Delimiter: '/', ContinuationToken })).to.deep.equal(['p/x']);
    });

    it('is empty where nothing is, and finds its bucket', async () => {
      expect(await keysOf({ Prefix: 'none/' })).to.deep.equal([]);
      await client.send(new HeadBucketCommand({ Bucket }));
    });

    it('deletes many, and names those that it must keep', async () => {
      for (const key of ['a', 'b', 'c&d']) await put(key, 'x');
      server.faults.push({ operation: 'DeleteObjects', key: /^b$/, fault: 'access-denied' });
      const Objects = ['a', 'b', 'c&d', 'never there'].map((Key) => ({ Key }));
      const { Errors, Deleted } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      expect(Errors).to.deep.equal([{ Key: 'b', Code: 'AccessDenied', Message: 'Access Denied' }]);
      expect(Deleted).to.have.length(3);
      expect([...server.objects.keys()]).to.deep.equal(['events/b']);
    });
  });

  describe('multipart uploads', () => {
    const parts = [randomBytes(1500), randomBytes(1500), randomBytes(10)];
    const whole = Buffer.concat(parts);

    async function upload(
      bodies: Buffer[] = parts,
    ): Promise<{ UploadId: string; Parts: { PartNumber: number; ETag: string }[] }> {
      const input = { Bucket, Key: 'k', ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
      const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand(input));
      const Parts = await Promise.all(
        bodies.map(async (bytes, i) => {
          const part = { Bucket, Key: 'k', UploadId, PartNumber: i + 1, Body: bytes };
          const { ETag = '' } = await client.send(new UploadPartCommand(part));
          return { PartNumber: i + 1, ETag };
        }),
      );
      return { UploadId, Parts };
    }
    const complete = (UploadId: string, Parts: object[], more: object = {}) =>
      client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload: { Parts }, ...more }),
      );

    it('joins parts and verifies the checksum of the whole', async () => {
      const { UploadId, Parts } = await upload();
      const full = { ChecksumType: 'FULL_OBJECT', ChecksumCRC32: crcOf(whole), MpuObjectSize: whole.length };
      const done = await complete(UploadId, Parts, full);
      expect(done).to.include({ ChecksumCRC32: crcOf(whole), ChecksumType: 'FULL_OBJECT' });
      expect(done.ETag).to.match(/^"[0-9a-f]{32}-3"$/);
      expect(server.objects.get('events/k')?.body.equals(whole)).to.equal(true);
      expect(server.uploads.size).to.equal(0);
    });

    it('refuses a wrong whole, a wrong order, an unknown part and small parts', async () => {
      const { UploadId, Parts } = await upload();
      const wrong = { ChecksumType: 'FULL_OBJECT', ChecksumCRC32: crcOf(parts[0] ?? whole) };
      expect(await refusal(complete(UploadId, Parts, wrong))).to.deep.equal({ name: 'BadDigest', status: 400 });
      expect(await refusal(complete(UploadId, Parts.toReversed()))).to.include({ name: 'InvalidPartOrder' });
      expect(await refusal(complete(UploadId, [{ PartNumber: 9, ETag: 'x' }]))).to.include({ name: 'InvalidPart' });
      const small = await upload([randomBytes(10), randomBytes(10)]);
      expect(await refusal(complete(small.UploadId, small.Parts))).to.include({ name: 'EntityTooSmall' });
      await put('k', 'there');
      expect(await refusal(complete(UploadId, Parts, { IfNoneMatch: '*' }))).to.include({ status: 412 });
    });

    it('aborts what is open', async () => {
      const { UploadId } = await upload();
      expect([...server.uploads.keys()]).to.deep.equal([UploadId]);
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key: 'k', UploadId }));
      expect(server.uploads.size).to.equal(0);
      expect(await refusal(complete(UploadId, []))).to.include({ name: 'NoSuchUpload', status: 404 });
    });
  });

  describe('faults', () => {
    const answers: Partial<Record<FaultName, [string, number]>> = {
      'access-denied': ['AccessDenied', 403],
      'no-such-bucket': ['NoSuchBucket', 404],
      'clock-skew': ['RequestTimeTooSkewed', 403],
      'wrong-region': ['PermanentRedirect', 301],
      'bad-digest': ['BadDigest', 400],
      'slow-down': ['SlowDown', 503],
      'internal-error': ['InternalError', 500],
      'kms-access-denied': ['AccessDenied', 403],
      'not-implemented': ['NotImplemented', 501],
      conflict: ['ConditionalRequestConflict', 409],
      signature: ['SignatureDoesNotMatch', 403],
      'expired-token': ['ExpiredToken', 400],
    };
    for (const [fault, [name, status]] of Object.entries(answers)) {
      it(`${fault}: ${status} ${name}, as often as said, on the key that is meant`, async () => {
        server.faults.push({ operation: 'PutObject', key: /^bad/, times: 1, fault: fault as FaultName });
        await put('good', 'hello');
        expect(await refusal(put('bad', 'hello'))).to.deep.equal({ name, status });
        await put('bad', 'hello');
        expect(server.requests.map((request) => request.status)).to.deep.equal([200, status, 200]);
      });
    }

    it('refuses before the body where the client waits to be asked for it', async () => {
      server.faults.push({ fault: 'access-denied' });
      const bytes = randomBytes(3_000_000);
      const body = pieces(bytes);
      expect(await refusal(put('k', body, { ContentLength: bytes.length, ChecksumCRC32: crcOf(bytes) }))).to.include({
        name: 'AccessDenied',
      });
      expect(body.readableDidRead).to.equal(false);
    });

    it('reset: the connection breaks half way, writing and reading', async () => {
      const bytes = randomBytes(3_000_000);
      await put('k', bytes);
      server.faults.push({ fault: 'reset' });
      const again = put('k', pieces(bytes), { ContentLength: bytes.length, ChecksumCRC32: crcOf(bytes) });
      expect(await failure(again)).to.match(/ECONNRESET|EPIPE/);
      const read = await client.send(new GetObjectCommand({ Bucket, Key: 'k' }));
      expect(await failure(buffer(read.Body as Readable))).to.equal('ECONNRESET');
      expect(await failure(client.send(new ListObjectsV2Command({ Bucket })))).to.equal('ECONNRESET');
    });

    it('stall: no answer comes, and the server can still be closed', async () => {
      server.faults.push({ fault: 'stall' });
      const bytes = randomBytes(20_000_000);
      const stalled = failure(put('k', pieces(bytes), { ContentLength: bytes.length, ChecksumCRC32: crcOf(bytes) }));
      const list = failure(client.send(new ListObjectsV2Command({ Bucket })));
      const first = await Promise.race([stalled, list, new Promise((resolve) => setTimeout(resolve, 200, 'nothing'))]);
      expect(first).to.equal('nothing');
      await server.close();
      expect(await stalled).to.match(/ECONNRESET|EPIPE/);
      expect(await list).to.equal('ECONNRESET');
      expect(server.objects.size).to.equal(0);
    });
  });

  async function failure(call: Promise<unknown>): Promise<string> {
    const error: unknown = await call.then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    );
    return (error as { code?: string }).code ?? String(error);
  }

  /** A request with a signature of the right form, for bodies that the SDK would not send. */
  function raw(method: string, path: string, body: string, headers: Record<string, string>) {
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `testak/${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`;
    return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const request = httpRequest(`${server.url}${path}`, {
        method,
        headers: { authorization, 'x-amz-date': date, ...headers },
      });
      request.on('error', reject);
      request.on('response', async (response) => {
        resolve({ status: response.statusCode, body: (await buffer(response)).toString() });
      });
      request.end(body);
    });
  }
});
