import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { Progress } from '../../src/cli/progress.ts';
import { FAULTS, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { nodeHint, nodeProblem, VERSION } from '../../src/version.ts';
import { type ExportReport, filesOf, manifestsOf, runProgram } from '../support/program.ts';

const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T08'];

describe('the version of Node.js', () => {
  it('is said where it is too old, before anything fails for that', () => {
    expect(nodeProblem('v20.19.5')).to.include('v20.19.5').and.include('24');
    expect(nodeProblem('v9.0.0')).not.to.equal(undefined);
    expect(nodeProblem('v24.4.1')).to.include('24.5');
    for (const version of [process.version, 'v24.5.0', 'v25.0.0', 'v100.1.2'])
      expect(nodeProblem(version)).to.equal(undefined);
  });

  it('comes with the way out by how the program was started: never the command that has just failed', () => {
    expect(nodeHint(true)).to.include('`npm ci` without --ignore-scripts').and.not.include('npm start');
    expect(nodeHint(false)).to.include('`npm start`').and.include('`npm ci --ignore-scripts`');
  });
});

describe('the command line', () => {
  const run = (...args: string[]) => runProgram(args, {});

  it('prints help on stdout, with examples, every command and the exit codes', async () => {
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { code, stdout, stderr } = await run(...args);
      expect([code, stderr]).to.deep.equal([0, '']);
      for (const word of ['Examples', 'export', 'simulate', 'demo', '--dry-run', '--strict', 'Exit codes', '130/143']) {
        expect(stdout).to.include(word);
      }
    }
    const { stdout } = await run('simulate', '--help');
    for (const name of Object.keys(FAULTS)) expect(stdout).to.include(name);
  });

  it('prints its version', async () => {
    expect((await run('--version')).stdout).to.equal(`${VERSION}\n`);
  });

  for (const [args, words] of [
    [['exprot'], '"exprot" is no command'],
    [['--frobnicate'], 'export has no flag --frobnicate.'],
    [['export', '--start'], '--start needs a value.'],
    [['export', 'yesterday'], 'export has no flag "yesterday".'],
    [['status', '--json=1'], '--json takes no value.'],
    [['simulate', '--port', 'x'], '--port is "x"'],
    [['status', '--since-first'], '--all'],
    [['status', '--constructor'], 'status has no flag --constructor.'],
    [['constructor'], '"constructor" is no command'],
    [['simulate', '--fault', 'no-such-fault'], 'no-such-fault'],
    [['status', '--html', '--files'], '--html needs a value, and --files looks like a flag.'],
    [['status', '--fail-on-gaps', '2d'], '→ Write --fail-on-gaps=2d.'],
    [['--force', 'empty'], '→ Write --force=empty.'],
  ] as const) {
    it(`refuses ${args.join(' ')} with one line, the next step and exit code 2`, async () => {
      const { code, stdout, stderr } = await runProgram(args, { LOG_FORMAT: 'pretty' });
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.include(words);
      expect(stderr.trim().split('\n')).to.have.length(2);
      expect(stderr).to.match(/^ +→ /m);
    });
  }

  for (const [args, meant] of [
    [['exprot'], 'export'],
    [['staus'], 'status'],
    [['--days', '30'], '--lookback-days'],
    [['--lookback=30'], '--lookback-days'],
    [['--form'], '--force'],
    [['--start-date', '2026-11-20'], '--start'],
    [['status', '--failongaps'], '--fail-on-gaps'],
    [['verify', '--checksum'], '--checksums'],
    [['export', 'yesterday'], '--yesterday'],
  ] as const) {
    it(`asks whether ${args.join(' ')} means ${meant}`, async () => {
      const { code, stderr } = await runProgram(args, { LOG_FORMAT: 'pretty' });
      expect(code).to.equal(2);
      expect(stderr).to.include(` Did you mean ${meant}?`);
    });
  }

  for (const [args, kept, script, written] of [
    [[], { dry_run: 'true' }, 'start', 'npm start -- --dry-run'],
    [
      ['export'],
      { yesterday: 'true', start: '2026-11-20' },
      'start',
      'npm start -- export --start=2026-11-20 --yesterday',
    ],
    [['2026-11-20'], { start: 'true' }, 'start', 'npm start -- --start=…'],
    [['status'], { fail_on_gaps: '1d' }, 'start', 'npm start -- status --fail-on-gaps=1d'],
    [['status'], { fail_on_gaps: 'true', events: '' }, 'start', 'npm start -- status --no-events --fail-on-gaps'],
    [['reconcile', './x'], { dry_run: 'true' }, 'start', 'npm start -- reconcile ./x --dry-run'],
    [['simulate', 'a', 'b'], { fault: 'true\n\ntrue' }, 'start', 'npm start -- simulate --fault=… --fault=…'],
    [['demo', 'x'], { data: 'true' }, 'demo', 'npm run demo -- --data=…'],
  ] as const) {
    it(`refuses to run without what npm has kept: ${written}`, async () => {
      const config = Object.fromEntries(Object.entries(kept).map(([name, value]) => [`npm_config_${name}`, value]));
      const env = { LOG_FORMAT: 'pretty', npm_lifecycle_event: script, ...config };
      const { code, stdout, stderr } = await runProgram(args, env);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.match(/error USAGE: npm kept --\S+( and --\S+)? for itself\.\n/);
      expect(stderr).to.include(`→ Write \`${written}\`: what stands before -- is npm's.`);
    });
  }

  it('takes nothing from npm that an .npmrc says, that is off, or that stands behind -- too', async () => {
    const npm = { npm_lifecycle_event: 'start', npm_config_force: 'true', npm_config_json: 'true' };
    for (const [args, more] of [
      [['status'], {}],
      [['status', '--all'], { npm_config_all: 'true' }],
      [['-n'], { npm_config_dry_run: 'true' }],
      [['status'], { npm_config_all: 'false', npm_config_files: '' }],
      [['status'], { npm_config_all: 'true', npm_lifecycle_event: 'test' }],
    ] as const) {
      const { code, stderr } = await runProgram(args, { LOG_FORMAT: 'pretty', ...npm, ...more });
      expect(code).to.equal(2);
      expect(stderr).to.include('DESTINATION is not set').and.not.include('npm kept');
    }
  });

  it('guesses nothing where no name is near', async () => {
    for (const args of [['--frobnicate'], ['landing'], ['--x'], ['-x']]) {
      expect((await run(...args)).stdout).not.to.include('Did you mean');
    }
  });

  for (const [args, names] of [
    [
      ['--start', '2026-02-30', '--force=x'],
      ['AMPLITUDE_API_KEY', 'DESTINATION', '--start', '--force=x'],
    ],
    [
      ['--lookback-days', 'week'],
      ['AMPLITUDE_API_KEY', 'DESTINATION', '--lookback-days', 'EXPORT_END'],
    ],
    [
      ['status', '--end', 'x', '--fail-on-gaps=soon', '--html', '~ana/x'],
      ['DESTINATION', '--end', '--fail-on', '--html'],
    ],
    [
      ['status', '--lookback-days', '0'],
      ['DESTINATION', '--lookback-days', 'EXPORT_END'],
    ],
    [
      ['verify', '--start', '2026-11-21', '--end', '2026-11-20'],
      ['DESTINATION', '(--end) is not after'],
    ],
    [
      ['reconcile', 'C:\\exports'],
      ['DESTINATION', 'DIR is "C:', 'EXPORT_END'],
    ],
    [['reconcile'], ['DESTINATION', 'reconcile needs DIR, the folder that holds the files.']],
    [
      ['reconcile', 'a', 'b'],
      ['DESTINATION', 'reconcile takes one DIR at a time.'],
    ],
  ] as const) {
    it(`names what is wrong with the flags and the settings at once: ${args.join(' ')}`, async () => {
      const { code, stderr } = await runProgram(args, { LOG_FORMAT: 'pretty', EXPORT_END: '2026-11-31' });
      expect(code).to.equal(2);
      for (const name of names) expect(stderr).to.include(name);
    });
  }

  it('names all that is wrong with the settings at once, and exits 2', async () => {
    const { code, stderr } = await runProgram([], {
      LOG_FORMAT: 'pretty',
      OUTPUT_FORMAT: 'parquet',
      REQUEST_HOURS: 'x',
    });
    expect(code).to.equal(2);
    for (const name of ['AMPLITUDE_API_KEY', 'AMPLITUDE_SECRET_KEY', 'DESTINATION', 'OUTPUT_FORMAT', 'REQUEST_HOURS']) {
      expect(stderr).to.include(name);
    }
  });

  it('with --json writes one document also where there is no report', async () => {
    const { code, report } = await runProgram(['--json'], {});
    expect(code).to.equal(2);
    expect(report<{ error: { code: string } }>().error.code).to.equal('CONFIG');
    const usage = await runProgram(['--json', '--nonsense'], {});
    expect(usage.report<{ error: { code: string } }>().error.code).to.equal('USAGE');
  });
});

describe('what is said', () => {
  let simulator: Simulator;
  let folder: string;
  beforeEach(async () => {
    simulator = await startSimulator({ eventsPerHour: 10 });
    folder = await mkdtemp(join(tmpdir(), 'said-'));
  });
  afterEach(async () => {
    await simulator.close();
    await rm(folder, { recursive: true, force: true });
  });
  const run = (changed: Record<string, string> = {}, args: readonly string[] = RANGE) =>
    runProgram(args, {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      DESTINATION: folder,
      EXPORT_BACKOFF_MS: '1',
      ...changed,
    });

  it('is JSON lines on stdout where no terminal is, and nothing on stderr', async () => {
    const { stdout, stderr } = await run();
    expect(stderr).to.equal('');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const line of lines) expect(line).to.include.keys('time', 'level', 'msg', 'run');
    expect(new Set(lines.map((line) => line.run)).size).to.equal(1);
    expect(lines.at(-1)).to.include({ sealed: 2, failed: 0, exitCode: 0 });
  });

  it('is for people with LOG_FORMAT=pretty: what landed, what failed, what to do; without colours', async () => {
    simulator.faults.push(parseFault('server-error@2026-03-04T07'));
    const { code, stdout, stderr } = await run({ LOG_FORMAT: 'pretty', EXPORT_MAX_ATTEMPTS: '2' });
    expect([code, stdout]).to.deep.equal([3, '']);
    expect(stderr)
      .to.include('landed     1 hour')
      .and.include('failed     1 hour')
      .and.include('    AMPLITUDE_SERVER: 2026-03-04T07\n');
    expect(stderr)
      .to.include('run the same command again: it requests this hour if it is still in its range.')
      .and.include('HTTP 500');
    expect(stderr).not.to.include('\u001b');
    expect(stderr).not.to.match(/^\s+at /m);
  });

  it("speaks Kestra's protocol with LOG_FORMAT=kestra: levels, outputs and metrics", async () => {
    simulator.faults.push(parseFault('server-error@2026-03-04T07'));
    const { stdout, stderr } = await run({ LOG_FORMAT: 'kestra', EXPORT_MAX_ATTEMPTS: '2' });
    expect(stderr).to.equal('');
    const said = stdout
      .trim()
      .split('\n')
      .map((line) => {
        expect(line).to.match(/^::(\{.*})::$/);
        return JSON.parse(line.slice(2, -2));
      });
    const levels = said.flatMap(({ logs = [] }) => logs.map(({ level }: { level: string }) => level));
    expect(new Set(levels)).to.deep.equal(new Set(['INFO', 'WARN', 'ERROR']));
    const outputs = Object.assign({}, ...said.map((line) => line.outputs));
    expect(outputs).to.include({ hoursSealed: 1, hoursFailed: 1, failedHours: '2026-03-04T07', exitCode: 3 });
    expect(outputs).to.include({ start: '2026-03-04T06', end: '2026-03-04T08', manifests: `${folder}/manifests/` });
    const metrics = said.flatMap((line) => line.metrics ?? []);
    expect(metrics.map(({ name, type }) => `${name} ${type}`)).to.include.members([
      'events counter',
      'bytes counter',
      'requests counter',
      'retries counter',
      'seconds timer',
    ]);
  });

  for (const args of [['export', '--dry-run'], ['export'], ['status'], ['verify'], ['reconcile'], ['doctor']]) {
    const on = async (format: string) => {
      const local = join(folder, 'local');
      await mkdir(local, { recursive: true });
      await writeFile(join(local, 'notes.txt'), '');
      const range = args[0] === 'reconcile' ? [local] : args[0] === 'doctor' ? [] : RANGE;
      return await run({ LOG_FORMAT: format, DESTINATION: join(folder, 'hours') }, [...args, ...range]);
    };

    it(`has no end of a line within a message of the log, and the numbers last: ${args.join(' ')}`, async () => {
      const { code, stdout } = await on('json');
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      for (const { msg } of lines) expect(msg).not.to.include('\n');
      expect(lines.at(-1).exitCode).to.equal(code);
    });

    if (args.includes('--dry-run')) continue;
    it(`gives Kestra outputs and metrics: ${args.join(' ')}`, async () => {
      const { code, stdout } = await on('kestra');
      const said = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line.slice(2, -2)));
      const [{ outputs }, { metrics }] = said.slice(-2);
      expect(outputs.exitCode).to.equal(code);
      for (const { name, type, value } of metrics) {
        expect([typeof name, typeof value]).to.deep.equal(['string', 'number']);
        expect(type).to.be.oneOf(['counter', 'timer', 'gauge']);
        // A dashboard adds up what has one name.
        expect(name.startsWith(`${args[0]}.`), name).to.equal(args[0] !== 'export');
      }
    });
  }

  for (const format of ['pretty', 'json', 'kestra']) {
    it(`says once what concerns many hours, then the hours: ${format}`, async () => {
      const refused = { AMPLITUDE_SECRET_KEY: 'wrong-secret', REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '1' };
      const { code, stdout, stderr } = await run({ ...refused, LOG_FORMAT: format });
      const said = stdout + stderr;
      expect(code).to.equal(4);
      expect(said.split('Check AMPLITUDE_API_KEY')).to.have.length(2);
      expect(said.split('HTTP 403')).to.have.length(2);
      expect(said).to.include('AMPLITUDE_CREDENTIALS: 2026-03-04T06').and.include('NOT_ATTEMPTED: 2026-03-04T07');
    });
  }

  it('names for each hour of the report what ended the run, without its words', async () => {
    const refused = { AMPLITUDE_SECRET_KEY: 'wrong-secret', REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '1' };
    const { report } = await run(refused, [...RANGE, '--json']);
    expect(report().hours.failed[1]).to.deep.equal({
      hour: '2026-03-04T07',
      code: 'NOT_ATTEMPTED',
      message: 'Not attempted: the run ended first (AMPLITUDE_CREDENTIALS).',
    });
  });

  it('says of each window that has landed what it held, and how many hours are left', async () => {
    const { stdout } = await run({ REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '1' });
    const said = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ left }) => left !== undefined);
    expect(said.map(({ level, hours, left, of }) => [level, hours, left, of])).to.deep.equal([
      ['info', 1, 1, 2],
      ['info', 1, 0, 2],
    ]);
    expect(said[0].msg).to.match(/^2026-03-04T06 to 2026-03-04T07: 1 hour, \d+ events?, .* 1 of 2 hours is left\.$/);
    expect(said[1].msg).to.match(/ 0 of 2 hours are left\.$/);
  });

  it('keeps what is quoted in REPORT_FILE printable too', async () => {
    const file = join(folder, 'report.json');
    const server = createServer((_, response) => response.writeHead(400).end('no \u001b[31m\u202e\u009b such'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { stdout } = await run({ AMPLITUDE_BASE_URL: url, REPORT_FILE: file }, [...RANGE, '--json']);
    server.close();
    const [failed] = (JSON.parse(stdout) as ExportReport).hours.failed;
    expect(failed?.message).to.include('\\u{1b}[31m\\u{202e}\\u{9b} such');
    for (const text of [stdout, await readFile(file, 'utf8')]) {
      for (const sign of ['\u001b', '\u202e', '\u009b', '\\u001b']) expect(text).not.to.include(sign);
    }
  });

  it('keeps its report in REPORT_FILE, whatever else it prints', async () => {
    const file = join(folder, 'run-report.json');
    const read = async () => JSON.parse(await readFile(file, 'utf8'));
    simulator.faults.push(parseFault('too-large@2026-03-04T07'));
    expect((await run({ LOG_FORMAT: 'kestra', REPORT_FILE: file })).code).to.equal(3);
    expect(await read()).to.deep.include({ command: 'export', exitCode: 3 });
    simulator.faults.length = 0;
    const { report } = await run({ REPORT_FILE: file }, [...RANGE, '--json', '--dry-run']);
    expect(await read()).to.deep.equal(report());
  });

  it('lands the hours also where its report cannot be written', async () => {
    const { code, stdout } = await run({ REPORT_FILE: join(folder, 'nowhere', 'report.json') });
    expect(code).to.equal(0);
    expect(stdout).to.include('REPORT_FILE').and.include('ENOENT');
  });

  it('shows stacks at debug level only', async () => {
    const quiet = await run({ AMPLITUDE_SECRET_KEY: 'wrong-secret' });
    expect(quiet.stdout).not.to.match(/\\n\s+at /);
    const debug = await run({ AMPLITUDE_SECRET_KEY: 'wrong-secret', LOG_LEVEL: 'debug' });
    expect(debug.stdout).to.match(/\\n\s+at /);
    expect(debug.stdout).not.to.include('wrong-secret');
    expect((await run({ LOG_LEVEL: 'error' })).stdout).to.equal('');
  });

  it('keeps what Amplitude answers from breaking a line or showing a secret', async () => {
    const secret = 'a-secret-in-an-answer';
    const { stdout } = await run({
      AMPLITUDE_SECRET_KEY: secret,
      LOG_FORMAT: 'kestra',
      AMPLITUDE_BASE_URL: `${simulator.url}/${secret}`,
    });
    expect(stdout).not.to.include(secret);
  });

  it('lands in a folder of the home where ~ is written', async () => {
    const { code } = await run({ HOME: folder, DESTINATION: '~/hours' });
    expect(code).to.equal(0);
    expect([...manifestsOf(await filesOf(join(folder, 'hours'))).keys()]).to.have.length(2);
  });

  it('warns of a misspelt setting', async () => {
    expect((await run({ OUTPUT_FORMATT: 'gzip' })).stdout).to.include('did you mean OUTPUT_FORMAT?');
  });

  it('says that the destination cannot be written', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const { code, stdout } = await run({ DESTINATION: join(file, 'below') });
    expect(code).to.equal(1);
    expect(stdout).to.include('DESTINATION');
  });
});

describe('the progress display', () => {
  it('loses no line of the log that is written right before it stops', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
    const progress = new Progress(stream as unknown as NodeJS.WriteStream);
    progress.start(1, { done: 0, downloadedBytes: 0, uploadedBytes: 0 });
    progress.line('The last words.');
    progress.stop();
    expect(stream.read().toString()).to.include('The last words.\n');
  });
});

describe('demo', () => {
  it('lands a day without any account or setting, and tells what landed; the second time there is nothing to do', async function () {
    this.timeout(20_000);
    const folder = await mkdtemp(join(tmpdir(), 'demo-'));
    try {
      const data = join(folder, 'data');
      const foreign = { AMPLITUDE_API_KEY: 'somebody', S3_BUCKET: 'somebodys-bucket', REQUEST_HOURS: 'nonsense' };
      const { code, stdout, stderr } = await runProgram(['demo', '--data', data], foreign);
      expect([code, stderr.includes('landed')]).to.deep.equal([0, true]);
      expect(stdout).to.include('No gaps.').and.include('unsettled').and.include('Look at them');
      expect(stdout).to.match(/^ {2}landed {5}[\d,]+ events, \d+ objects/m);
      const files = await filesOf(data);
      const manifests = [...manifestsOf(files).values()];
      expect(manifests).to.have.length(24);
      for (const { objects } of manifests) for (const { key } of objects) expect(files.has(key)).to.equal(true);
      const sealed = [...files.keys()].find((name) => name.startsWith('manifests/')) ?? '';
      const old = join(data, 'manifests/date=2026-01-02');
      await mkdir(old, { recursive: true });
      await rename(join(data, sealed), join(old, 'hour=04.json'));
      const later = await runProgram(['demo', '--data', data], {});
      expect(later.stdout).to.include('No gaps.').and.not.include('export --start');
      const again = await runProgram(['demo', '--data', data, '--json'], {});
      expect(again.report()).to.deep.include({ requests: 0, exitCode: 0 });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
