import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { S3Settings } from '../../src/config/settings.ts';
import { contentOf } from '../../src/destination/destination.ts';
import { isTransient, regionOf } from '../../src/destination/s3/errors.ts';
import type { JobError } from '../../src/errors.ts';
import { failure } from '../support/destination-contract.ts';
import { openBucket } from '../support/destinations.ts';
import { type FaultName, type S3Server, startS3Server } from '../support/s3-server/server.ts';

const small = contentOf(Buffer.from('{"a":1}\n'));
const KEY = 'events/a.json';

describe('destination: what passes by itself, in S3', () => {
  let server: S3Server;
  const open = (settings: Partial<S3Settings> = {}, options: Parameters<typeof openBucket>[2] = {}) =>
    openBucket(server, settings, options);
  beforeEach(async () => {
    server = await startS3Server({ minPartBytes: 1000 });
  });
  afterEach(() => server.close());
  const requestsOf = (operation: string) => server.requests.filter((request) => request.operation === operation);

  describe('refusals of single keys in an answer to DeleteObjects', () => {
    const keys = ['events/a', 'events/b', 'events/c'];
    beforeEach(async () => {
      for (const key of keys) await open().put(key, small);
    });

    it('deletes only these keys again', async () => {
      server.faults.push({ operation: 'DeleteObjects', key: /b$/, fault: 'slow-down', times: 1 });
      server.faults.push({ operation: 'DeleteObjects', key: /c$/, fault: 'internal-error', times: 2 });
      await open().delete(keys);
      expect(server.objects.size).to.equal(0);
      const lengths = requestsOf('DeleteObjects').map(({ headers }) => Number(headers['content-length']));
      expect(lengths).to.have.length(3);
      expect(lengths).to.deep.equal(lengths.toSorted((a, b) => b - a));
      expect(new Set(lengths).size).to.equal(3);
    });

    it('gives up after the configured attempts, and quotes S3', async () => {
      server.faults.push({ operation: 'DeleteObjects', key: /b$/, fault: 'slow-down' });
      const error = (await failure(open().delete(keys))) as JobError;
      expect(error).to.include({ code: 'DESTINATION_UNREACHABLE', endsRun: false });
      expect(error.message).to.include('3 attempts').and.include('SlowDown');
      expect([...server.objects.keys()]).to.deep.equal(['bucket/p/events/b']);
    });

    it('does not repeat what stays refused', async () => {
      server.faults.push({ operation: 'DeleteObjects', key: /a$/, fault: 'slow-down' });
      server.faults.push({ operation: 'DeleteObjects', key: /b$/, fault: 'access-denied' });
      expect(await failure(open().delete(keys))).to.include({ code: 'ACCESS_DENIED' });
      expect(requestsOf('DeleteObjects')).to.have.length(1);
    });

    it('deletes again where the answer is lost', async () => {
      server.faults.push({ operation: 'DeleteObjects', fault: 'lost-answer', times: 1 });
      await open().delete(keys);
      expect(server.objects.size).to.equal(0);
    });
  });

  describe('a body that breaks off', () => {
    const bytes = Buffer.alloc(2_000_000, Array.from({ length: 251 }, (_, at) => String.fromCharCode(at)).join(''));
    const readAll = async (destination = open()) => {
      const chunks = await Array.fromAsync((await destination.stream(KEY)) ?? expect.fail('not there'));
      return Buffer.concat(chunks);
    };
    beforeEach(() => open().put(KEY, contentOf(bytes)));

    it('goes on where it was cut, as often as it gets on', async () => {
      server.faults.push({ operation: 'GetObject', fault: 'reset', times: 6 });
      const destination = open();
      expect((await readAll(destination)).equals(bytes)).to.equal(true);
      const gets = requestsOf('GetObject');
      expect(destination.requests.reads).to.equal(gets.length).and.equal(7);
      const froms = gets.map(({ headers }) => Number(/^bytes=(\d+)-$/.exec(headers.range ?? 'bytes=0-')?.[1]));
      expect(froms).to.deep.equal(froms.toSorted((a, b) => a - b));
      const etag = server.objects.get(`bucket/p/${KEY}`)?.etag;
      expect(gets.slice(1).every(({ headers }) => headers['if-match'] === etag)).to.equal(true);
    });

    it('goes on where it stalls', async () => {
      server.faults.push({ operation: 'GetObject', fault: 'stall', times: 1 });
      expect((await readAll(open({}, { idleMs: 200 }))).equals(bytes)).to.equal(true);
    });

    it('gives up where it does not get on', async () => {
      server.faults.push({ operation: 'GetObject', fault: 'reset', times: 1 });
      server.faults.push({ operation: 'GetObject', header: /^range$/, fault: 'slow-down' });
      const error = (await failure(readAll())) as JobError;
      expect(error).to.include({ code: 'DESTINATION_UNREACHABLE' });
      expect(requestsOf('GetObject')).to.have.length(4);
    });

    it('compares the checksum of all pieces with that of the first answer', async () => {
      server.faults.push({ operation: 'GetObject', header: /^range$/, fault: 'flipped' });
      server.faults.push({ operation: 'GetObject', fault: 'reset', times: 1 });
      expect(await failure(readAll())).to.include({ code: 'BAD_DIGEST', endsRun: false });
    });

    it('says that the store does not send the rest', async () => {
      server.faults.push({ operation: 'GetObject', header: /^range$/, fault: 'ignored-range' });
      server.faults.push({ operation: 'GetObject', fault: 'reset', times: 1 });
      const error = (await failure(readAll())) as JobError;
      expect(error).to.include({ code: 'DESTINATION', endsRun: false });
      expect(error.message).to.match(
        /GetObject of s3:\/\/bucket\/p\/events\/a\.json broke off after \d+ of 2000000 bytes, and the store does not/,
      );
      expect(requestsOf('GetObject')).to.have.length(2);
    });

    for (const [what, change] of [
      ['replaced', () => open().put(KEY, small)],
      ['deleted', () => open().delete([KEY])],
    ] as const) {
      it(`says that the object was ${what}`, async () => {
        server.faults.push({ operation: 'GetObject', fault: 'reset', times: 1 });
        const body = (await open().stream(KEY)) ?? expect.fail('not there');
        await change();
        const error = (await failure(Array.fromAsync(body))) as JobError;
        expect(error).to.include({ code: 'DESTINATION' });
        expect(error.message).to.include('it was replaced or deleted meanwhile');
      });
    }

    it('ends when the signal aborts', async () => {
      const stopper = new AbortController();
      server.faults.push({ operation: 'GetObject', fault: 'stall' });
      const reading = failure(readAll(open({}, { signal: stopper.signal })));
      setTimeout(() => stopper.abort(new Error('stop')), 100);
      expect(await reading).to.have.property('message', 'stop');
    });
  });

  const faults: FaultName[] = ['reset', 'stall', 'short', 'html', 'slow-down'];
  for (const fault of faults) {
    it(`reads and lists again after ${fault}`, async () => {
      const destination = open({}, { idleMs: 200 });
      await destination.put(KEY, small);
      server.faults.push({ operation: 'GetObject', fault, times: 2 }, { operation: 'ListObjectsV2', fault, times: 2 });
      expect((await destination.read(KEY))?.toString()).to.equal('{"a":1}\n');
      const found = await Array.fromAsync(destination.list('events/'));
      expect(found.map(({ key }) => key)).to.deep.equal([KEY]);
    });
  }

  it('reads again what differs from its checksum, and gives up where it stays so', async () => {
    await open().put(KEY, small);
    server.faults.push({ operation: 'GetObject', fault: 'flipped', times: 2 });
    expect((await open().read(KEY))?.toString()).to.equal('{"a":1}\n');
    server.faults.push({ operation: 'GetObject', fault: 'flipped' });
    expect(await failure(open().read(KEY))).to.include({ code: 'BAD_DIGEST', endsRun: false });
  });

  describe('an upload in parts', () => {
    const bytes = Buffer.alloc(25_000, 'x');
    const multipart = { aboveBytes: 10_000, partBytes: 10_000 };
    const cases: [operation: string, fault: FaultName, completions: number][] = [
      ['CreateMultipartUpload', 'slow-down', 1],
      ['CreateMultipartUpload', 'lost-answer', 1],
      ['UploadPart', 'internal-error', 1],
      ['UploadPart', 'lost-answer', 1],
      ['CompleteMultipartUpload', 'error-in-200', 2],
      ['CompleteMultipartUpload', 'slow-down', 2],
      // S3 may know the upload no more, and then all of it is sent again.
      ['CompleteMultipartUpload', 'lost-answer', 3],
    ];
    for (const [operation, fault, completions] of cases) {
      it(`ends well after ${fault} of ${operation}`, async () => {
        server.faults.push({ operation, fault, times: 1 });
        await open({}, { multipart }).put(KEY, contentOf(bytes));
        expect(server.objects.get(`bucket/p/${KEY}`)?.body.equals(bytes)).to.equal(true);
        expect(requestsOf('CompleteMultipartUpload')).to.have.length(completions);
      });
    }
  });

  for (const fault of ['slow-down', 'reset', 'lost-answer'] as const) {
    it(`looks and deletes again after ${fault}`, async () => {
      await open().put(KEY, small);
      for (const operation of ['HeadObject', 'DeleteObject']) server.faults.push({ operation, fault, times: 1 });
      server.faults.push({ operation: 'DeleteObjects', fault: 'method' });
      expect(await open().look(KEY)).to.include({ bytes: 8 });
      await open().delete([KEY]);
      expect(server.objects.size).to.equal(0);
    });
  }

  describe('the redirect of a new bucket', () => {
    beforeEach(async () => {
      await server.close();
      server = await startS3Server({ region: 'eu-west-3', isNew: true });
    });

    it('is followed to its region where none was given, and to no other host', async () => {
      const destination = open({ region: undefined });
      await destination.put(KEY, small);
      expect((await destination.read(KEY))?.toString()).to.equal('{"a":1}\n');
      expect(server.requests.map(({ status }) => status)).to.deep.equal([307, 200, 200]);
      expect(server.requests[1]?.headers.authorization).to.include('/eu-west-3/s3/');
    });

    it('is waited for in the right region', async () => {
      server.faults.push({ fault: 'temporary-redirect', times: 2 });
      await open({ region: 'eu-west-3' }).put(KEY, small);
      server.faults.push({ fault: 'temporary-redirect', times: 2 });
      expect((await open({ region: 'eu-west-3' }).look(KEY))?.bytes).to.equal(8);
      server.faults.push({ fault: 'temporary-redirect', key: /a\.json/ });
      const error = (await failure(open({ region: 'eu-west-1' }).put(KEY, small))) as JobError;
      expect(error).to.include({ code: 'WRONG_REGION' });
    });

    it('names the region where another one is set', async () => {
      const error = (await failure(open().put(KEY, small))) as JobError;
      expect(error).to.include({ code: 'WRONG_REGION' });
      expect(error.hint).to.include('AWS_REGION=eu-west-3');
    });
  });

  it('takes a redirect of something else for no redirect of S3', () => {
    const headers = { location: 'https://portal.example/s3-eu-west-1.amazonaws.com/' };
    const page = { name: '307', $metadata: { httpStatusCode: 307 }, $response: { headers, body: '<html></html>' } };
    const error = Object.assign(new Error('page'), page);
    expect(regionOf(error)).to.equal(undefined);
    expect(isTransient(error)).to.equal(false);
  });
});

/** Writes while all descriptors are taken, and again once some are free. */
const HAS_NO_DESCRIPTORS = `
  const { openSync, closeSync } = await import('node:fs');
  const { openDestination } = await import('${new URL('../../dist/destination/open.js', import.meta.url)}');
  const { contentOf } = await import('${new URL('../../dist/destination/destination.js', import.meta.url)}');
  const [folder, ms] = process.argv.slice(1);
  const signal = new AbortController().signal;
  const destination = await openDestination({ kind: 'file', folder }, { signal });
  await destination.put('events/b.json', contentOf(Buffer.from('b')));
  const taken = [];
  try { for (;;) taken.push(openSync('/dev/null')); } catch {}
  setTimeout(() => taken.forEach((fd) => closeSync(fd)), Number(ms));
  try {
    await destination.put('events/a.json', contentOf(Buffer.from('a')));
    console.log(String(await destination.read('events/b.json')));
  } catch (error) {
    console.log(error.code, error.message);
  }
  process.exit();
`;

describe('destination: what passes by itself, in a folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'passing-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function written(freeAfterMs: number): Promise<string> {
    const program = ['-e', HAS_NO_DESCRIPTORS, folder, String(freeAfterMs)];
    const child: ChildProcess = spawn('sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = child.stdout === null ? '' : text(child.stdout);
    await once(child, 'exit');
    return (await said).trim();
  }

  it('is tried again', async () => {
    expect(await written(150)).to.equal('b');
    expect((await readdir(join(folder, 'events'))).sort()).to.deep.equal(['a.json', 'b.json']);
  });

  it('is named where it does not pass', async () => {
    expect(await written(20_000)).to.match(/^DESTINATION \S+ failed 5 times in a row \(EMFILE\)\.$/);
    expect(await readdir(join(folder, 'events'))).to.deep.equal(['b.json']);
  });
});
