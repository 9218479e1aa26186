import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import type { S3Settings } from '../../src/config/settings.ts';
import { type Content, contentOf, type Destination } from '../../src/destination/destination.ts';
import type { JobError } from '../../src/errors.ts';
import { gzipMember } from '../../src/simulator/gzip.ts';
import { write } from '../support/archive/fixtures.ts';
import { failure } from '../support/destination-contract.ts';
import { openBucket } from '../support/destinations.ts';
import { runProgram } from '../support/program.ts';
import { type S3Server, startS3Server } from '../support/s3-server/server.ts';

const KEY = 'events/a.json';
const STORED = 'bucket/some/prefix/events/a.json';
const EARLY = ['early-etag', 'early-html'] as const;

describe('a success that S3 did not give', () => {
  let server: S3Server;
  beforeEach(async () => {
    server = await startS3Server({ minPartBytes: 1000 });
  });
  afterEach(() => server.close());

  const open = (
    multipart?: { aboveBytes: number; partBytes: number },
    settings: Partial<S3Settings> = {},
  ): Destination => openBucket(server, settings, { prefix: 'some/prefix', ...(multipart ? { multipart } : {}) });
  const asked = (operation: string) => server.requests.filter((request) => request.operation === operation).length;

  /** More than the system buffers of a request that nobody reads. */
  const large = Buffer.alloc(20_000_000, '{"a":1}\n');

  /** Content that knows whether it is being read. Its end takes a while, as with a member of an archive. */
  function watched(bytes: Buffer): { content: Content; seen: { opened: number; open: number } } {
    const seen = { opened: 0, open: 0 };
    async function* chunks() {
      seen.opened++;
      seen.open++;
      try {
        for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
      } finally {
        await pause(20);
        seen.open--;
      }
    }
    return { content: { ...contentOf(bytes), open: chunks }, seen };
  }

  async function expectNotS3(work: Promise<unknown>, why = ''): Promise<void> {
    const error = (await failure(work)) as JobError;
    expect(error, error.stack).to.include({ name: 'JobError', code: 'NOT_S3' });
    expect(error.message).to.include("the answer is not S3's").and.include(why).and.include(server.url);
    expect(error.hint).to.include('AWS_ENDPOINT_URL_S3');
  }

  for (const fault of EARLY) {
    it(`${fault}: an upload counts only once its body was sent`, async () => {
      server.faults.push({ fault, operation: 'PutObject', times: 1 });
      const { content, seen } = watched(large);
      await open().put(KEY, content);
      expect(seen).to.deep.equal({ opened: 2, open: 0 });
      expect(server.objects.get(STORED)?.body.equals(large)).to.equal(true);
    });

    it(`${fault}: an upload that never counts fails and closes its content`, async () => {
      server.faults.push({ fault, operation: 'PutObject' });
      const { content, seen } = watched(large);
      const put = open().put(KEY, content);
      await expectNotS3(
        put.finally(() => expect(seen.open).to.equal(0)),
        '3 attempts',
      );
      expect(seen.opened).to.equal(3);
    });
  }

  it('closes the content when the upload is refused or aborted on its way', async () => {
    const stopper = new AbortController();
    const { content, seen } = watched(large);
    server.faults.push({ fault: 'reset', operation: 'PutObject' });
    await failure(open().put(KEY, content));
    expect(seen).to.deep.equal({ opened: 3, open: 0 });
    server.faults.splice(0, 1, { fault: 'stall' });
    const put = failure(openBucket(server, {}, { signal: stopper.signal }).put(KEY, content));
    await pause(200);
    expect(seen.open).to.equal(1);
    stopper.abort(new Error('stop'));
    expect(await put).to.have.property('message', 'stop');
    expect(seen.open).to.equal(0);
  });

  it('an upload that is confirmed without a checksum counts only where the object is there', async () => {
    server.faults.push({ fault: 'etag', operation: 'PutObject', times: 1 });
    await open().put(KEY, small);
    expect(String(server.objects.get(STORED)?.body)).to.equal('{"a":1}\n');
    server.faults.push({ fault: 'etag', operation: 'PutObject' });
    await expectNotS3(open().put('events/b.json', small), 'does not exist');
  });

  it('many pages in place of objects use up no connections', async () => {
    server.faults.push({ fault: 'html', operation: 'GetObject', times: 400 });
    const destination = open();
    const reads = Array.from({ length: 100 }, (_, n) => destination.read(`there/${n}.json`).catch(() => undefined));
    await Promise.all(reads);
    server.faults.length = 0;
    await destination.put('there/a.json', small);
    expect(String(await destination.read('there/a.json'))).to.equal('{"a":1}\n');
  });

  const small = contentOf(Buffer.from('{"a":1}\n'));
  const parts = { aboveBytes: 1000, partBytes: 1000 };
  const inParts = contentOf(Buffer.alloc(2500, '{"a":1}\n'));
  const html: Record<string, { why: string; ask: () => Promise<unknown>; right: unknown }> = {
    PutObject: { why: 'no ETag', ask: () => open().put(KEY, small), right: undefined },
    CreateMultipartUpload: { why: 'no UploadId', ask: () => open(parts).put(KEY, inParts), right: undefined },
    UploadPart: { why: 'no ETag', ask: () => open(parts).put(KEY, inParts), right: undefined },
    CompleteMultipartUpload: { why: 'no ETag', ask: () => open(parts).put(KEY, inParts), right: undefined },
    ListObjectsV2: {
      why: 'not a ListBucketResult',
      ask: async () => (await Array.fromAsync(open().list('there/'))).map(({ key }) => key),
      right: ['there/a.json'],
    },
    GetObject: {
      why: 'neither ETag nor Last-Modified',
      ask: async () => String(await open().read('there/a.json')),
      right: '{"a":1}\n',
    },
    HeadObject: {
      why: 'neither ETag nor Last-Modified',
      ask: async () => (await open().look('there/a.json'))?.bytes,
      right: 8,
    },
  };
  for (const [operation, { why, ask, right }] of Object.entries(html)) {
    it(`a page in place of the answer to ${operation} is retried, then refused`, async () => {
      await open().put('there/a.json', small);
      server.faults.push({ fault: 'html', operation, times: 1 });
      expect(await ask()).to.deep.equal(right);
      server.objects.delete(STORED);
      server.faults.splice(0, 1, { fault: 'html', operation });
      const before = asked(operation);
      await expectNotS3(ask(), why);
      expect(asked(operation) - before).to.equal(3);
      expect(server.objects.has(STORED)).to.equal(false);
      expect(server.uploads.size).to.equal(0);
    });
  }

  it('a page in place of a stream is refused', async () => {
    await open().put('there/a.json', small);
    server.faults.push({ fault: 'html', operation: 'GetObject' });
    await expectNotS3(open().stream('there/a.json'), 'neither ETag');
  });

  it('a page that is no XML is refused too', async () => {
    server.faults.push({ fault: 'text', operation: 'ListObjectsV2' });
    await expectNotS3(Array.fromAsync(open().list('events/')), 'no XML');
  });

  it('a checksum of other content is refused', async () => {
    server.faults.push({ fault: 'other-checksum', operation: 'PutObject' });
    await expectNotS3(open().put(KEY, small), 'checksum');
  });
});

describe('an hour of four members, of 6.6 MB each', function () {
  this.timeout(120_000);
  const EVENTS = 40_000;
  const HOUR = '2026-11-20T05';
  const members = [0, 1, 2, 3].map((part) => ({
    name: `100011471/100011471_2026-11-20_5#${part}.json.gz`,
    json: Buffer.from(
      Array.from({ length: EVENTS }, (_, at) => `{"n":${part}${String(at).padStart(5, '0')},"x":"${noise()}"}\n`).join(
        '',
      ),
    ),
  }));
  let server: S3Server;
  let amplitude: Server;
  let env: Record<string, string>;

  before(async () => {
    const archive = await write(members.map(({ name, json }) => ({ name, data: gzipMember(json, { level: 1 }) })));
    amplitude = createServer((_, response) =>
      response.writeHead(200, { 'content-type': 'application/zip' }).end(archive),
    );
    amplitude.listen(0, '127.0.0.1');
    await once(amplitude, 'listening');
  });
  after(() => amplitude.close());
  beforeEach(async () => {
    server = await startS3Server();
    env = {
      AMPLITUDE_BASE_URL: `http://127.0.0.1:${(amplitude.address() as AddressInfo).port}`,
      AMPLITUDE_API_KEY: 'key',
      AMPLITUDE_SECRET_KEY: 'secret',
      EXPORT_BACKOFF_MS: '1',
      EXPORT_START: HOUR,
      EXPORT_END: '2026-11-20T06',
      DESTINATION: 's3://bucket/amplitude',
      AWS_ENDPOINT_URL_S3: server.url,
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
      AWS_REGION: 'us-east-1',
    };
  });
  afterEach(() => server.close());

  const objects = () => [...server.objects].filter(([key]) => key.includes('/events/')).map(([, { body }]) => body);

  for (const fault of EARLY) {
    for (const format of ['json', 'gzip']) {
      it(`lands whole after ${fault} a few times, as ${format}`, async () => {
        server.faults.push({ fault, operation: 'PutObject', key: /events/, times: 6 });
        const ended = await runProgram(['export', '--json'], { ...env, OUTPUT_FORMAT: format });
        expect(ended.code, ended.stderr).to.equal(0);
        expect(ended.report().events).to.equal(4 * EVENTS);
        const landed = objects().map((body) => (format === 'gzip' ? gunzipSync(body) : body));
        for (const { json } of members) expect(landed.some((body) => body.equals(json))).to.equal(true);
      });

      it(`fails after nothing but ${fault}, as ${format}`, async () => {
        server.faults.push({ fault, operation: 'PutObject', key: /events/ });
        const settings = { ...env, OUTPUT_FORMAT: format, UPLOAD_MAX_ATTEMPTS: '2' };
        const ended = await runProgram(['export', '--json'], settings);
        expect(ended.code, ended.stderr).to.equal(1);
        expect(ended.report().hours.failed).to.have.length(1);
        // The run may notice that the request broke off before it has the answer.
        expect(ended.report().hours.failed[0]?.code).to.be.oneOf(['NOT_S3', 'DESTINATION_UNREACHABLE']);
        expect([...server.objects.keys()]).to.deep.equal([]);
      });
    }
  }
});

/** 120 characters that compress to three quarters. */
function noise(): string {
  return randomBytes(90).toString('base64');
}
