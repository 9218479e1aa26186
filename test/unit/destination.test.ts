import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { S3Settings } from '../../src/config/settings.ts';
import { contentOf, Miscounted } from '../../src/destination/destination.ts';
import { NoCredentials } from '../../src/destination/s3/errors.ts';
import { explain } from '../../src/destination/s3/explain.ts';
import { JobError } from '../../src/errors.ts';
import { destinationContract, failure, streamed } from '../support/destination-contract.ts';
import { openBucket, openFolder } from '../support/destinations.ts';
import { type FaultName, type S3Server, startS3Server } from '../support/s3-server/server.ts';
import { hearingLog, s3Settings } from '../support/settings.ts';

const small = contentOf(Buffer.from('{"a":1}\n'));

const HOLDS_LOCK = `
  const { openDestination } = await import('${new URL('../../dist/destination/open.js', import.meta.url)}');
  const destination = await openDestination({ kind: 'file', folder: process.argv[1] }, {});
  await destination.lock();
  console.log('locked');
  setInterval(() => undefined, 1000);
`;

describe('destination: a folder', () => {
  let folder: string;
  const open = () => openFolder(folder);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'destination-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  destinationContract(async (signal) => openFolder(folder, signal), { swapsAtOnce: false });

  it('ignores partial files and sweeps them', async () => {
    const hour = join(folder, 'events/date=1/hour=00');
    await mkdir(hour, { recursive: true });
    await writeFile(join(hour, '.a.json.partial'), 'half');
    await writeFile(join(hour, '.b.json.0a1b.partial'), 'half');
    await writeFile(join(hour, 'c.json'), 'whole');
    const found = await Array.fromAsync(open().list('events/'));
    expect(found.map(({ key }) => key)).to.deep.equal(['events/date=1/hour=00/c.json']);
    await open().sweep('events/date=1/hour=00');
    expect(await readdir(hour)).to.deep.equal(['c.json']);
    await open().sweep('events/date=1/hour=23');
  });

  it('lists a link to a file as that file, and no other link', async () => {
    const day = join(folder, 'events/date=1');
    await mkdir(join(day, 'elsewhere'), { recursive: true });
    await writeFile(join(folder, 'whole'), 'whole');
    await symlink(join(folder, 'whole'), join(day, 'a.json'));
    await symlink(join(folder, 'none'), join(day, 'b.json'));
    await symlink(join(day, 'elsewhere'), join(day, 'c.json'));
    const found = await Array.fromAsync(open().list('events/'));
    expect(found.map(({ key, bytes }) => [key, bytes])).to.deep.equal([['events/date=1/a.json', 5]]);
  });

  it('sweeps what a killed write of the same manifest has left, and nothing else', async () => {
    const day = join(folder, 'manifests/date=1');
    await mkdir(day, { recursive: true });
    for (const hour of ['05', '06']) await writeFile(join(day, `.hour=${hour}.json.0a1b.partial`), 'half');
    expect(await open().swap('manifests/date=1/hour=05.json', Buffer.from('{}'), undefined)).to.equal('swapped');
    expect((await readdir(day)).sort()).to.deep.equal(['.hour=06.json.0a1b.partial', 'hour=05.json']);
  });

  it('starts a write again when another run sweeps its partial file away', async () => {
    let opened = 0;
    const content = streamed(async function* () {
      opened++;
      yield Buffer.from('half');
      if (opened === 1) await open().sweep('events');
      yield Buffer.from('half');
    });
    await open().put('events/a.json', { ...content, bytes: 8 });
    expect(opened).to.equal(2);
    expect((await open().read('events/a.json'))?.toString()).to.equal('halfhalf');
    expect(await readdir(join(folder, 'events'))).to.deep.equal(['a.json']);
  });

  it('is locked by one run at a time, and the next run names the holder', async () => {
    const [one, other] = [open(), open()];
    await one.lock();
    const error = (await failure(other.lock())) as JobError;
    expect(error).to.include({ code: 'DESTINATION_LOCKED', endsRun: true });
    expect(error.message).to.match(
      new RegExp(`process ${process.pid} on \\S+, since \\d{4}-.*is writing to ${folder}`),
    );
    expect(await Array.fromAsync(other.list(''))).to.deep.equal([]);
    await one.close();
    await other.lock();
    await other.close();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('is locked by exactly one of many runs that start at once', async () => {
    let holders = 0;
    let locked = 0;
    const run = async () => {
      const destination = open();
      try {
        await destination.lock();
        holders++;
        locked++;
        expect(holders).to.equal(1);
        await pause(1);
        holders--;
      } catch (error) {
        expect(error).to.include({ code: 'DESTINATION_LOCKED' });
      } finally {
        await destination.close();
      }
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 6 }, run));
    expect(locked).to.be.at.least(20);
  });

  it('takes over the lock of a killed run', async () => {
    const holder = spawn(process.execPath, ['-e', HOLDS_LOCK, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const error = (await failure(open().lock())) as JobError;
    expect(error.message).to.include(`process ${holder.pid} on`);
    holder.kill('SIGKILL');
    await once(holder, 'close');
    const next = open();
    await next.lock();
    await next.close();
  });

  it('refuses a folder that cannot be made, at once', async () => {
    const destination = openFolder('/proc/no-such-folder');
    expect(await failure(destination.lock())).to.include({ code: 'DESTINATION', endsRun: true });
    expect(await failure(destination.put('events/a.json', small))).to.include({ code: 'DESTINATION', endsRun: true });
  });

  it('refuses a key that leads out of it', async () => {
    expect(await failure(open().put('../evil', small))).to.include({ code: 'DESTINATION' });
    expect(await failure(open().put('events/../../evil', small))).to.include({ code: 'DESTINATION' });
  });

  it('says what to do when the folder is a file', async () => {
    await writeFile(join(folder, 'file'), '');
    const error = (await failure(openFolder(join(folder, 'file')).put('events/a', small))) as JobError;
    expect(error).to.be.instanceOf(JobError).and.include({ code: 'DESTINATION', endsRun: true });
    expect(error.hint).to.include('DESTINATION');
  });
});

describe('destination: S3', () => {
  let server: S3Server;
  const open = (settings: Partial<S3Settings> = {}, options: Parameters<typeof openBucket>[2] = {}) =>
    openBucket(server, settings, { prefix: 'some/prefix', ...options });
  beforeEach(async () => {
    server = await startS3Server({ buckets: ['bucket'], minPartBytes: 1000 });
  });
  afterEach(() => server.close());

  destinationContract(async (signal) => open({}, { signal }));

  describe('in parts', () => {
    destinationContract(async (signal) => open({}, { signal, multipart: { aboveBytes: 100, partBytes: 100_000 } }));

    it('uploads in parts above the threshold, checked as a whole, and leaves no upload open', async () => {
      const bytes = Buffer.alloc(25_000, 'x');
      const destination = open({}, { multipart: { aboveBytes: 10_000, partBytes: 10_000 } });
      await destination.put('events/a.json', contentOf(bytes));
      expect(server.requests.map(({ operation }) => operation)).to.deep.equal([
        'CreateMultipartUpload',
        'UploadPart',
        'UploadPart',
        'UploadPart',
        'CompleteMultipartUpload',
      ]);
      expect(server.objects.get('bucket/some/prefix/events/a.json')?.body.equals(bytes)).to.equal(true);
      const wrong = { ...contentOf(bytes), crc32: 7, count: async () => ({ bytes: bytes.length, crc32: 7 }) };
      expect(await failure(destination.put('events/b.json', wrong))).to.include({ code: 'BAD_DIGEST' });
      expect(server.uploads.size).to.equal(0);
    });
  });

  it('puts under the prefix, with length, CRC-32 and type', async () => {
    await open({ kmsKeyId: 'arn:aws:kms:us-east-1:1:key/k' }).put('events/a.json', small);
    const [put] = server.requests;
    expect(put).to.include({ operation: 'PutObject', path: '/bucket/some/prefix/events/a.json' });
    expect(put?.headers).to.include({
      'content-length': '8',
      'x-amz-checksum-crc32': Buffer.from(new Uint32Array([small.crc32]).buffer)
        .reverse()
        .toString('base64'),
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'arn:aws:kms:us-east-1:1:key/k',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    });
  });

  const faults: [FaultName, string, RegExp, number][] = [
    ['no-such-bucket', 'BUCKET_MISSING', /bucket does not exist.*S3_BUCKET/s, 1],
    ['access-denied', 'ACCESS_DENIED', /s3:PutObject/, 1],
    ['kms-access-denied', 'KMS_KEY', /kms:GenerateDataKey/, 1],
    ['signature', 'AWS_CREDENTIALS', /AWS_SECRET_ACCESS_KEY/, 4],
    ['expired-token', 'AWS_CREDENTIALS', /AWS_SESSION_TOKEN/, 4],
    ['clock-skew', 'CLOCK_SKEW', /NTP/, 1],
    ['wrong-region', 'WRONG_REGION', /AWS_REGION=us-east-1.*Set AWS_REGION=/s, 1],
  ];
  for (const [fault, code, words, exitCode] of faults) {
    it(`names ${fault} and the next step, and ends the run`, async () => {
      server.faults.push({ fault });
      const error = (await failure(open().put('events/a.json', small))) as JobError;
      expect(error).to.be.instanceOf(JobError).and.include({ code, endsRun: true, exitCode });
      expect(`${error.message} ${error.hint}`).to.match(words);
    });
  }

  it('names the permission that is missing for listing, reading and deleting', async () => {
    server.faults.push({ fault: 'access-denied' });
    const hint = async (promise: Promise<unknown>) => ((await failure(promise)) as JobError).hint;
    expect(await hint(Array.fromAsync(open().list('events/')))).to.include('s3:ListBucket');
    expect(await hint(open().read('events/a'))).to.include('s3:GetObject');
    expect(await hint(open().look('events/a'))).to.include('s3:GetObject');
    expect(await hint(open().stream('events/a'))).to.include('s3:GetObject');
    expect(await hint(open().delete(['events/a']))).to.include('s3:DeleteObject');
  });

  it('names an unknown access key and exits with 4', async () => {
    const credentials = { accessKeyId: 'unknown', secretAccessKey: 'x' };
    expect(await failure(open({ credentials }).put('a', small))).to.include({ code: 'AWS_CREDENTIALS', exitCode: 4 });
  });

  it('names a role that may not be assumed', () => {
    const refusal = Object.assign(
      new Error(
        'User: arn:aws:iam::1:user/kestra is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/exporter',
      ),
      { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } },
    );
    const attempted = { action: 'ListObjectsV2', key: '', name: 's3://b/', settings: s3Settings('') };
    const error = explain(new NoCredentials('none', { cause: refusal }), attempted);
    expect(error).to.include({ code: 'AWS_CREDENTIALS', exitCode: 4 });
    expect(`${error.message} ${error.hint}`).to.include('role/exporter').and.include('external_id');
  });

  it('reads again where an answer breaks off midway', async () => {
    await open().put('manifests/a.json', small);
    server.faults.push({ operation: 'GetObject', fault: 'reset', times: 1 });
    expect((await open().read('manifests/a.json'))?.toString()).to.equal('{"a":1}\n');
  });

  it('follows a bucket to its region where none was given', async () => {
    await server.close();
    server = await startS3Server({ buckets: ['bucket'], region: 'eu-west-3' });
    const destination = open({ region: undefined });
    await destination.put('events/a.json', small);
    expect((await destination.read('events/a.json'))?.toString()).to.equal('{"a":1}\n');
    expect(await failure(open({ region: 'us-east-1' }).read('a'))).to.include({ code: 'WRONG_REGION' });
  });

  for (const fault of ['slow-down', 'internal-error', 'reset', 'bad-digest', 'conflict'] as const) {
    it(`sends again after ${fault}, and opens the content again`, async () => {
      server.faults.push({ fault, operation: 'PutObject', times: 2 });
      let opened = 0;
      const content = {
        ...small,
        async *open() {
          opened++;
          yield* small.open();
        },
      };
      await open().put('events/a.json', content);
      expect(opened).to.be.at.least(fault === 'reset' || fault === 'bad-digest' ? 3 : 1);
      expect(server.objects.get('bucket/some/prefix/events/a.json')?.body.toString()).to.equal('{"a":1}\n');
    });
  }

  it('gives up after the configured attempts, and says how many', async () => {
    server.faults.push({ fault: 'slow-down' });
    const error = (await failure(open().put('events/a.json', small))) as JobError;
    expect(error).to.include({ code: 'DESTINATION_UNREACHABLE' });
    expect(error.message).to.include('3 attempts');
  });

  it('reports a wrong digest only when its own count agrees', async () => {
    server.faults.push({ fault: 'bad-digest' });
    expect(await failure(open().put('a', small))).to.include({ code: 'BAD_DIGEST', endsRun: false });
    server.faults.length = 0;
    expect(await failure(open().put('a', { ...small, crc32: 1 }))).to.be.instanceOf(Miscounted);
  });

  const manifest = Buffer.from('{"a":1}\n');
  const other = Buffer.from('{"b":2}\n');

  for (const fault of ['not-implemented', 'no-condition'] as const) {
    it(`reads before it swaps where the store answers ${fault} to a condition, and warns once`, async () => {
      server.faults.push({ fault, operation: 'PutObject', header: /^if-/ });
      const log = hearingLog();
      const destination = open({}, { log });
      expect(await destination.swap('manifests/a.json', manifest, undefined)).to.equal('swapped');
      expect(server.requests.at(-1)?.headers).not.to.have.property('if-none-match');
      expect(await destination.swap('manifests/a.json', other, undefined)).to.equal('lost');
      const { version } = (await destination.standing('manifests/a.json')) ?? {};
      expect(await destination.swap('manifests/a.json', other, version)).to.equal('swapped');
      expect(server.requests.at(-1)?.headers).not.to.have.property('if-match');
      expect(log.lines.filter(({ message }) => /Two runs at once are not safe/.test(message))).to.have.length(1);
    });
  }

  it('swaps many hours at once where the store refuses conditions', async () => {
    server.faults.push({ fault: 'not-implemented', operation: 'PutObject', header: /^if-/ });
    const log = hearingLog();
    const destination = open({}, { log });
    const keys = ['a', 'b', 'c', 'd'].map((name) => `manifests/${name}.json`);
    const outcomes = await Promise.all(keys.map((key) => destination.swap(key, manifest, undefined)));
    expect(outcomes).to.deep.equal(keys.map(() => 'swapped'));
    expect(log.lines.filter(({ message }) => /Two runs at once are not safe/.test(message))).to.have.length(1);
  });

  it('reads before it swaps an object without ETag, as gateways have of files that did not come through them', async () => {
    const key = 'bucket/some/prefix/manifests/a.json';
    const lies = (body: Buffer) =>
      server.objects.set(key, { body, size: body.length, etag: '', headers: {}, modifiedAt: new Date() });
    lies(manifest);
    const destination = open();
    const { version, content } = (await destination.standing('manifests/a.json')) ?? {};
    expect(content?.equals(manifest)).to.equal(true);
    lies(other);
    expect(await destination.swap('manifests/a.json', manifest, version)).to.equal('lost');
    lies(manifest);
    expect(await destination.swap('manifests/a.json', other, version)).to.equal('swapped');
    expect((await destination.standing('manifests/a.json'))?.version).to.match(/^"/);
  });

  it('reads its own swap back where the answer is lost', async () => {
    const destination = open();
    server.faults.push({ fault: 'lost-answer', operation: 'PutObject', times: 1 });
    expect(await destination.swap('manifests/a.json', manifest, undefined)).to.equal('swapped');
    const { version } = (await destination.standing('manifests/a.json')) ?? {};
    server.faults.push({ fault: 'lost-answer', operation: 'PutObject', times: 1 });
    expect(await destination.swap('manifests/a.json', other, version)).to.equal('swapped');
    expect(server.requests.filter(({ method }) => method === 'PUT')).to.have.length(2);
  });

  it('swaps again where the request is lost', async () => {
    server.faults.push({ fault: 'reset', operation: 'PutObject', times: 1 });
    expect(await open().swap('manifests/a.json', manifest, undefined)).to.equal('swapped');
    expect(server.objects.get('bucket/some/prefix/manifests/a.json')?.body.equals(manifest)).to.equal(true);
  });

  it('loses a swap where another run has swapped since the answer was lost', async () => {
    server.faults.push({ fault: 'reset', operation: 'PutObject', times: 1 });
    const swapping = open().swap('manifests/a.json', manifest, undefined);
    await open().put('manifests/a.json', contentOf(other));
    expect(await swapping).to.equal('lost');
    expect(server.objects.get('bucket/some/prefix/manifests/a.json')?.body.equals(other)).to.equal(true);
  });

  it('ends at once when the signal aborts while S3 is silent', async () => {
    server.faults.push({ fault: 'stall' });
    const stopper = new AbortController();
    const put = failure(open({}, { signal: stopper.signal }).put('a', small));
    await pause(100);
    const abortedAt = Date.now();
    stopper.abort(new Error('stop'));
    expect(await put).to.have.property('message', 'stop');
    expect(Date.now() - abortedAt).to.be.below(1000);
  });

  it('says that nothing listens at the endpoint', async () => {
    const { url } = server;
    await server.close();
    const error = (await failure(openBucket({ url }).put('a', small))) as JobError;
    expect(error).to.include({ code: 'DESTINATION_UNREACHABLE', endsRun: true });
    expect(`${error.message} ${error.hint}`).to.include(url).and.include('AWS_ENDPOINT_URL_S3');
    server = await startS3Server();
  });
});

describe('destination: S3 at the root of a bucket', () => {
  let server: S3Server;
  before(async () => {
    server = await startS3Server({ buckets: ['bucket'] });
  });
  after(() => server.close());

  it('uses no prefix', async () => {
    const destination = openBucket(server, {}, { prefix: '' });
    await destination.put('events/a.json', small);
    expect([...server.objects.keys()]).to.deep.equal(['bucket/events/a.json']);
    expect((await Array.fromAsync(destination.list('events/'))).map(({ key }) => key)).to.deep.equal(['events/a.json']);
    destination.close();
  });
});
