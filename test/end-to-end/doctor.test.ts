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
import { bypasses } from '../../src/doctor/network.ts';
import type { DoctorReport } from '../../src/doctor/report.ts';
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

  /** The document of `doctor --json`; nothing but that is on stdout. */
  async function examined(changed: Record<string, string> = {}) {
    const { code, report } = await runProgram(['doctor', '--json'], { ...env, ...changed });
    const { checks, exitCode, command } = report<DoctorReport>();
    expect({ command, exitCode }).to.deep.equal({ command: 'doctor', exitCode: code });
    return { code, checks, ...lookUp(checks) };
  }

  function lookUp(checks: readonly Check[]) {
    const of = (name: string) => {
      const found = checks.find(({ check }) => check === name);
      if (found === undefined) throw new Error(`no check is named ${name}`);
      return found;
    };
    const having = (status: Check['status']) => checks.filter((check) => check.status === status).map((it) => it.check);
    return { of, having };
  }

  /** The checks by the clock `now`. */
  async function examinedAt(now: () => Date, changed: Environment = {}) {
    const all = { ...env, ...changed };
    const options = { env: all, log: hearingLog(), now, signal: new AbortController().signal };
    return lookUp(await Array.fromAsync(examine(loadSettings(all), options)));
  }

  describe('of a good set-up', () => {
    it('in S3 says that all works, by one request of the Export API, and leaves nothing behind', async () => {
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
      expect(stdout).to.include('AWS keys by AWS_ACCESS_KEY_ID').and.include('path addressing');
      expect(stdout).to.match(/clock .*s from Amplitude's, \d+ s from the store's/);
      expect([...s3.objects.keys()]).to.deep.equal(before);
      expect(s3.requests.some(({ key }) => key.startsWith('amplitude/doctor/probe-'))).to.equal(true);
      expect(simulator.requests).to.have.length(1);
      expect(await readdir(folder)).to.deep.equal([]);
    });

    it('in a folder leaves no lock, no probe, and none of the folders that it made', async () => {
      const { code, having, of } = await examined({ DESTINATION: join(folder, 'a/b') });
      expect([code, having('ok').length]).to.deep.equal([0, 13]);
      expect(of('lock').message).to.include('made and locked');
      expect(await readdir(folder)).to.deep.equal([]);
      await mkdir(join(folder, 'there/doctor'), { recursive: true });
      await writeFile(join(folder, 'there/doctor/notes'), 'mine');
      expect((await examined({ DESTINATION: join(folder, 'there') })).code).to.equal(0);
      expect([...(await filesOf(folder)).keys()]).to.deep.equal(['there/doctor/notes']);
      expect(simulator.requests).to.have.length(2);
    });

    it('reads no more of an archive than its head', async () => {
      // An hour that has events, so that the answer is an archive.
      const last = readyEnd(new Date()) - 1;
      const settle = Array.from({ length: 24 }, (_, at) => at).find((at) => eventsOfHour(1, last - at, 200).events > 0);
      simulator.faults.push(parseFault('stall-body'));
      const { code, of } = await examined({ SETTLE_HOURS: `${settle}` });
      expect(code).to.equal(0);
      expect(of('amplitude').message)
        .to.include('HTTP 200')
        .and.include(formatHour(last - (settle ?? 0)));
    });

    it('names the project that has landed, and no other command meets a probe', async () => {
      const range = ['--start', '2026-03-04T06', '--end', '2026-03-04T08'];
      expect((await runProgram(range, env)).code).to.equal(0);
      const keys = new Set(s3.objects.keys());
      expect((await examined()).of('landed').message).to.equal('project 100011471, from 2026-03-04T06 on');
      expect(new Set(s3.objects.keys())).to.deep.equal(keys);
      // One that could not be deleted.
      s3.faults.push({ operation: 'DeleteObjects', fault: 'access-denied' });
      await examined();
      expect(s3.objects.size).to.be.above(keys.size);
      expect((await runProgram(['verify'], env)).code).to.equal(0);
      expect((await runProgram(['status', ...range, '--fail-on-gaps'], env)).code).to.equal(0);
    });
  });

  describe('of Amplitude', () => {
    it('says that the keys are wrong, with exit code 4, and tries the rest', async () => {
      const { code, of, having } = await examined({ AMPLITUDE_SECRET_KEY: 'another-secret' });
      expect([code, having('failed'), having('skipped')]).to.deep.equal([4, ['amplitude'], []]);
      expect(of('amplitude')).to.include({ code: 'AMPLITUDE_CREDENTIALS' });
      expect(of('amplitude').message).to.include('HTTP 403').and.include('Invalid API Key');
      expect(of('amplitude').hint).to.include('AMPLITUDE_REGION');
      expect(s3.objects.size).to.equal(0);
    });

    it('warns of a limit, which passes', async () => {
      simulator.faults.push(parseFault('rate-limit'));
      const { code, of } = await examined();
      expect(code).to.equal(0);
      expect(of('amplitude')).to.include({ status: 'warn', code: 'AMPLITUDE_RATE_LIMIT' });
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
        const { code: exitCode, of, having } = await examined();
        expect([exitCode, having('failed')]).to.deep.equal([1, ['amplitude']]);
        expect(of('amplitude')).to.include({ code });
        expect(of('amplitude').message).to.include(words);
      });
    }

    it('takes a 404 of other words for no data, and quotes it', async () => {
      simulator.faults.push(parseFault('text-404'));
      const { code, of } = await examined();
      expect([code, of('amplitude').status]).to.deep.equal([0, 'warn']);
      expect(of('amplitude').message).to.include('No data was found for this time range.');
    });
  });

  describe('of the clock', () => {
    it('fails where Amplitude has another time', async () => {
      simulator.faults.push(parseFault('clock-ahead'));
      const { code, of, having } = await examined();
      expect([code, having('failed')]).to.deep.equal([1, ['clock']]);
      expect(of('clock')).to.include({ code: 'CLOCK_SKEW' });
      expect(of('clock').message).to.include("Amplitude's says").and.include('60 minutes apart');
    });

    it("fails where the store has another time, which Amplitude's answer does not tell", async () => {
      simulator.faults.push(parseFault('no-date'));
      const { of } = await examinedAt(() => new Date(Date.now() - 3_600_000));
      expect(of('clock')).to.include({ status: 'failed', code: 'CLOCK_SKEW' });
      expect(of('clock').message).to.include("the store's says");
      expect(of('write').status).to.equal('ok');
    });

    it('warns from a minute on, and tells seconds below', async () => {
      const late = await examinedAt(() => new Date(Date.now() + 3 * 60_000));
      expect(late.of('clock').status).to.equal('warn');
      expect(late.of('clock').message).to.match(/^1[78]\d s from Amplitude's, 1[78]\d s from the store's/);
      const good = await examinedAt(() => new Date(Date.now() + 30_000));
      expect(good.of('clock').status).to.equal('ok');
      expect(good.of('clock').message).to.match(/^(29|30) s from/);
    });
  });

  describe('of a store', () => {
    it('names the right to write that is missing, and what else could be tried', async () => {
      s3.faults.push({ operation: 'PutObject', fault: 'access-denied' });
      const { code, of, having } = await examined();
      expect([code, having('failed')]).to.deep.equal([1, ['write']]);
      expect(having('skipped')).to.deep.equal(['conditional write', 'read']);
      expect(of('read').message).to.include('nothing could be written');
      expect(of('write')).to.include({ code: 'ACCESS_DENIED' });
      expect(of('write').hint).to.include('s3:PutObject');
    });

    for (const [operation, check, permission] of [
      ['GetObject', 'read', 's3:GetObject'],
      ['ListObjectsV2', 'list', 's3:ListBucket'],
    ] as const) {
      it(`names the right to ${check} that is missing, and deletes what it wrote`, async () => {
        s3.faults.push({ operation, fault: 'access-denied' });
        const { code, of, having } = await examined();
        expect(code).to.equal(1);
        expect(having('failed')).to.include(check);
        expect(of(check).hint).to.include(permission);
        expect(of('delete').status).to.equal('ok');
        expect(s3.objects.size).to.equal(0);
      });
    }

    it('takes a refused look at the deleted probe for no failed delete', async () => {
      const options = { env, log: hearingLog(), now: () => new Date(), signal: new AbortController().signal };
      const checks: Check[] = [];
      for await (const check of examine(loadSettings(env), options)) {
        checks.push(check);
        // As S3 answers for an absent key without s3:ListBucket.
        if (check.check === 'list') s3.faults.push({ operation: 'GetObject', fault: 'access-denied' });
      }
      expect(lookUp(checks).of('delete')).to.deep.equal({
        check: 'delete',
        status: 'ok',
        message: 'deleted; without s3:ListBucket the store does not tell that it is gone',
      });
      expect(s3.objects.size).to.equal(0);
    });

    it('names what stays where it may not delete', async () => {
      s3.faults.push({ operation: 'DeleteObjects', fault: 'access-denied' });
      const { code, of, having } = await examined();
      expect([code, having('failed')]).to.deep.equal([1, ['delete']]);
      const keys = [...s3.objects.keys()];
      expect(keys).to.have.length(2);
      for (const key of keys) expect(of('delete').message).to.include(`s3://${key}`);
      expect(of('delete').hint).to.include('s3:DeleteObject');
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
      it(`warns of one that refuses ${lack}, and what a run does then`, async () => {
        s3.faults.push({ ...fault, fault: 'not-implemented' });
        const { code, of, having } = await examined();
        expect([code, having('warn')]).to.deep.equal([0, [check]]);
        expect(of(check).message).to.include('the store refuses').and.include(words);
        expect(of(check).hint).to.include(hint);
        expect(s3.objects.size).to.equal(0);
      });
    }

    it('does not warn of checksums that are left out on request', async () => {
      const { having, of } = await examined({ AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' });
      expect(having('warn')).to.deep.equal([]);
      expect(of('write').message).to.include('as AWS_REQUEST_CHECKSUM_CALCULATION asks');
    });

    it('warns of one that takes conditions and ignores them', async () => {
      s3.faults.push({ operation: 'PutObject', fault: 'ignored-condition' });
      const { code, of } = await examined();
      expect([code, of('conditional write').status]).to.deep.equal([0, 'warn']);
      expect(of('conditional write').message).to.include('or ignores them').and.include('two at once are not safe');
      expect(s3.objects.size).to.equal(0);
    });

    for (const [changed, code, exitCode] of [
      [{ DESTINATION: 's3://missing/amplitude' }, 'BUCKET_MISSING', 1],
      [{ AWS_REGION: 'eu-west-1' }, 'WRONG_REGION', 1],
      [{ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }, 'DESTINATION_UNREACHABLE', 1],
      [{ AWS_ACCESS_KEY_ID: 'another-key' }, 'AWS_CREDENTIALS', 4],
    ] as const) {
      it(`tells ${code} once, with exit code ${exitCode}`, async () => {
        const { code: ended, of, having } = await examined(changed);
        expect([ended, having('failed')]).to.deep.equal([exitCode, ['write']]);
        expect(having('skipped')).to.deep.equal(['conditional write', 'read', 'list', 'delete', 'landed']);
        expect(of('write')).to.include({ code });
        expect(of('write').hint).to.be.a('string');
      });
    }
  });

  describe('of a folder', () => {
    it('that another run holds warns, and tries the rest', async () => {
      const address = { kind: 'file', folder } as const;
      const signal = new AbortController().signal;
      const held = openDestination(address, { s3: s3Settings(''), signal, log: hearingLog() });
      await held.lock();
      try {
        const { code, of, having } = await examined({ DESTINATION: folder });
        expect([code, having('warn')]).to.deep.equal([0, ['lock']]);
        expect(of('lock')).to.include({ code: 'DESTINATION_LOCKED' });
        expect(of('lock').message).to.include(`process ${process.pid}`);
      } finally {
        await held.close();
      }
      expect(await readdir(folder)).to.deep.equal([]);
    });

    it('that cannot be made fails once', async () => {
      await writeFile(join(folder, 'file'), '');
      const { code, of, having } = await examined({ DESTINATION: join(folder, 'file/below') });
      expect([code, having('failed')]).to.deep.equal([1, ['lock']]);
      expect(of('lock').hint).to.include('DESTINATION');
      expect(await readFile(join(folder, 'file'), 'utf8')).to.equal('');
    });
  });

  it('says that WORK_DIR cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    const { code, of, having } = await examined({ WORK_DIR: join(folder, 'file') });
    expect([code, having('failed')]).to.deep.equal([1, ['work dir']]);
    expect(of('work dir').hint).to.include('WORK_DIR');
  });

  it('warns of less than 2 GB', () => {
    const at = { folder: '/work', use: '', variable: 'WORK_DIR' };
    expect(roomCheck('work dir', 2e9, at)).to.include({ status: 'ok', message: '2.0 GB free in /work' });
    expect(roomCheck('work dir', 2e9 - 1e8, at)).to.include({ status: 'warn', message: '1.9 GB free in /work' });
  });

  describe('of settings', () => {
    it('that cannot be used tells each problem, exits with 2 and tries nothing else', async () => {
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

    it('that look misspelt are warned of', async () => {
      const { code, checks } = await examined({ OUTPUT_FORMATT: 'gzip' });
      expect(code).to.equal(0);
      expect(checks[1]).to.include({ check: 'settings', status: 'warn' });
      expect(checks[1]?.message).to.include('did you mean OUTPUT_FORMAT?');
    });

    it('of certificates that cannot be read are told, Node.js or the program being their reader', async () => {
      const missing = join(folder, 'ca.pem');
      const bundle = await examined({ AWS_CA_BUNDLE: missing });
      expect([bundle.code, bundle.having('failed')]).to.deep.equal([2, ['certificates']]);
      expect(bundle.of('certificates')).to.include({ code: 'CONFIG' });
      const extra = await examined({ NODE_EXTRA_CA_CERTS: missing });
      expect([extra.code, extra.having('warn')]).to.deep.equal([0, ['certificates']]);
      expect(extra.of('certificates').message).to.include('NODE_EXTRA_CA_CERTS').and.include('ENOENT');
    });

    it('names the proxy of each side, without its password', async () => {
      const { of, checks } = await examined({
        HTTP_PROXY: 'http://me:proxy-password@127.0.0.1:1',
        NO_PROXY: new URL(s3.url).host,
      });
      expect(of('proxy').message).to.equal(
        'Amplitude through http://[secret]@127.0.0.1:1, the store directly, by NO_PROXY',
      );
      expect(of('amplitude')).to.include({ status: 'failed', code: 'PROXY' });
      expect(of('write').status).to.equal('ok');
      expect(JSON.stringify(checks)).not.to.include('proxy-password');
    });
  });

  it('goes on where it cannot tell the way to a side', async () => {
    const settings = loadSettings(env);
    const broken = { ...settings, amplitude: { ...settings.amplitude, baseUrl: 'no address' } };
    const options = { env, log: hearingLog(), now: () => new Date(), signal: new AbortController().signal };
    const { of } = lookUp(await Array.fromAsync(examine(broken, options)));
    expect(of('proxy')).to.include({ status: 'failed', code: 'INTERNAL' });
    expect(of('write').status).to.equal('ok');
  });

  describe('NO_PROXY', () => {
    /** Whether Node.js itself leaves the proxy out; every name leads to this machine. */
    async function left(url: URL, noProxy: string, proxy: string): Promise<boolean> {
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
            const node = await left(url, entry, `http://127.0.0.1:${proxy.port}`);
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

  describe('what is said', () => {
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

    it('shows the remedy below what failed, and no colour where no terminal is', async () => {
      const { stdout } = await runProgram(['doctor'], { ...env, DESTINATION: 's3://missing/amplitude' });
      expect(stdout).to.match(
        /^failed +write +BUCKET_MISSING {2}PutObject of s3:\/\/missing\/.*bucket does not exist/m,
      );
      expect(stdout).to.match(/^ {20,}→ Create the bucket/m);
      expect(stdout).to.match(/1 of 12 checks failed, 5 could not be tried\./);
      expect(stdout).not.to.include('\u001b');
    });

    it('is kept in REPORT_FILE too', async () => {
      const file = join(folder, 'report.json');
      const { code } = await runProgram(['doctor'], { ...env, REPORT_FILE: file });
      expect(JSON.parse(await readFile(file, 'utf8'))).to.include({ command: 'doctor', exitCode: code });
    });

    it('holds no secret, whatever fails and however it is said', async () => {
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

  describe('interrupted', () => {
    /** Ends the program by `signal` once `reached` says so. */
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

    it('while Amplitude stalls ends with 143 and leaves nothing', async () => {
      simulator.faults.push(parseFault('stall-first-byte'));
      const destination = join(folder, 'landing');
      const stalls = () => simulator.requests.length > 0;
      expect(await interrupt({ DESTINATION: destination }, 'SIGTERM', stalls)).to.equal(143);
      expect(await readdir(folder)).to.deep.equal([]);
    });

    it('while the store stalls deletes what it wrote, and ends with 130', async () => {
      s3.faults.push({ operation: 'GetObject', key: /probe-/, fault: 'stall' });
      const stalls = () => s3.requests.some(({ operation }) => operation === 'GetObject');
      expect(await interrupt({}, 'SIGINT', stalls)).to.equal(130);
      expect(s3.requests.some(({ operation }) => operation === 'PutObject')).to.equal(true);
      expect([...s3.objects.keys()]).to.deep.equal([]);
    });
  });
});
