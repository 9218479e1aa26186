import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { type Environment, loadSettings } from '../../src/config/settings.ts';
import { openDestination } from '../../src/destination/open.ts';
import type { Check } from '../../src/doctor/check.ts';
import { examine } from '../../src/doctor/doctor.ts';
import type { DoctorReport } from '../../src/doctor/report.ts';
import { bypasses } from '../../src/doctor/settings.ts';
import { roomCheck } from '../../src/doctor/space.ts';
import { formatHour, readyEnd } from '../../src/hours.ts';
import { agentsFor } from '../../src/network.ts';
import { eventsOfHour, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { filesOf, MAIN, runProgram } from '../support/program.ts';
import { type S3Server, startS3Server } from '../support/s3-server/server.ts';
import { hearingLog, s3Settings } from '../support/settings.ts';

const AMPLITUDE_SECRET = 'simulator-secret';
const AWS_SECRET = 'testsecret';

describe('doctor', () => {
  let simulator: Simulator;
  let s3: S3Server;
  let folder: string;
  let env: Record<string, string>;
  beforeEach(async () => {
    simulator = await startSimulator();
    s3 = await startS3Server();
    folder = await mkdtemp(join(tmpdir(), 'doctor-'));
    env = {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: AMPLITUDE_SECRET,
      DESTINATION: 's3://bucket/amplitude',
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: AWS_SECRET,
      AWS_REGION: 'us-east-1',
      WORK_DIR: folder,
    };
  });
  afterEach(async () => {
    await simulator.close();
    await s3.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The document of `doctor --json`, which is all that is on stdout. */
  async function examined(changed: Record<string, string> = {}) {
    const { code, report } = await runProgram(['doctor', '--json'], { ...env, ...changed });
    const { checks, exitCode, command } = report<DoctorReport>();
    expect({ command, exitCode }).to.deep.equal({ command: 'doctor', exitCode: code });
    return { code, checks, ...lookUp(checks) };
  }

  function lookUp(checks: readonly Check[]) {
    const named = (name: string) => {
      const found = checks.find(({ check }) => check === name);
      if (found === undefined) throw new Error(`no check is named ${name}`);
      return found;
    };
    const having = (status: Check['status']) =>
      checks.filter((each) => each.status === status).map(({ check }) => check);
    return { named, having };
  }

  /** The checks, with `now` as the clock. */
  async function examinedAt(now: () => Date, changed: Environment = {}) {
    const all = { ...env, ...changed };
    const options = { env: all, log: hearingLog(), now, signal: new AbortController().signal };
    return lookUp(await Array.fromAsync(examine(loadSettings(all), options)));
  }

  describe('with a working set-up', () => {
    it('in S3 says so after one request to the Export API, and leaves nothing behind', async () => {
      s3.objects.set('bucket/amplitude/doctor/of-somebody-else', {
        body: Buffer.from('x'),
        size: 1,
        etag: '"x"',
        headers: {},
        modifiedAt: new Date(),
      });
      const before = [...s3.objects.keys()];
      const { code, stdout, stderr } = await runProgram(['doctor'], env);
      expect([code, stderr]).to.deep.equal([0, '']);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.pop()).to.equal('Everything a run needs works.');
      expect(lines.map((line) => line.slice(0, 27).trimEnd().split(/ {2,}/))).to.deep.equal(
        [
          ...['settings', 'proxy', 'certificates', 'amplitude', 'write', 'conditional write', 'read', 'list', 'delete'],
          ...['landed', 'clock', 'work dir'],
        ].map((check) => ['ok', check]),
      );
      expect(stdout).to.include(`${simulator.url} → s3://bucket/amplitude in us-east-1 at ${s3.url}, json`);
      expect(stdout).to.include('AWS keys from AWS_ACCESS_KEY_ID').and.include('path addressing');
      expect(stdout).to.match(/clock .*s from Amplitude's, \d+ s from the store's/);
      expect([...s3.objects.keys()]).to.deep.equal(before);
      expect(s3.requests.some(({ key }) => key.startsWith('amplitude/doctor/probe-'))).to.equal(true);
      expect(simulator.requests).to.have.length(1);
      expect(await readdir(folder)).to.deep.equal([]);
    });

    it('in a folder leaves no lock, no probe and no new folder', async () => {
      const { code, having, named } = await examined({ DESTINATION: join(folder, 'a/b') });
      expect([code, having('ok').length]).to.deep.equal([0, 13]);
      expect(named('lock').message).to.include('created and locked');
      expect(await readdir(folder)).to.deep.equal([]);
      await mkdir(join(folder, 'there/doctor'), { recursive: true });
      await writeFile(join(folder, 'there/doctor/notes'), 'mine');
      expect((await examined({ DESTINATION: join(folder, 'there') })).code).to.equal(0);
      expect([...(await filesOf(folder)).keys()]).to.deep.equal(['there/doctor/notes']);
      expect(simulator.requests).to.have.length(2);
    });

    it('reads only the head of an archive', async () => {
      // The answer is an archive only for an hour with events.
      const last = readyEnd(new Date()) - 1;
      const settle = Array.from({ length: 24 }, (_, at) => at).find((at) => eventsOfHour(1, last - at, 200).events > 0);
      simulator.faults.push(parseFault('stall-body'));
      const { code, named } = await examined({ SETTLE_HOURS: `${settle}` });
      expect(code).to.equal(0);
      expect(named('amplitude').message)
        .to.include('HTTP 200')
        .and.include(formatHour(last - (settle ?? 0)));
    });

    it('names the project that has landed, and hides its probes from other commands', async () => {
      const range = ['--start', '2026-03-04T06', '--end', '2026-03-04T08'];
      expect((await runProgram(range, env)).code).to.equal(0);
      const keys = new Set(s3.objects.keys());
      expect((await examined()).named('landed').message).to.equal('project 100011471, from 2026-03-04T06 on');
      expect(new Set(s3.objects.keys())).to.deep.equal(keys);
      // This probe cannot be deleted.
      s3.faults.push({ operation: 'DeleteObjects', fault: 'access-denied' });
      await examined();
      expect(s3.objects.size).to.be.above(keys.size);
      expect((await runProgram(['verify'], env)).code).to.equal(0);
      expect((await runProgram(['status', ...range, '--fail-on-gaps'], env)).code).to.equal(0);
    });
  });

  describe('asks Amplitude and', () => {
    it('says that the keys are wrong, tries the rest and exits with 4', async () => {
      const { code, named, having } = await examined({ AMPLITUDE_SECRET_KEY: 'another-secret' });
      expect([code, having('failed'), having('skipped')]).to.deep.equal([4, ['amplitude'], []]);
      expect(named('amplitude')).to.include({ code: 'AMPLITUDE_CREDENTIALS' });
      expect(named('amplitude').message).to.include('HTTP 403').and.include('Invalid API Key');
      expect(named('amplitude').hint).to.include('AMPLITUDE_REGION');
      expect(s3.objects.size).to.equal(0);
    });

    it('only warns of a rate limit', async () => {
      simulator.faults.push(parseFault('rate-limit'));
      const { code, named } = await examined();
      expect(code).to.equal(0);
      expect(named('amplitude')).to.include({ status: 'warn', code: 'AMPLITUDE_RATE_LIMIT' });
      expect(simulator.requests).to.have.length(1);
    });

    for (const [fault, code, words] of [
      ['server-error', 'AMPLITUDE_SERVER', 'HTTP 500'],
      ['html', 'NOT_AMPLITUDE', 'HTTP 200, text/html'],
      ['html-404', 'NOT_AMPLITUDE', 'HTTP 404'],
      ['redirect', 'AMPLITUDE_REDIRECT', 'HTTP 302'],
    ] as const) {
      it(`fails with ${code} on ${fault}`, async () => {
        simulator.faults.push(parseFault(fault));
        const { code: exitCode, named, having } = await examined();
        expect([exitCode, having('failed')]).to.deep.equal([1, ['amplitude']]);
        expect(named('amplitude')).to.include({ code });
        expect(named('amplitude').message).to.include(words);
      });
    }

    it('takes a 404 in unusual words as no data, and quotes it', async () => {
      simulator.faults.push(parseFault('text-404'));
      const { code, named } = await examined();
      expect([code, named('amplitude').status]).to.deep.equal([0, 'warn']);
      expect(named('amplitude').message).to.include('No data was found for this time range.');
    });
  });

  describe('compares the clock and', () => {
    it('fails when Amplitude has another time', async () => {
      simulator.faults.push(parseFault('clock-ahead'));
      const { code, named, having } = await examined();
      expect([code, having('failed')]).to.deep.equal([1, ['clock']]);
      expect(named('clock')).to.include({ code: 'CLOCK_SKEW' });
      expect(named('clock').message).to.include("Amplitude's says").and.include('60 minutes apart');
    });

    it("fails when the store has another time, and Amplitude's answer has none", async () => {
      simulator.faults.push(parseFault('no-date'));
      const { named } = await examinedAt(() => new Date(Date.now() - 3_600_000));
      expect(named('clock')).to.include({ status: 'failed', code: 'CLOCK_SKEW' });
      expect(named('clock').message).to.include("the store's says");
      expect(named('write').status).to.equal('ok');
    });

    it('warns from one minute on, and shows seconds below', async () => {
      const late = await examinedAt(() => new Date(Date.now() + 3 * 60_000));
      expect(late.named('clock').status).to.equal('warn');
      expect(late.named('clock').message).to.match(/^1[78]\d s from Amplitude's, 1[78]\d s from the store's/);
      const good = await examinedAt(() => new Date(Date.now() + 30_000));
      expect(good.named('clock').status).to.equal('ok');
      expect(good.named('clock').message).to.match(/^(29|30) s from/);
    });
  });

  describe('tries a store and', () => {
    it('names the missing right to write, and tries what does not need it', async () => {
      s3.faults.push({ operation: 'PutObject', fault: 'access-denied' });
      const { code, named, having } = await examined();
      expect([code, having('failed')]).to.deep.equal([1, ['write']]);
      expect(having('skipped')).to.deep.equal(['conditional write', 'read']);
      expect(named('read').message).to.include('nothing could be written');
      expect(named('write')).to.include({ code: 'ACCESS_DENIED' });
      expect(named('write').hint).to.include('s3:PutObject');
    });

    for (const [operation, check, permission] of [
      ['GetObject', 'read', 's3:GetObject'],
      ['ListObjectsV2', 'list', 's3:ListBucket'],
    ] as const) {
      it(`names the missing right to ${check}, and deletes what it wrote`, async () => {
        s3.faults.push({ operation, fault: 'access-denied' });
        const { code, named, having } = await examined();
        expect(code).to.equal(1);
        expect(having('failed')).to.include(check);
        expect(named(check).hint).to.include(permission);
        expect(named('delete').status).to.equal('ok');
        expect(s3.objects.size).to.equal(0);
      });
    }

    it('accepts that it may not look for the deleted probe', async () => {
      const options = { env, log: hearingLog(), now: () => new Date(), signal: new AbortController().signal };
      const checks: Check[] = [];
      for await (const check of examine(loadSettings(env), options)) {
        checks.push(check);
        // S3 answers so for an absent key without s3:ListBucket.
        if (check.check === 'list') s3.faults.push({ operation: 'GetObject', fault: 'access-denied' });
      }
      expect(lookUp(checks).named('delete')).to.deep.equal({
        check: 'delete',
        status: 'ok',
        message: 'deleted; without s3:ListBucket the store does not say whether it is gone',
      });
      expect(s3.objects.size).to.equal(0);
    });

    it('names the objects that it may not delete', async () => {
      s3.faults.push({ operation: 'DeleteObjects', fault: 'access-denied' });
      const { code, named, having } = await examined();
      expect([code, having('failed')]).to.deep.equal([1, ['delete']]);
      const keys = [...s3.objects.keys()];
      expect(keys).to.have.length(2);
      for (const key of keys) expect(named('delete').message).to.include(`s3://${key}`);
      expect(named('delete').hint).to.include('s3:DeleteObject');
    });

    for (const [lack, fault, check, words, hint] of [
      [
        'conditions',
        { operation: 'PutObject', header: /^if-/ },
        'conditional write',
        'If-None-Match',
        'one run at a time',
      ],
      [
        'checksums',
        { operation: 'PutObject', header: /^x-amz-checksum-crc32$/ },
        'write',
        'x-amz-checksum-crc32',
        'AWS_REQUEST_CHECKSUM_CALCULATION=when_required',
      ],
      ['to delete many objects at once', { operation: 'DeleteObjects' }, 'delete', 'one request', 'Nothing to do'],
    ] as const) {
      it(`warns that it refuses ${lack}, and says what a run does then`, async () => {
        s3.faults.push({ ...fault, fault: 'not-implemented' });
        const { code, named, having } = await examined();
        expect([code, having('warn')]).to.deep.equal([0, [check]]);
        expect(named(check).message).to.include('the store refuses').and.include(words);
        expect(named(check).hint).to.include(hint);
        expect(s3.objects.size).to.equal(0);
      });
    }

    it('does not warn of checksums that are turned off on purpose', async () => {
      const { having, named } = await examined({ AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' });
      expect(having('warn')).to.deep.equal([]);
      expect(named('write').message).to.include('AWS_REQUEST_CHECKSUM_CALCULATION turns checksums off');
    });

    it('warns that it accepts conditions but ignores them', async () => {
      s3.faults.push({ operation: 'PutObject', fault: 'ignored-condition' });
      const { code, named } = await examined();
      expect([code, named('conditional write').status]).to.deep.equal([0, 'warn']);
      expect(named('conditional write').message)
        .to.include('or ignores them')
        .and.include('two runs at once are not safe');
      expect(s3.objects.size).to.equal(0);
    });

    for (const [changed, code, exitCode] of [
      [{ DESTINATION: 's3://missing/amplitude' }, 'BUCKET_MISSING', 1],
      [{ AWS_REGION: 'eu-west-1' }, 'WRONG_REGION', 1],
      [{ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }, 'DESTINATION_UNREACHABLE', 1],
      [{ AWS_ACCESS_KEY_ID: 'another-key' }, 'AWS_CREDENTIALS', 4],
    ] as const) {
      it(`reports ${code} once and exits with ${exitCode}`, async () => {
        const { code: ended, named, having } = await examined(changed);
        expect([ended, having('failed')]).to.deep.equal([exitCode, ['write']]);
        expect(having('skipped')).to.deep.equal(['conditional write', 'read', 'list', 'delete', 'landed']);
        expect(named('write')).to.include({ code });
        expect(named('write').hint).to.be.a('string');
      });
    }
  });

  describe('tries a folder and', () => {
    it('warns that another run holds it, and tries the rest', async () => {
      const address = { kind: 'file', folder } as const;
      const signal = new AbortController().signal;
      const held = openDestination(address, { s3: s3Settings(''), signal, log: hearingLog() });
      await held.lock();
      try {
        const { code, named, having } = await examined({ DESTINATION: folder });
        expect([code, having('warn')]).to.deep.equal([0, ['lock']]);
        expect(named('lock')).to.include({ code: 'DESTINATION_LOCKED' });
        expect(named('lock').message).to.include(`process ${process.pid}`);
      } finally {
        await held.close();
      }
      expect(await readdir(folder)).to.deep.equal([]);
    });

    it('fails once when it cannot be created', async () => {
      await writeFile(join(folder, 'file'), '');
      const { code, named, having } = await examined({ DESTINATION: join(folder, 'file/below') });
      expect([code, having('failed')]).to.deep.equal([1, ['lock']]);
      expect(named('lock').hint).to.include('DESTINATION');
      expect(await readFile(join(folder, 'file'), 'utf8')).to.equal('');
    });
  });

  it('fails when it cannot write to WORK_DIR', async () => {
    await writeFile(join(folder, 'file'), '');
    const { code, named, having } = await examined({ WORK_DIR: join(folder, 'file') });
    expect([code, having('failed')]).to.deep.equal([1, ['work dir']]);
    expect(named('work dir').hint).to.include('WORK_DIR');
  });

  it('warns of less than 2 GB', () => {
    const check = (freeBytes: number) => roomCheck('work dir', freeBytes, '/work', 'WORK_DIR');
    expect(check(2e9)).to.include({ status: 'ok', message: '2.0 GB free in /work' });
    expect(check(2e9 - 1e8)).to.include({ status: 'warn', message: '1.9 GB free in /work' });
  });

  describe('reads the settings and', () => {
    it('reports each problem, tries nothing else and exits with 2', async () => {
      const { code, checks } = await examined({ REQUEST_HOURS: 'x', AMPLITUDE_API_KEY: '' });
      expect(code).to.equal(2);
      expect(checks.map(({ check, status, code }) => [check, status, code])).to.deep.equal([
        ['settings', 'failed', 'CONFIG'],
        ['settings', 'failed', 'CONFIG'],
      ]);
      expect(checks[0]?.message).to.include('REQUEST_HOURS');
      expect(checks[1]?.message).to.include('AMPLITUDE_API_KEY');
      expect(checks[1]?.hint).to.include('.env.example');
      expect([simulator.requests.length, s3.requests.length]).to.deep.equal([0, 0]);
    });

    it('warns of misspelt names', async () => {
      const { code, checks } = await examined({ OUTPUT_FORMATT: 'gzip' });
      expect(code).to.equal(0);
      expect(checks[1]).to.include({ check: 'settings', status: 'warn' });
      expect(checks[1]?.message).to.include('did you mean OUTPUT_FORMAT?');
    });

    it('reports certificates that the program or Node.js cannot read', async () => {
      const missing = join(folder, 'ca.pem');
      const bundle = await examined({ AWS_CA_BUNDLE: missing });
      expect([bundle.code, bundle.having('failed')]).to.deep.equal([2, ['certificates']]);
      expect(bundle.named('certificates')).to.include({ code: 'CONFIG' });
      const extra = await examined({ NODE_EXTRA_CA_CERTS: missing });
      expect([extra.code, extra.having('warn')]).to.deep.equal([0, ['certificates']]);
      expect(extra.named('certificates').message).to.include('NODE_EXTRA_CA_CERTS').and.include('ENOENT');
    });

    it('names the proxy of each side, without its password', async () => {
      const { named, checks } = await examined({
        HTTP_PROXY: 'http://me:proxy-password@127.0.0.1:1',
        NO_PROXY: new URL(s3.url).host,
      });
      expect(named('proxy').message).to.equal(
        'Amplitude through http://[secret]@127.0.0.1:1, the store directly (NO_PROXY)',
      );
      expect(named('amplitude')).to.include({ status: 'failed', code: 'PROXY' });
      expect(named('write').status).to.equal('ok');
      expect(JSON.stringify(checks)).not.to.include('proxy-password');
    });
  });

  it('continues after a check that fails by a defect', async () => {
    const settings = loadSettings(env);
    const broken = { ...settings, amplitude: { ...settings.amplitude, baseUrl: 'no address' } };
    const options = { env, log: hearingLog(), now: () => new Date(), signal: new AbortController().signal };
    const { named } = lookUp(await Array.fromAsync(examine(broken, options)));
    expect(named('proxy')).to.include({ status: 'failed', code: 'INTERNAL' });
    expect(named('write').status).to.equal('ok');
  });

  describe('NO_PROXY', () => {
    /** Whether Node.js itself bypasses the proxy. Every name leads to this machine. */
    async function nodeBypasses(url: URL, noProxy: string, proxy: string): Promise<boolean> {
      const agents = agentsFor({ HTTP_PROXY: proxy, NO_PROXY: noProxy });
      try {
        const lookup = (_host: string, _options: object, found: (...args: unknown[]) => void) =>
          found(null, [{ address: '127.0.0.1', family: 4 }]);
        const request = http.get(url, { agent: agents.http, lookup: lookup as never });
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        return (await text(response)) === 'directly';
      } finally {
        agents.http.destroy();
      }
    }

    it('is read as Node.js reads it', async () => {
      const serve = async (words: string) => {
        const server = http.createServer((_, response) => response.end(words)).listen(0, '127.0.0.1');
        await once(server, 'listening');
        return { server, port: (server.address() as AddressInfo).port };
      };
      const [proxy, direct] = [await serve('by the proxy'), await serve('directly')];
      try {
        const { port } = direct;
        const entries = [
          '',
          '*',
          'a.example',
          `a.example:${port}`,
          'a.example:1',
          '.a.example',
          '.example',
          '*.example',
        ];
        const ranges = [
          '127.0.0.0-127.0.0.9',
          '127.0.0.2-127.0.0.9',
          'b.example, A.EXAMPLE',
          'xa.example',
          '127.0.0.1',
        ];
        for (const host of ['a.example', 'b.a.example', 'ba.example', '127.0.0.1']) {
          for (const entry of [...entries, ...ranges]) {
            const url = new URL(`http://${host}:${port}/`);
            const node = await nodeBypasses(url, entry, `http://127.0.0.1:${proxy.port}`);
            expect(bypasses(url, entry), `${host} with ${entry}`).to.equal(node);
          }
        }
      } finally {
        for (const { server } of [proxy, direct]) {
          server.close();
          server.closeAllConnections();
        }
      }
    });
  });

  describe('its output', () => {
    it('is a log line for each check with LOG_FORMAT=json and kestra', async () => {
      s3.faults.push({ operation: 'PutObject', header: /^if-/, fault: 'no-condition' });
      const json = await runProgram(['doctor'], { ...env, LOG_FORMAT: 'json', AMPLITUDE_SECRET_KEY: 'another-secret' });
      const lines = json.stdout.trimEnd().split('\n');
      const said = lines.map((line) => JSON.parse(line));
      expect(said.map(({ check }) => check).slice(0, 4)).to.deep.equal([
        'settings',
        'proxy',
        'certificates',
        'amplitude',
      ]);
      expect(said[3]).to.include({ level: 'error', code: 'AMPLITUDE_CREDENTIALS', status: 'failed' });
      expect(said[5]).to.include({ level: 'warn', check: 'conditional write' });
      expect(said.at(-1)).to.include({ level: 'error', exitCode: 4 });
      const kestra = await runProgram(['doctor'], { ...env, LOG_FORMAT: 'kestra' });
      expect(kestra.stdout).to.match(
        /^(::\{"logs":.*\}::\n)+::\{"outputs":\{"checks":12,.*\}::\n::\{"metrics":.*\}::\n$/,
      );
    });

    it('shows the remedy below what failed, and colours only on a terminal', async () => {
      const { stdout } = await runProgram(['doctor'], { ...env, DESTINATION: 's3://missing/amplitude' });
      expect(stdout).to.match(
        /^failed +write +BUCKET_MISSING {2}PutObject of s3:\/\/missing\/.*bucket does not exist/m,
      );
      expect(stdout).to.match(/^ {20,}→ Create the bucket/m);
      expect(stdout).to.match(/1 of 12 checks failed, 5 could not be tried\./);
      expect(stdout).not.to.include('\u001b');
    });

    it('goes to REPORT_FILE too', async () => {
      const file = join(folder, 'report.json');
      const { code } = await runProgram(['doctor'], { ...env, REPORT_FILE: file });
      expect(JSON.parse(await readFile(file, 'utf8'))).to.include({ command: 'doctor', exitCode: code });
    });

    it('has no secret in it, whatever fails and in whatever format', async () => {
      const secrets = { AMPLITUDE_SECRET_KEY: 'amplitudes-own-secret', AWS_SECRET_ACCESS_KEY: 'the-stores-own-secret' };
      const bad = { ...env, ...secrets, AMPLITUDE_BASE_URL: `${simulator.url}/amplitudes-own-secret` };
      for (const changed of [
        {},
        { LOG_FORMAT: 'json', LOG_LEVEL: 'debug' },
        { LOG_FORMAT: 'kestra' },
        { REQUEST_HOURS: secrets.AMPLITUDE_SECRET_KEY },
      ]) {
        for (const args of [['doctor'], ['doctor', '--json']]) {
          const { stdout, stderr } = await runProgram(args, { ...bad, ...changed });
          expect(stdout).to.include('settings');
          for (const secret of Object.values(secrets)) expect(stdout + stderr).not.to.include(secret);
        }
      }
    });
  });

  describe('after an interruption', () => {
    /** Sends `signal` once `reached` says so, and returns the exit code. */
    async function interrupt(changed: Record<string, string>, signal: NodeJS.Signals, reached: () => boolean) {
      const child: ChildProcess = spawn(process.execPath, [MAIN, 'doctor'], {
        env: { ...env, ...changed },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const closed = once(child, 'close');
      while (!reached()) await pause(10);
      child.kill(signal);
      const [code] = await closed;
      return code as number;
    }

    it('while Amplitude stalls, exits with 143 and leaves nothing', async () => {
      simulator.faults.push(parseFault('stall-first-byte'));
      const destination = join(folder, 'landing');
      const stalls = () => simulator.requests.length > 0;
      expect(await interrupt({ DESTINATION: destination }, 'SIGTERM', stalls)).to.equal(143);
      expect(await readdir(folder)).to.deep.equal([]);
    });

    it('while the store stalls, deletes what it wrote and exits with 130', async () => {
      s3.faults.push({ operation: 'GetObject', key: /probe-/, fault: 'stall' });
      const stalls = () => s3.requests.some(({ operation }) => operation === 'GetObject');
      expect(await interrupt({}, 'SIGINT', stalls)).to.equal(130);
      expect(s3.requests.some(({ operation }) => operation === 'PutObject')).to.equal(true);
      expect([...s3.objects.keys()]).to.deep.equal([]);
    });
  });
});
