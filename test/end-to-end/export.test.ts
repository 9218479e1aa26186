import { once } from 'node:events';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { expect } from 'chai';
import { FileDestination } from '../../src/destination/file.ts';
import { formatHour, hourFolder, hoursOf, readHour } from '../../src/hours.ts';
import { readKey } from '../../src/landing/keys.ts';
import type { Manifest } from '../../src/landing/manifest.ts';
import { expectedHour, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type DryRunReport, filesOf, manifestsOf, runProgram } from '../support/program.ts';
import { hearingLog } from '../support/settings.ts';

const never = new AbortController().signal;

/** Six hours of a past day. The fourth has no events, several have more than one part. */
const day = '2026-03-04';
const range = { start: readHour(`${day}T06`), end: readHour(`${day}T12`) };
const RANGE = ['--start', formatHour(range.start), '--end', formatHour(range.end)];
const TARGET = `${day}T09`;

describe('export', function () {
  this.timeout(60_000);
  let simulator: Simulator;
  let folder: string;
  let data: string;
  let work: string;

  before(async () => {
    simulator = await startSimulator({ eventsPerHour: 40 });
  });
  after(() => simulator.close());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'export-'));
    data = join(folder, 'data');
    work = join(folder, 'work');
    await mkdir(work);
    simulator.faults.length = 0;
    simulator.requests.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const faults = (...specs: string[]) => simulator.faults.push(...specs.map(parseFault));
  const environment = (changed: Record<string, string> = {}) => ({
    AMPLITUDE_BASE_URL: simulator.url,
    AMPLITUDE_API_KEY: 'simulator-key',
    AMPLITUDE_SECRET_KEY: 'simulator-secret',
    DESTINATION: data,
    WORK_DIR: work,
    EXPORT_BACKOFF_MS: '1',
    ...changed,
  });
  const run = (args: readonly string[] = [], changed: Record<string, string> = {}) =>
    runProgram(
      ['export', ...(args.includes('--start') || args.includes('--yesterday') ? [] : RANGE), '--json', ...args],
      environment(changed),
    );
  const windows = () => simulator.requests.map(({ start, end }) => `${start?.slice(9)}-${end?.slice(9)}`);
  const expected = (hour: number) => expectedHour({ eventsPerHour: 40 }, hour);

  /** Every hour is there exactly as the simulator made it. */
  async function expectWhole(except: readonly string[] = []): Promise<Map<string, Buffer>> {
    const files = await filesOf(data);
    const manifests = manifestsOf(files);
    const named = new Set<string>();
    for (const hour of hoursOf(range)) {
      if (except.includes(formatHour(hour))) continue;
      const { events, parts } = expected(hour);
      const manifest = manifests.get(formatHour(hour));
      expect(manifest, formatHour(hour)).to.include({
        version: 1,
        status: parts.length > 0 ? 'complete' : 'empty',
        project: '100011471',
        events,
        quarantined: 0,
      });
      expect(manifest?.objects.map((object) => object.member)).to.deep.equal(parts.map(({ name }) => name));
      for (const { name, json } of parts) {
        const object = manifest?.objects.find(({ member }) => member === name);
        const key = object?.key ?? '';
        expect(files.get(key)?.equals(json), name).to.equal(true);
        const crc32 = zlib.crc32(json).toString(16).padStart(8, '0');
        expect(object).to.deep.include({ bytes: json.length, crc32, source: { bytes: json.length, crc32 } });
        expect(readKey(key)).to.include({ project: '100011471', hour, crc32 });
        named.add(key);
      }
    }
    const others = [...files.keys()].filter((path) => !path.startsWith('manifests/') && !named.has(path));
    expect(others.filter((path) => !except.some((hour) => path.includes(hourFolder(readHour(hour)))))).to.deep.equal(
      [],
    );
    expect([...files.keys()].filter((path) => path.includes('partial'))).to.deep.equal([]);
    expect([...(await filesOf(work)).keys()]).to.deep.equal([]);
    return files;
  }

  const events = () => hoursOf(range).reduce((sum, hour) => sum + expected(hour).events, 0);
  const withData = () =>
    hoursOf(range)
      .filter((hour) => expected(hour).parts.length > 0)
      .map(formatHour);

  it('lands a range in one request and reports it', async () => {
    const { code, report } = await run();
    expect(code).to.equal(0);
    await expectWhole();
    expect(windows()).to.deep.equal(['06-11']);
    const { hours, ...rest } = report();
    expect(hours.sealed).to.deep.equal(withData());
    expect(hours.empty.length + hours.sealed.length).to.equal(6);
    expect(hours).to.deep.include({ failed: [], pending: [], skipped: 0 });
    expect(rest).to.deep.include({
      command: 'export',
      range: { start: `${day}T06`, end: `${day}T12` },
      events: events(),
      requests: 1,
      retries: 0,
      exitCode: 0,
    });
  });

  it('writes the documented manifest', async () => {
    await run();
    const manifest = manifestsOf(await filesOf(data)).get(TARGET) as Manifest;
    expect(Object.keys(manifest)).to.deep.equal([
      'version',
      'date',
      'hour',
      'generation',
      'status',
      'project',
      'events',
      'bytes',
      'quarantined',
      'objects',
      'quarantine',
      'request',
      'sealedAt',
      'tool',
    ]);
    expect(Object.keys(manifest.objects[0] ?? {})).to.deep.equal([
      'key',
      'bytes',
      'crc32',
      'events',
      'member',
      'source',
    ]);
    expect(manifest.request).to.deep.include({ start: `${day}T06`, end: `${day}T12` });
    expect(manifest.sealedAt).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(manifest.tool).to.match(/^amplitude-to-s3 \d+\.\d+\.\d+$/);
  });

  it('lands members as received with OUTPUT_FORMAT=gzip', async () => {
    const { code } = await run([], { OUTPUT_FORMAT: 'gzip' });
    expect(code).to.equal(0);
    const files = await filesOf(data);
    const { parts } = expected(readHour(TARGET));
    const { objects } = manifestsOf(files).get(TARGET) as Manifest;
    expect(objects).to.have.length(parts.length);
    parts.forEach(({ json }, at) => {
      const stored = files.get(objects[at]?.key ?? '') ?? Buffer.alloc(0);
      expect(objects[at]?.key).to.match(/\.json\.gz$/);
      expect(zlib.gunzipSync(stored).equals(json)).to.equal(true);
      const crc32 = zlib.crc32(stored).toString(16).padStart(8, '0');
      expect(objects[at]).to.include({ bytes: stored.length, crc32, events: json.toString().split('\n').length - 1 });
      expect(objects[at]?.source.bytes).to.equal(json.length);
    });
  });

  it('requests and changes nothing the second time', async () => {
    await run();
    const before = await expectWhole();
    simulator.requests.length = 0;
    const { code, report } = await run();
    expect(code).to.equal(0);
    expect(simulator.requests).to.deep.equal([]);
    expect(report().hours).to.deep.include({ sealed: [], empty: [], skipped: 6 });
    expect(await filesOf(data)).to.deep.equal(before);
  });

  it('fills each hole with one request', async () => {
    await run();
    const before = await expectWhole();
    for (const hour of ['07', '10', '11']) await rm(join(data, `manifests/date=${day}/hour=${hour}.json`));
    simulator.requests.length = 0;
    expect((await run()).code).to.equal(0);
    expect(windows().sort()).to.deep.equal(['07-07', '10-11']);
    const after = await expectWhole();
    expect([...after.keys()]).to.deep.equal([...before.keys()]);
  });

  it('keeps to REQUEST_HOURS and REQUEST_CONCURRENCY', async () => {
    await run([], { REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '2' });
    expect(windows().sort()).to.deep.equal(['06-06', '07-07', '08-08', '09-09', '10-10', '11-11']);
    expect(Math.max(...simulator.requests.map(({ inFlight }) => inFlight))).to.be.at.most(2);
    await expectWhole();
  });

  it('asks for yesterday from T00 to T23 and for no hour of another day', async () => {
    const { report } = await run(['--yesterday'], { SETTLE_HOURS: '0' });
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    expect(report().range.start).to.equal(`${yesterday}T00`);
    const [first] = simulator.requests;
    expect(first?.start).to.equal(`${yesterday.replaceAll('-', '')}T00`);
    expect(first?.end?.startsWith(yesterday.replaceAll('-', ''))).to.equal(true);
  });

  it('names the pending hours of a range in the future, and exits 0', async () => {
    const { code, report } = await run(['--start', '2099-01-01', '--end', '2099-01-02']);
    expect(code).to.equal(0);
    expect(report().hours.pending).to.have.length(24);
    expect(simulator.requests).to.deep.equal([]);
  });

  it('says with --dry-run what it would request and why, and touches nothing', async () => {
    const { code, report, stdout } = await run(['--dry-run']);
    expect(code).to.equal(0);
    const { requests, hours } = report<DryRunReport>();
    expect(requests).to.have.length(1);
    expect(requests[0]).to.include({ start: `${day}T06`, end: `${day}T12`, reason: 'gap' });
    expect(hours).to.include({ planned: 6, skipped: 0 });
    expect(simulator.requests).to.deep.equal([]);
    expect((await filesOf(folder)).size).to.equal(0);
    expect(stdout.trim().startsWith('{')).to.equal(true);
    const told = await runProgram(['--dry-run', ...RANGE], environment());
    expect(told.stdout).not.to.include('"level"');
    expect(told.stdout).to.include(`request ${day}T06 to ${day}T12 (6 hours)`).and.include('not landed yet');
  });

  describe('where Amplitude fails for a while', () => {
    for (const spec of [
      'server-error*2',
      'bad-gateway*2',
      'unavailable*2',
      'reset*2',
      'rate-limit*1',
      'rate-limit-date*1',
      'rate-limit-silent*3',
      'html*2',
      'empty-body*2',
      'truncated-length*2',
      'cut-chunked*2',
      'truncated-zip*2',
      `half-gzip@${TARGET}*2`,
      `flipped-byte@${TARGET}*2`,
      'gateway-timeout*3',
      'stall-first-byte*1',
      'stall-body*1',
      'slow*1',
      'too-large*3',
      'bad-request*1',
    ]) {
      it(`lands everything after ${spec}`, async () => {
        faults(spec);
        const { code, report } = await run([], { EXPORT_FIRST_BYTE_TIMEOUT_S: '1', EXPORT_IDLE_TIMEOUT_S: '1' });
        expect(code, JSON.stringify(report().hours.failed)).to.equal(0);
        expect(report().requests).to.be.at.least(spec.startsWith('slow') ? 1 : 2);
        await expectWhole();
      });
    }
  });

  describe('where one hour fails for good', () => {
    for (const [spec, code, words] of [
      ['server-error', 'AMPLITUDE_SERVER', 'HTTP 500'],
      ['gateway-timeout', 'AMPLITUDE_SERVER', 'HTTP 504'],
      ['too-large', 'AMPLITUDE_TOO_LARGE', `adopt s3://BUCKET/PREFIX --start ${TARGET}`],
      ['truncated-length', 'ARCHIVE_TRUNCATED', 'broke off'],
      ['html', 'ARCHIVE_BROKEN', 'not a zip archive; it begins with'],
      ['flipped-byte', 'ARCHIVE_BROKEN', `${day}_9#0.json.gz does not inflate`],
      ['half-gzip', 'ARCHIVE_BROKEN', `${day}_9#0.json.gz does not inflate`],
      ['json-array', 'NOT_EVENTS', 'no line that is an event'],
      ['utf16', 'NOT_EVENTS', 'no line that is an event'],
      ['gzip-in-gzip', 'NOT_EVENTS', 'no line that is an event'],
      ['empty-member', 'NOT_EVENTS', 'no line that is an event'],
      ['zero-bytes-member', 'NOT_EVENTS', 'no line that is an event'],
    ] as const) {
      it(`halves down to it and lands the others: ${spec}`, async () => {
        faults(`${spec}@${TARGET}`);
        const ended = await run([], { EXPORT_MAX_ATTEMPTS: '3' });
        expect(ended.code).to.equal(3);
        const { failed } = ended.report().hours;
        expect(failed.map((failure) => [failure.hour, failure.code])).to.deep.equal([[TARGET, code]]);
        expect(failed[0]?.message).to.include(words);
        const files = await expectWhole([TARGET]);
        expect(manifestsOf(files).has(TARGET)).to.equal(false);
        simulator.faults.length = 0;
        simulator.requests.length = 0;
        expect((await run()).code).to.equal(0);
        expect(windows()).to.deep.equal(['09-09']);
        await expectWhole();
      });
    }

    it('gives up on a 400 that both halves get too, and quotes it', async () => {
      faults('bad-request');
      const { code, report } = await run();
      expect(code).to.equal(1);
      expect(report().requests).to.equal(3);
      expect(report().hours.failed).to.have.length(6);
      expect(report().hours.failed[0]).to.include({ code: 'AMPLITUDE_REFUSED_WINDOW' });
    });

    it('fails at once on a 400 that names a parameter', async () => {
      faults('bad-parameter');
      const { code, report } = await run();
      expect([code, report().requests]).to.deep.equal([1, 1]);
      expect(report().hours.failed[0]).to.include({ code: 'AMPLITUDE_BAD_REQUEST' });
    });

    it('never halves for a rate limit', async () => {
      faults('rate-limit');
      const { code, report } = await run([], { EXPORT_MAX_ATTEMPTS: '1', EXPORT_RATE_LIMIT_WAIT_S: '1' });
      expect([code, report().requests]).to.deep.equal([1, 2]);
      expect(windows()).to.deep.equal(['06-11', '06-11']);
    });
  });

  describe('where the limit of the API use is reached', () => {
    const hourly = { REQUEST_HOURS: '1', EXPORT_MAX_ATTEMPTS: '1' };

    it('waits for it without any Retry-After, and counts no attempt', async () => {
      faults('rate-limit-silent*8');
      const { code, report, stderr } = await run([], { ...hourly, EXPORT_RATE_LIMIT_WAIT_S: '30' });
      expect(code).to.equal(0);
      expect(report()).to.include({ retries: 8, requests: 14 });
      expect(stderr).to.include("the limit of this project's API use is reached (HTTP 429");
      await expectWhole();
    });

    it('ends the run once a window has waited long enough, and does not call the API down', async () => {
      faults('rate-limit-silent');
      const { code, report, stdout, stderr } = await run([], {
        ...hourly,
        REQUEST_CONCURRENCY: '1',
        EXPORT_RATE_LIMIT_WAIT_S: '1.5',
      });
      expect(code).to.equal(1);
      const [first, ...others] = report().hours.failed;
      expect(first).to.include({ hour: `${day}T06`, code: 'AMPLITUDE_RATE_LIMIT' });
      expect(first?.message)
        .to.include("the limit of this project's API use is reached (HTTP 429")
        .and.include('after waiting for 1.5 s')
        .and.include('other programs')
        .and.include('EXPORT_RATE_LIMIT_WAIT_S');
      expect(others.map((failure) => failure.code)).to.deep.equal(Array(5).fill('NOT_ATTEMPTED'));
      expect(others[0]?.message).to.include('AMPLITUDE_RATE_LIMIT');
      expect(report().seconds).to.be.within(1.4, 20);
      expect(report().requests).to.be.within(2, 4);
      expect(stdout + stderr).not.to.match(/\bdown\b/);
    });

    it('gives up on one window where Amplitude serves the others', async () => {
      faults(`rate-limit-silent@${TARGET}`);
      const ended = await run([], { ...hourly, REQUEST_CONCURRENCY: '2', EXPORT_RATE_LIMIT_WAIT_S: '1' });
      expect(ended.code).to.equal(3);
      const { failed } = ended.report().hours;
      expect(failed.map((failure) => [failure.hour, failure.code])).to.deep.equal([[TARGET, 'AMPLITUDE_RATE_LIMIT']]);
      await expectWhole([TARGET]);
    });
  });

  describe('where Amplitude refuses', () => {
    for (const spec of ['unauthorized', 'forbidden']) {
      it(`stops at once and exits 4 on ${spec}`, async () => {
        faults(spec);
        const { code, report, stderr } = await run([], { REQUEST_HOURS: '1' });
        expect(code).to.equal(4);
        expect(simulator.requests.length).to.be.at.most(4);
        expect(report().hours.failed).to.have.length(6);
        expect(stderr).to.include('AMPLITUDE_API_KEY').and.include('AMPLITUDE_REGION');
        expect(stderr)
          .to.include(`${new URL(simulator.url).host} refused the keys`)
          .and.include('analytics.eu.');
      });
    }

    it('exits 4 for a wrong key and shows no secret at any level, also not as Base64', async () => {
      const secret = 'very-secret-value-1234';
      const changed = { AMPLITUDE_SECRET_KEY: secret, LOG_LEVEL: 'debug' };
      const { code, stdout, stderr } = await run([], changed);
      expect(code).to.equal(4);
      const pair = Buffer.from(`simulator-key:${secret}`).toString('base64');
      for (const text of [secret, 'simulator-key', pair]) {
        expect(stdout + stderr).not.to.include(text);
      }
    });

    it('follows no redirect', async () => {
      faults('redirect');
      const { code, report } = await run();
      expect([code, report().requests]).to.deep.equal([1, 1]);
      expect(report().hours.failed[0]).to.include({ code: 'AMPLITUDE_REDIRECT' });
    });

    it('stops after five windows in a row without an answer: the API is down', async () => {
      faults('unavailable');
      const changed = { REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '1', EXPORT_MAX_ATTEMPTS: '2' };
      const { code, report } = await run([], changed);
      expect(code).to.equal(1);
      expect(report().requests).to.equal(10);
      expect(report().hours.failed.map((failure) => failure.code)).to.deep.equal([
        ...Array(5).fill('AMPLITUDE_SERVER'),
        'NOT_ATTEMPTED',
      ]);
    });

    it('stops in the same way for windows that are halved, long before it has tried every hour', async () => {
      faults('unavailable');
      const days = ['--start', '2026-03-01', '--end', '2026-03-08'];
      const { code, report } = await run(days, { REQUEST_CONCURRENCY: '2' });
      expect(code).to.equal(1);
      expect(report().requests).to.be.within(25, 70);
      expect(report().hours.failed).to.have.length(7 * 24);
    });

    it('waits for a connection no longer than EXPORT_CONNECT_TIMEOUT_S', async () => {
      const silent = createServer(() => undefined).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const changed = { AMPLITUDE_BASE_URL: `https://127.0.0.1:${port}`, EXPORT_CONNECT_TIMEOUT_S: '0.3' };
      const { code, report } = await run([], { ...changed, EXPORT_MAX_ATTEMPTS: '2' });
      silent.close();
      expect([code, report().requests]).to.deep.equal([1, 2]);
      expect(report().hours.failed[0]).to.include({ code: 'AMPLITUDE_UNREACHABLE' });
      expect(report().hours.failed[0]?.message).to.include('connecting took too long');
      expect(report().seconds).to.be.below(5);
    });

    it('says that it cannot connect', async () => {
      const ended = await run([], { AMPLITUDE_BASE_URL: 'http://127.0.0.1:9', EXPORT_MAX_ATTEMPTS: '2' });
      expect(ended.code).to.equal(1);
      expect(ended.report().hours.failed[0]).to.include({ code: 'AMPLITUDE_UNREACHABLE' });
      expect(ended.report().requests).to.equal(2);
    });
  });

  describe('whatever the archive looks like', () => {
    for (const spec of [
      'data-descriptors',
      'zip64',
      'directory-entries',
      'deflated',
      `complete-marks@${TARGET}`,
      `trailing-padding@${TARGET}`,
      `outside-window@${TARGET}`,
    ]) {
      for (const memory of ['64', '0']) {
        it(`lands it correctly: ${spec}, ${memory} MB of memory`, async () => {
          faults(spec);
          expect((await run([], { ARCHIVE_MEMORY_MB: memory })).code).to.equal(0);
          await expectWhole();
        });
      }
    }

    it('says which members it ignored', async () => {
      faults(`outside-window@${TARGET}`);
      const { stderr } = await run();
      expect(stderr).to.match(/Ignored 100011471\/100011471_2026-03-04_5#\d+\.json\.gz/);
    });

    for (const [spec, name] of [
      ['traversal', '../../evil.json.gz'],
      ['absolute', '/etc/evil.json.gz'],
      ['backslash', '\\\\'],
      ['duplicate-names', '_9#0.json.gz'],
      ['unparsable-name', 'cannot be read'],
      ['second-project', 'another project'],
    ]) {
      for (const memory of ['64', '0']) {
        it(`refuses it, naming the member: ${spec}, ${memory} MB of memory`, async () => {
          faults(`${spec}@${TARGET}`);
          const { code, report } = await run([], { ARCHIVE_MEMORY_MB: memory });
          expect(code).to.equal(1);
          expect(report().requests).to.equal(1);
          expect(report().hours.failed[0]).to.include({ code: 'ARCHIVE_REFUSED' });
          expect(report().hours.failed[0]?.message).to.include(name);
          expect((await filesOf(folder)).size).to.equal(0);
        });
      }
    }

    for (const spec of ['empty-archive', 'other-day']) {
      it(`requests an archive without a member of the window again, and seals nothing of it: ${spec}`, async () => {
        faults(`${spec}*1`);
        expect((await run()).report()).to.include({ exitCode: 0, retries: 1 });
        await expectWhole();
        faults(spec);
        const { code, report } = await run(['--force'], { EXPORT_MAX_ATTEMPTS: '2' });
        expect([code, report().requests]).to.deep.equal([1, 2]);
        expect(report().hours.failed[0]).to.include({ code: 'ARCHIVE_REFUSED' });
        expect(report().hours.failed[0]?.message).to.include('has no member of');
        await expectWhole();
      });
    }

    it('takes the project of a prefix from its manifests, whatever else is there', async () => {
      await run(['--start', `${day}T06`, '--end', `${day}T07`]);
      for (const name of ['.DS_Store', 'README.md', '0_notes.json']) await writeFile(join(data, 'events', name), 'x');
      const other = await startSimulator({ project: '777' });
      const ended = await run([], { AMPLITUDE_BASE_URL: other.url });
      await other.close();
      expect([ended.code, ended.report().hours.failed[0]?.code]).to.deep.equal([1, 'ARCHIVE_REFUSED']);
    });

    it('refuses another project than the one under the prefix', async () => {
      await run(['--start', `${day}T06`, '--end', `${day}T07`]);
      const other = await startSimulator({ project: '777' });
      const ended = await run([], { AMPLITUDE_BASE_URL: other.url });
      await other.close();
      expect(ended.code).to.equal(1);
      expect(ended.report().hours.failed[0]).to.include({ code: 'ARCHIVE_REFUSED' });
      expect(ended.report().hours.failed[0]?.message).to.include('100011471').and.include('777');
    });
  });

  describe('whatever the lines look like', () => {
    for (const spec of [
      'blank-lines',
      'no-last-newline',
      'crlf',
      'long-line',
      'line-separator',
      'bom',
      'two-gzip-streams',
    ]) {
      for (const format of ['json', 'gzip']) {
        it(`keeps the bytes and counts the events: ${spec} as ${format}`, async () => {
          faults(`${spec}@${TARGET}`);
          expect((await run([], { OUTPUT_FORMAT: format })).code).to.equal(0);
          const files = await filesOf(data);
          const manifest = manifestsOf(files).get(TARGET) as Manifest;
          expect(manifest).to.include({ quarantined: 0 });
          expect(manifest.events).to.equal(expected(readHour(TARGET)).events);
          const [object] = manifest.objects;
          const stored = files.get(object?.key ?? '') ?? Buffer.alloc(0);
          expect(object?.bytes).to.equal(stored.length);
          expect(object?.crc32).to.equal(zlib.crc32(stored).toString(16).padStart(8, '0'));
          const json = format === 'gzip' ? zlib.gunzipSync(stored) : stored;
          expect(object?.source).to.deep.equal({
            bytes: json.length,
            crc32: zlib.crc32(json).toString(16).padStart(8, '0'),
          });
          const lines = json
            .toString()
            .replace(/^\ufeff/, '')
            .split('\n')
            .filter((line) => line.trim() !== '');
          expect(lines).to.have.length(object?.events ?? -1);
          if (spec === 'bom') expect(json.subarray(0, 3).toString('hex')).to.equal('efbbbf');
          if (spec === 'crlf') expect(json.toString()).to.include('}\r\n');
        });
      }
    }

    for (const format of ['json', 'gzip']) {
      it(`puts a line that is no object into quarantine and lands the rest: ${format}`, async () => {
        faults(`bad-line@${TARGET}`);
        const { code, stderr, report } = await run([], { OUTPUT_FORMAT: format });
        expect(code).to.equal(0);
        expect(stderr).to.include('quarantine/');
        expect(report().quarantined).to.equal(1);
        const files = await filesOf(data);
        const manifest = manifestsOf(files).get(TARGET) as Manifest;
        const { parts } = expected(readHour(TARGET));
        expect(manifest).to.include({ quarantined: 1, events: expected(readHour(TARGET)).events });
        const stored = files.get(manifest.objects[0]?.key ?? '') ?? Buffer.alloc(0);
        const json = format === 'gzip' ? zlib.gunzipSync(stored) : stored;
        expect(json.equals(parts[0]?.json ?? Buffer.alloc(0))).to.equal(true);
        expect(manifest.objects[0]?.source.bytes).to.be.above(json.length);
        const quarantined = files.get(manifest.quarantine[0]?.key ?? '')?.toString() ?? '';
        expect(manifest.quarantine[0]?.key).to.equal(
          `quarantine/${hourFolder(readHour(TARGET))}/100011471_${TARGET}_0.1.${manifest.quarantine[0]?.crc32}.jsonl`,
        );
        const { line, reason, base64 } = JSON.parse(quarantined);
        expect(reason).to.equal('not_an_object');
        expect(line).to.be.above(1);
        expect(Buffer.from(base64, 'base64').toString().trim().endsWith('}')).to.equal(false);
      });
    }

    it('lands a line that does not parse, unless --strict is given', async () => {
      faults(`bad-json@${TARGET}`);
      await run();
      expect(manifestsOf(await filesOf(data)).get(TARGET)).to.include({ quarantined: 0 });
      await run(['--strict', '--force']);
      const files = await filesOf(data);
      expect(manifestsOf(files).get(TARGET)).to.include({ quarantined: 1, events: expected(readHour(TARGET)).events });
      const [path] = [...files.keys()].filter((name) => name.startsWith('quarantine/'));
      expect(JSON.parse(files.get(path ?? '')?.toString() ?? '{}')).to.include({ reason: 'invalid_json' });
    });
  });

  describe('asked again', () => {
    /** As if every hour had been sealed when it was just ready. */
    async function sealedEarly(): Promise<Map<string, Buffer>> {
      await run();
      for (const hour of hoursOf(range)) {
        const ready = new Date((hour + 3) * 3_600_000);
        await utimes(join(data, `manifests/${hourFolder(hour)}.json`), ready, ready);
      }
      simulator.requests.length = 0;
      return expectWhole();
    }
    const manifestOf = async (hour: string) => manifestsOf(await filesOf(data)).get(hour) as Manifest;

    it('writes only new manifests where nothing changed, and then never asks again', async () => {
      const before = await sealedEarly();
      const { code, report } = await run();
      expect([code, report().requests]).to.deep.equal([0, 1]);
      expect(report().hours.unchanged).to.have.length(6);
      const after = await expectWhole();
      expect([...after.keys()]).to.deep.equal([...before.keys()]);
      expect((await run()).report().hours.skipped).to.equal(6);
    });

    it('replaces an hour that grew', async () => {
      await sealedEarly();
      const { events: before, objects } = await manifestOf(TARGET);
      faults(`grown@${TARGET}`);
      const { code } = await run();
      expect(code).to.equal(0);
      const grown = await manifestOf(TARGET);
      expect(grown.events).to.be.above(before);
      expect(grown.objects).to.have.length(objects.length + 1);
      expect(grown.objects.slice(0, -1)).to.deep.equal(objects);
      const files = await expectWhole([TARGET]);
      for (const { key: name, bytes } of grown.objects) expect(files.get(name)?.length).to.equal(bytes);
    });

    it('lands an hour that was empty at first', async () => {
      faults(`empty-hour@${TARGET}`);
      await sealedEarlyWithFaults();
      expect(await manifestOf(TARGET)).to.include({ status: 'empty', project: '100011471', events: 0 });
      simulator.faults.length = 0;
      expect((await run()).code).to.equal(0);
      await expectWhole();
    });

    async function sealedEarlyWithFaults(): Promise<void> {
      await run();
      const ready = new Date((readHour(TARGET) + 3) * 3_600_000);
      await utimes(join(data, `manifests/${hourFolder(readHour(TARGET))}.json`), ready, ready);
    }

    for (const spec of ['shrunk', 'missing-member', 'empty-hour']) {
      it(`never shrinks an hour: ${spec}`, async () => {
        await sealedEarly();
        const before = await manifestOf(TARGET);
        faults(`${spec}@${TARGET}`);
        const { code, report, stderr } = await run();
        expect(code).to.equal(0);
        expect(stderr).to.include(`${TARGET} shrank`);
        expect(report().hours.shrunk).to.deep.equal([TARGET]);
        const after = await manifestOf(TARGET);
        expect(after).to.deep.include({ objects: before.objects, events: before.events, status: 'complete' });
        expect(after.shrunk?.events).to.be.below(before.events);
        await expectWhole();
        simulator.requests.length = 0;
        await run();
        expect(simulator.requests).to.deep.equal([]);
      });
    }

    it('ignores a 404 for a sealed hour', async () => {
      await sealedEarly();
      faults('no-data');
      const { code } = await run();
      expect(code).to.equal(0);
      expect((await manifestOf(TARGET)).shrunk).to.deep.include({ events: 0 });
      await expectWhole();
    });

    it('takes the smaller answer with --force, and deletes what it does not name', async () => {
      await run();
      const before = await manifestOf(TARGET);
      faults(`missing-member@${TARGET}`);
      expect((await run(['--force'])).code).to.equal(0);
      const after = await manifestOf(TARGET);
      expect(after.objects.length).to.equal(before.objects.length - 1);
      const stored = [...(await filesOf(data)).keys()].filter((name) =>
        name.startsWith(`events/${hourFolder(readHour(TARGET))}`),
      );
      expect(stored).to.deep.equal(after.objects.map(({ key: name }) => name));
    });

    it('replaces events by no data with --force=empty only', async () => {
      await run();
      const before = await manifestOf(TARGET);
      faults('no-data');
      const forced = await run(['--force']);
      expect(forced.code).to.equal(0);
      expect(forced.stderr).to.include('--force=empty');
      expect(await manifestOf(TARGET)).to.deep.include({ objects: before.objects, events: before.events });
      await expectWhole();
      expect((await run(['--force=empty'])).code).to.equal(0);
      expect(await manifestOf(TARGET)).to.include({ status: 'empty', events: 0, generation: 3 });
      expect([...(await filesOf(data)).keys()].filter((name) => name.startsWith('events/'))).to.deep.equal([]);
      const { code, stderr } = await run(['--force=all']);
      expect([code, stderr.includes('--force=empty')]).to.deep.equal([2, true]);
    });

    it('grows by one generation with each swap, and keeps the objects of members that did not change', async () => {
      await sealedEarly();
      const before = await manifestOf(TARGET);
      faults(`grown@${TARGET}`);
      expect((await run()).code).to.equal(0);
      const after = await manifestOf(TARGET);
      expect(after.generation).to.equal(before.generation + 1);
      for (const object of after.objects) {
        const old = before.objects.find(({ member }) => member === object.member);
        const same = old?.source.crc32 === object.source.crc32;
        expect(readKey(object.key)?.generation).to.equal(same ? readKey(old?.key ?? '')?.generation : after.generation);
      }
    });

    it('deletes a quarantine file that the new answer does not need', async () => {
      faults(`bad-line@${TARGET}`);
      await run();
      expect((await manifestOf(TARGET)).quarantined).to.equal(1);
      simulator.faults.length = 0;
      await run(['--force']);
      await expectWhole();
    });

    it('changes the format with --force', async () => {
      await run();
      expect((await run(['--force'], { OUTPUT_FORMAT: 'gzip' })).code).to.equal(0);
      const files = await filesOf(data);
      expect([...files.keys()].filter((name) => name.endsWith('.json') && name.startsWith('events/'))).to.deep.equal(
        [],
      );
      expect((await manifestOf(TARGET)).objects[0]?.key).to.match(/\.json\.gz$/);
    });

    it('warns once where hours that stay have another format', async () => {
      const hours = (from: string, to: string) => ['--start', `${day}T${from}`, '--end', `${day}T${to}`];
      const warned = async (args: readonly string[], format: string) =>
        (await run(args, { OUTPUT_FORMAT: format })).stderr.match(/has landed as .*?again with --force/g) ?? [];
      expect(await warned(hours('06', '08'), 'json')).to.deep.equal([]);
      const [first = '', ...more] = await warned(hours('06', '10'), 'gzip');
      expect(first).to.match(/^has landed as \.json\. This run writes \.json\.gz, as OUTPUT_FORMAT=gzip asks\./);
      expect(more).to.deep.equal([]);
      // The last hour to be sealed is .json.gz now: it was said, and no later run repeats it.
      expect(await warned(hours('06', '11'), 'gzip')).to.deep.equal([]);
      // No hour that has landed is in the range.
      expect(await warned(hours('11', '12'), 'json')).to.have.length(1);
      // Nothing stays as it is.
      expect(await warned([...hours('06', '12'), '--force'], 'json')).to.deep.equal([]);
    });

    it('leaves a manifest of a newer version alone and says so', async () => {
      await run();
      const path = join(data, `manifests/${hourFolder(readHour(TARGET))}.json`);
      await writeFile(path, JSON.stringify({ version: 2, hour: TARGET }));
      const { code, report } = await run(['--force']);
      expect(code).to.equal(3);
      expect(report().hours.failed).to.have.length(1);
      expect(report().hours.failed[0]).to.include({ hour: TARGET, code: 'MANIFEST_NEWER' });
    });

    it('replaces a manifest that is not JSON with --force', async () => {
      await run();
      await writeFile(join(data, `manifests/${hourFolder(readHour(TARGET))}.json`), 'half a mani');
      expect((await run(['--force'])).code).to.equal(0);
      await expectWhole();
    });
  });

  it('leaves what no manifest names, and sweeps partial files', async () => {
    const stray = `events/${hourFolder(readHour(TARGET))}/100011471_${TARGET}_7.1.00000000.json`;
    await mkdir(join(data, stray, '..'), { recursive: true });
    await writeFile(join(data, stray), 'stray');
    await writeFile(join(data, stray, '../.100011471.json.partial'), 'half');
    expect((await run()).code).to.equal(0);
    expect((await filesOf(data)).get(stray)?.toString()).to.equal('stray');
    await rm(join(data, stray));
    await expectWhole();
  });

  it('says which process holds the folder, and does nothing there', async () => {
    const log = hearingLog();
    const holder = new FileDestination(data, { signal: never, log });
    await holder.lock();
    const { code, stderr } = await run();
    await holder.close();
    expect(code).to.equal(1);
    expect(stderr).to.include('DESTINATION_LOCKED').and.include(`process ${process.pid}`);
    expect(simulator.requests).to.deep.equal([]);
    expect((await run()).code).to.equal(0);
    await expectWhole();
  });

  it('refuses a folder that cannot be made at once', async () => {
    const { code, stderr } = await run([], { DESTINATION: 'file:///proc/no-such-folder' });
    expect(code).to.equal(1);
    expect(stderr).to.include('/proc/no-such-folder');
  });
});
