import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { contentOf } from '../../src/destination/destination.ts';
import { formatHour, type Hour, hourOf } from '../../src/hours.ts';
import { makeManifest, manifestKey, writeManifest } from '../../src/landing/manifest.ts';
import { parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { StatusReport } from '../../src/status/report.ts';
import { openFolder } from '../support/destinations.ts';
import { type Ended, runProgram } from '../support/program.ts';
import { startWebhook, TOKEN, type Webhook } from '../support/webhook.ts';

const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T08'];

describe('those who watch the runs', () => {
  let simulator: Simulator;
  let webhook: Webhook;
  let folder: string;
  let env: Record<string, string>;

  before(async () => {
    simulator = await startSimulator({ port: 0, apiKey: 'the-key', secretKey: 'the-secret' });
    webhook = await startWebhook();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'watching-'));
    simulator.faults.length = 0;
    webhook.posts.length = 0;
    webhook.answers.length = 0;
    env = {
      AMPLITUDE_API_KEY: 'the-key',
      AMPLITUDE_SECRET_KEY: 'the-secret',
      AMPLITUDE_BASE_URL: simulator.url,
      DESTINATION: join(folder, 'hours'),
      EXPORT_BACKOFF_MS: '0',
      EXPORT_MAX_ATTEMPTS: '2',
      METRICS_FILE: join(folder, 'a.prom'),
      NOTIFY_URL: webhook.url,
    };
  });
  afterEach(() => rm(folder, { recursive: true }));
  after(async () => {
    await simulator.close();
    webhook.close();
  });

  const run = (args: readonly string[], changed: Record<string, string> = {}) =>
    runProgram(args, { ...env, ...changed });
  const metrics = async (): Promise<Record<string, string>> => {
    const text = await readFile(join(folder, 'a.prom'), 'utf8').catch(() => '');
    const samples = text.matchAll(/^amplitude_to_s3_(\w+)\{command="(\w+)",[^}]*?(?:state="(\w+)")?\} (\S+)$/gm);
    return Object.fromEntries(
      [...samples].map(([, name, command, state = '', value = '']) => [`${command} ${name} ${state}`.trim(), value]),
    );
  };
  const expectNoSecret = ({ stdout, stderr }: Ended) => {
    const said = `${stdout}${stderr}${JSON.stringify(webhook.posts.map(({ body }) => body))}`;
    for (const secret of [TOKEN, 'the-secret', webhook.url]) expect(said).not.to.include(secret);
  };

  it('hear by metrics of a run that is done, and by nothing else', async () => {
    const ended = await run(RANGE);
    expect(ended.code, ended.stderr).to.equal(0);
    expect(webhook.posts).to.deep.equal([]);
    expect(await metrics()).to.include({ 'export last_run_exit_code': '0', 'export last_run_landings failed': '0' });
    expect((await readdir(folder)).sort()).to.deep.equal(['a.prom', 'hours']);
    await run(['status', '--lookback-days', '3650', '--all', '--no-events']);
    expect(await metrics()).to.include.keys('export last_run_events', 'status landings missing');
  });

  it('hear of hours that failed, with the hours, the code and what to do', async () => {
    simulator.faults.push(parseFault('too-large@2026-03-04T07'));
    const ended = await run(RANGE, { LOG_LEVEL: 'debug' });
    expect(ended.code).to.equal(3);
    const [post, ...more] = webhook.posts;
    expect(more).to.deep.equal([]);
    expect(post?.body).to.deep.include({
      command: 'export',
      destination: join(folder, 'hours'),
      exitCode: 3,
      code: 'AMPLITUDE_TOO_LARGE',
      hours: '2026-03-04T07',
    });
    expect(post?.body.text)
      .to.match(
        /^amplitude-to-s3: export for .* ended with exit code 3 \(AMPLITUDE_TOO_LARGE\)\.\nHours: 2026-03-04T07\n/,
      )
      .and.include(post?.body.lines[0]);
    expect(post?.body.lines.join()).to.include('Amazon S3 export');
    expect(await metrics()).to.include({ 'export last_run_exit_code': '3', 'export last_run_landings failed': '1' });
    expectNoSecret(ended);
  });

  it('hear of what somebody deleted, with the command that lands it again', async () => {
    await run(RANGE);
    const hours = join(folder, 'hours');
    const keys = (await readdir(hours, { recursive: true })).filter((key) => /^events.*hour=07.*json$/.test(key));
    expect(keys.length).to.be.above(1);
    for (const key of keys) await rm(join(hours, key));
    const ended = await run(['verify']);
    expect(ended.code).to.equal(3);
    expect(webhook.posts.map(({ body }) => body.hours)).to.deep.equal(['2026-03-04T07']);
    const [line = '', ...more] = webhook.posts[0]?.body.lines ?? [];
    expect(more).to.deep.equal([]);
    expect(line)
      .to.match(
        new RegExp(
          `^${keys.length} differences: events/\\S+ is missing, .* And ${keys.length - 1} more\\. To land 1 hour`,
        ),
      )
      .and.match(/`[^`]*verify --repair --start 2026-03-04T07 --end 2026-03-04T08`$/);
    expect(ended.stderr.split(line)).to.have.length(2);

    const stray = join(hours, 'events/date=2026-03-04/hour=07', '1_2026-03-04T07_9.1.00000000.json');
    await writeFile(stray, '{}\n');
    await utimes(stray, 0, 0);
    const mended = await run(['verify', '--repair', '--sweep']);
    expect(mended.code, mended.stdout).to.equal(0);
    expect(mended.stdout).to.include('Nothing differs any more.');
    expect(webhook.posts).to.have.length(1);
  });

  it('hear of a run that ends early, and keep the last success', async () => {
    await run(RANGE);
    const before = await metrics();
    simulator.faults.push(parseFault('forbidden'));
    const ended = await run(['--start', '2026-03-05T00', '--end', '2026-03-05T02']);
    expect(ended.code).to.equal(4);
    expect(webhook.posts.map(({ body }) => body.code)).to.deep.equal(['AMPLITUDE_CREDENTIALS']);
    const after = await metrics();
    const kept = 'export last_success_timestamp_seconds';
    expect(after['export last_run_exit_code']).to.equal('4');
    expect(after[kept]).to.equal(before[kept]).and.not.equal('0');
    expectNoSecret(ended);
  });

  it('hear of settings that cannot be used and of wrong flags, by a webhook in a file too', async () => {
    const file = join(folder, 'url');
    await writeFile(file, `${webhook.url}\n`);
    const byFile = { NOTIFY_URL: '', NOTIFY_URL_FILE: file };
    const wrong = await run([], { ...byFile, OUTPUT_FORMAT: 'x', AMPLITUDE_API_KEY: '' });
    const slip = await run(['status', '--fail-on-gap'], byFile);
    expect([wrong.code, slip.code]).to.deep.equal([2, 2]);
    const told = webhook.posts.map(({ body }) => [body.command, body.code, body.text]);
    expect(told.map(([command, code]) => [command, code])).to.deep.equal([
      ['export', 'CONFIG'],
      ['status', 'USAGE'],
    ]);
    expect(told[0]?.[2]).to.include('OUTPUT_FORMAT').and.include('AMPLITUDE_API_KEY');
    expect(await metrics()).to.include({ 'export last_run_exit_code': '2', 'status last_run_exit_code': '2' });
    expectNoSecret(wrong);
  });

  it('hear nothing of what a person does: a dry run, doctor, help', async () => {
    simulator.faults.push(parseFault('forbidden'));
    expect((await run([...RANGE, '--dry-run'])).code).to.equal(0);
    expect((await run(['--dry-run', '--start', 'x'])).code).to.equal(2);
    expect((await run(['doctor'])).code).not.to.equal(0);
    expect((await run(['status', '--help'])).code).to.equal(0);
    expect((await run(['staus'])).code).to.equal(2);
    expect(webhook.posts).to.deep.equal([]);
    expect(await metrics()).to.deep.equal({});
  });

  it('change nothing about the run where they cannot be told', async () => {
    webhook.answers.push(404);
    const changed = { METRICS_FILE: join(folder, 'none', 'a.prom'), LOG_LEVEL: 'debug' };
    simulator.faults.push(parseFault('too-large@2026-03-04T07'));
    const ended = await run(RANGE, changed);
    expect(ended.code).to.equal(3);
    expect(ended.stdout).to.match(/"warn","msg":"METRICS_FILE names .*none.*cannot be written \(ENOENT\)/);
    expect(ended.stdout).to.match(/"warn","msg":"NOTIFY_URL got no message about this run: it answers HTTP 404, /);
    expectNoSecret(ended);
    await writeFile(join(folder, 'a.prom'), 'node_load1 0.5\n');
    const other = await run(RANGE);
    expect(other.stdout).to.include('holds metrics of another program');
    expect(await readFile(join(folder, 'a.prom'), 'utf8')).to.equal('node_load1 0.5\n');
  });

  it('keep one document on stdout with --json', async () => {
    simulator.faults.push(parseFault('too-large@2026-03-04T07'));
    const ended = await run([...RANGE, '--json']);
    expect(ended.report().lastLanded).to.equal('2026-03-04T06');
    expect(ended.stderr).to.include('NOTIFY_URL got a message about this run.');
  });

  it('are not called by name in what Amplitude answers', async () => {
    simulator.faults.push(parseFault('html-404'));
    await run(RANGE);
    expect(webhook.posts[0]?.body.text)
      .to.match(/&lt;\w/)
      .and.not.match(/[<>]/);
  });

  describe('with status --alert-on-drop', () => {
    const now = hourOf(new Date());
    const noon = now - 30;
    const WEEK = 7 * 24;

    async function seal(hour: Hour, events: number, landedHoursAgo: number): Promise<void> {
      const destination = openFolder(join(folder, 'hours'));
      const [key, member] = [`events/${hour}.json`, 'm'];
      const objects = [{ key, bytes: 1, crc32: '00000000', events, member, source: { bytes: 1, crc32: '00000000' } }];
      const landing = { hour, generation: 1, project: '1', objects: events === 0 ? [] : objects, quarantine: [] };
      const seal = { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '' };
      await destination.put(manifestKey(hour), contentOf(writeManifest(makeManifest(landing, seal))));
      const at = new Date(Date.now() - landedHoursAgo * 3_600_000);
      await utimes(join(folder, 'hours', manifestKey(hour)), at, at);
      await destination.close();
    }

    it('hear of an empty noon, once a day, and read the weeks before the range', async () => {
      for (const weeks of [1, 2, 3, 4]) await seal(noon - weeks * WEEK, 900, 200);
      await seal(noon, 0, 20);
      const ended = await run(['status', '--alert-on-drop', '--lookback-days', '3', '--json']);
      expect(ended.code, ended.stderr).to.equal(3);
      const drop = { hour: formatHour(noon), events: 0, median: 900 };
      expect(ended.report<StatusReport>().drops).to.deep.equal([drop]);
      expect(ended.stderr.match(/far fewer events than usual/g)).to.have.length(1);
      expect(webhook.posts.map(({ body }) => body.hours)).to.deep.equal([formatHour(noon)]);
      expect(webhook.posts[0]?.body.lines.join()).to.include('(0, usually 900)');
      expect(await metrics()).to.include({ 'status dropped_landings': '1', 'status last_run_exit_code': '3' });
    });

    it('hear nothing of it a day later, but for a range that is asked for', async () => {
      for (const weeks of [1, 2, 3, 4]) await seal(noon - weeks * WEEK, 900, 200);
      await seal(noon, 0, 26);
      const later = await run(['status', '--alert-on-drop', '--json']);
      expect([later.code, later.report<StatusReport>().drops]).to.deep.equal([0, []]);
      expect((await run(['status', '--alert-on-drop', '--start', formatHour(noon)])).code).to.equal(3);
      expect((await run(['status', '--alert-on-drop=0.01', '--start', formatHour(noon - 5 * WEEK)])).code).to.equal(3);
    });

    it('hear nothing of hours that have enough events, and of flags that cannot be meant', async () => {
      for (const weeks of [1, 2, 3, 4]) await seal(noon - weeks * WEEK, 900, 200);
      await seal(noon, 300, 20);
      expect((await run(['status', '--alert-on-drop'])).code).to.equal(0);
      expect((await run(['status', '--alert-on-drop=1/2'])).code).to.equal(3);
      expect((await run(['status', '--alert-on-drop=1/2', '--no-events'])).code).to.equal(2);
      expect((await run(['status', '--alert-on-drop=30%'])).code).to.equal(2);
    });
  });
});
