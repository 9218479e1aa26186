import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { ExportReport } from '../../../src/export/report.ts';
import { formatHour, hourOf, type Window } from '../../../src/hours.ts';
import { manifestKey } from '../../../src/landing/manifest.ts';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { runProgram } from '../../support/program.ts';
import type { Execution } from './engine.ts';
import { blockText, extended } from './extensions.ts';
import {
  busyHour,
  type Caller,
  expectedOf,
  FLOW_IDS,
  inputsOf,
  openStage,
  Scene,
  type SceneOptions,
  SECRET_VALUES,
  type Stage,
  sourceOf,
} from './scene.ts';

const DAY_HOURS = 24;
const isToday = (date: unknown) => typeof date === 'string' && hourOf(new Date(date)) >= TODAY;
const TODAY = hourOf(new Date()) - (hourOf(new Date()) % DAY_HOURS);
/** Long settled, whenever the test runs. */
const FIRST = busyHour(TODAY - 5 * DAY_HOURS);
const RANGE: Window = { start: FIRST, end: FIRST + 4 };
const BUCKETS =
  'landing cached broken killed stuck ticking future image secrets projects extended range days looked fresh refused';

/** As the flow is. The other scenes take the image that the first test builds. */
const BY_NPM = { image: undefined };

const states = (executions: readonly Execution[]) => executions.map(({ state }) => state.current);

describe('on Kestra', function () {
  this.timeout(600_000);
  let stage: Stage;
  let scene: Scene | undefined;
  let imageScene: Scene;

  before(async function () {
    const url = needs(this, 'KESTRA_URL');
    stage = await openStage(url, BUCKETS.split(' '));
    imageScene = await Scene.open(stage, 'amplitude_export_image', 'image');
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
  });

  after(async () => {
    await imageScene?.close();
    await stage?.close();
  });

  async function open(...[flow, bucket, options]: [Caller, string, SceneOptions?]) {
    scene = await Scene.open(stage, flow, bucket, { image: 'amplitude-to-s3:kestra', ...options });
    return scene;
  }

  /** Everything that was landed is what Amplitude has, and all of it is sealed. */
  function expectLanded(of: Scene, window: Window, besides = (_key: string) => false): void {
    const { events, manifests } = expectedOf(window);
    const landed = new Map([...of.landed()].filter(([key]) => !besides(key)));
    expect([...landed.keys()]).to.have.members([...events.keys(), ...manifests]);
    for (const [key, json] of events) expect(landed.get(key)?.equals(json), key).to.equal(true);
  }

  async function expectNoSecret(of: Scene, executions: readonly Execution[]): Promise<void> {
    const shown = [...executions.map((one) => JSON.stringify(one)), ...of.slack.messages];
    for (const execution of executions) {
      shown.push(JSON.stringify(await of.logs(execution)), JSON.stringify(await stage.kestra.outputs(execution.id)));
    }
    for (const secret of SECRET_VALUES) expect(shown.join('\n')).not.to.include(secret);
  }

  const errorsOf = async (of: Scene, execution: Execution) =>
    (await of.logs(execution)).filter(({ level }) => level === 'ERROR').map(({ message }) => message);

  for (const id of FLOW_IDS) {
    it(`${id} is valid, and warned of by nothing`, async () => {
      const { constraints, warnings = [], deprecationPaths = [] } = await stage.kestra.validate(sourceOf(id));
      expect([constraints ?? undefined, warnings, deprecationPaths]).to.deep.equal([undefined, [], []]);
    });
  }

  /** What an execution says, but for the commands that Kestra logs at DEBUG. */
  const saidIn = async (of: Scene, execution: Execution | undefined) => {
    const lines = execution === undefined ? [] : await of.logs(execution);
    const said = lines.filter(({ level }) => level !== 'DEBUG' && level !== 'TRACE');
    return said.map(({ message }) => message).join('\n');
  };

  it('amplitude_export_image builds the image, lands a range, and writes its report', async () => {
    const { execution, state, runs, files } = await imageScene.run(inputsOf(RANGE));
    expect(state).to.equal('SUCCESS');
    expectLanded(imageScene, RANGE);
    const report = await stage.kestra.file(runs[0]?.id ?? '', files['run-report.json'] ?? '');
    expect((JSON.parse(report) as ExportReport).events).to.equal(expectedOf(RANGE).count);
    await expectNoSecret(imageScene, [execution, ...runs]);
  });

  it('lands a range from a private repository; where a first attempt fails, the next one lands the rest', async () => {
    const of = await open('amplitude_export', 'landing', BY_NPM);
    const failing = formatHour(FIRST);
    of.simulator.faults.push(parseFault(`too-large@${failing}`));
    const id = await of.start(inputsOf(RANGE));
    await stage.kestra.until(240, 'the end of the first attempt', async () =>
      (await of.executions('amplitude_run')).find(({ state }) => state.current === 'FAILED'),
    );
    of.simulator.faults.length = 0;
    const { execution, state, runs, report, files } = await of.ended(id);
    expect([state, ...states(runs)]).to.deep.equal(['SUCCESS', 'FAILED', 'SUCCESS']);
    const [first, last] = runs as [Execution, Execution];
    expectLanded(of, RANGE);
    expect(stage.git.admitted).not.to.have.length(0);
    expect((await errorsOf(of, first)).join('\n')).to.include(failing);
    expect(await saidIn(of, last)).to.include('The cache has this build.');

    const levels = (await of.logs(last)).filter(({ level }) => level === 'ERROR' || level === 'WARN');
    expect(levels.map(({ level, message }) => `${level} ${message}`)).to.deep.equal([]);
    expect(await saidIn(of, last))
      .to.include('Running export with')
      .and.include('at main');

    const [start, end] = [formatHour(RANGE.start), formatHour(RANGE.end)];
    expect(report).to.include({ start, end, hoursSealed: 1, hoursSkipped: 3, hoursFailed: 0, exitCode: 0 });
    expect(report.manifests).to.equal('s3://landing/amplitude/manifests/');
    const written = JSON.parse(await stage.kestra.file(last.id, files['run-report.json'] ?? '')) as ExportReport;
    expect(written).to.deep.include({ exitCode: 0, events: report.events, bytes: report.bytes });
    expect(written.hours.sealed).to.deep.equal([failing]);

    const metrics = await stage.kestra.metrics(last.id);
    const names = metrics.map(({ name, type }) => `${name} ${type}`);
    const counters = ['events', 'bytes', 'requests', 'retries', 'hours.sealed', 'hours.failed'];
    expect(names).to.include.members([...counters.map((name) => `${name} counter`), 'seconds timer']);
    expect(metrics.find(({ name }) => name === 'events')?.value).to.equal(report.events);

    expect(of.slack.messages).to.deep.equal([]);
    await expectNoSecret(of, [execution, ...runs]);
  });

  it('builds once for the same files, and again for another lockfile', async () => {
    const of = await open('amplitude_export', 'cached', BY_NPM);
    const built = async (git_ref: string) => {
      const { execution, state } = await of.run({ ...inputsOf(RANGE), git_ref }, 'amplitude_run');
      expect(state).to.equal('SUCCESS');
      return !(await saidIn(of, execution)).includes('The cache has this build.');
    };
    expect([await built('main'), await built('v1'), await built('next')]).to.deep.equal([true, false, true]);
  });

  it('shows what npm says where the build fails, and runs nothing', async () => {
    const of = await open('amplitude_export', 'broken', BY_NPM);
    const { execution, state } = await of.run({ git_ref: 'broken' }, 'amplitude_run');
    expect(state).to.equal('FAILED');
    expect(await saidIn(of, execution)).to.match(/npm error .*npm ci.* package-lock\.json/);
    expect(execution.taskRunList?.map(({ taskId }) => taskId)).not.to.include('run');
  });

  it('lets a second execution wait; a kill seals nothing by halves, and the second one lands it all', async () => {
    const of = await open('amplitude_export', 'killed');
    of.simulator.faults.push(parseFault('stall-first-byte*1'));
    const killed = await of.start(inputsOf(RANGE));
    await stage.kestra.until(240, 'a request', () => (of.simulator.requests.length > 0 ? true : undefined));
    const second = await of.start(inputsOf(RANGE));
    await pause(2000);
    expect((await stage.kestra.execution(second))?.state.current).to.equal('QUEUED');
    await stage.kestra.kill(killed);
    const { state, runs } = await of.ended(killed);
    expect([state, ...states(runs)]).to.deep.equal(['KILLED', 'KILLED']);
    expect((await of.ended(second)).state).to.equal('SUCCESS');
    expectLanded(of, RANGE);
    expect(await saidIn(of, runs[0])).to.include('SIGTERM');
    expect(await of.alerts()).to.deep.equal([]);
    expect(await of.executions()).to.have.length(2);
  });

  it('ends an execution that takes too long, and its run; the next one lands it all', async () => {
    const of = await open('amplitude_export', 'stuck');
    await of.deploy({ changes: [[/PT3H/, 'PT30S']] });
    of.simulator.faults.push(parseFault('stall-first-byte*1'));
    const { execution, state, runs } = await of.run(inputsOf(RANGE));
    expect([state, ...states(runs)]).to.deep.equal(['FAILED', 'KILLED']);
    expect((await errorsOf(of, execution)).join()).to.include('three_hours');
    expect((await of.run(inputsOf(RANGE))).state).to.equal('SUCCESS');
    expectLanded(of, RANGE);
  });

  it('lands what is missing of the last seven days at a tick of its schedule', async () => {
    const of = await open('amplitude_export', 'ticking', { cron: '* * * * *' });
    const [ticked] = await stage.kestra.until(90, 'a tick', async () => {
      const all = await of.executions();
      return all.length > 0 ? all : undefined;
    });
    // No further tick.
    await of.deploy();
    expect(ticked?.trigger?.id).to.equal('hourly');
    const { state, report } = await of.ended(ticked?.id ?? '');
    expect(state).to.equal('SUCCESS');
    expect(report).to.include({ hoursFailed: 0, hoursPending: 0 });
    const keys = [...of.landed().keys()].filter((key) => key.startsWith('manifests/'));
    expect(keys).to.have.length(7 * DAY_HOURS);
  });

  it('fails at once, with one alert, where all of the range is in the future', async () => {
    const of = await open('amplitude_export', 'future');
    const future = { start: TODAY + 10 * DAY_HOURS, end: TODAY + 11 * DAY_HOURS };
    const { execution, state, runs } = await of.run(inputsOf(future));
    expect([state, ...states(runs)]).to.deep.equal(['FAILED', 'SUCCESS']);
    expect((await errorsOf(of, execution)).join()).to.include('No hour of the range is ready');
    expect(await of.alerts()).to.have.length(1);
    expect(of.landed().size).to.equal(0);
  });

  describe('amplitude_export_image', () => {
    it('runs a ready image without a clone or a build', async () => {
      await imageScene.deploy({ changes: [[/^( {2}image:) Dockerfile .*$/m, '$1 amplitude-to-s3:kestra']] });
      const cloned = stage.git.admitted.length;
      const { state, runs, report } = await imageScene.run(inputsOf(RANGE));
      expect(state).to.equal('SUCCESS');
      expect(report).to.include({ hoursSkipped: 4 });
      expect(stage.git.admitted).to.have.length(cloned);
      const skipped = runs[0]?.taskRunList?.filter((run) => run.state.current === 'SKIPPED');
      expect(skipped?.map(({ taskId }) => taskId)).to.have.members(['clone', 'build', 'build_image']);
    });

    it('says which requests a dry run would make, and makes none', async () => {
      const asked = imageScene.simulator.requests.length;
      const { state, runs } = await imageScene.run({ ...inputsOf(RANGE), force: 'true', dry_run: 'true' });
      expect(state).to.equal('SUCCESS');
      expect(await saidIn(imageScene, runs[0]))
        .to.include('Nothing was requested or written')
        .and.include('--force');
      expect(imageScene.simulator.requests).to.have.length(asked);
    });

    it('ends with one clear error in each attempt and one alert where the end is before the start', async () => {
      const { state, runs } = await imageScene.run({ start: '2026-03-05', end: '2026-03-04' });
      expect([state, ...states(runs)]).to.deep.equal(['FAILED', 'FAILED', 'FAILED', 'FAILED']);
      for (const run of runs) expect((await errorsOf(imageScene, run)).join()).to.include('is not after the start');
      expect(await imageScene.alerts()).to.have.length(1);
    });

    it('ends with one clear error in each attempt and one alert where Amplitude refuses the secret', async () => {
      const before = imageScene.landed().size;
      await imageScene.setKv({ AMP_SECRET_KEY: 'not-the-secret-key' });
      const range = { start: RANGE.end, end: RANGE.end + 2 };
      const { state, runs } = await imageScene.run(inputsOf(range));
      expect([state, ...states(runs)]).to.deep.equal(['FAILED', 'FAILED', 'FAILED', 'FAILED']);
      for (const run of runs) expect((await errorsOf(imageScene, run)).join()).to.match(/HTTP 40[13]/);
      const alerts = await imageScene.alerts();
      expect(alerts).to.have.length(1);
      expect(alerts[0]).to.include(formatHour(range.start)).and.not.include('not-the-secret-key');
      expect(imageScene.landed().size).to.equal(before);
    });
  });

  it('takes its keys from secrets where there are no KV pairs of their names', async function () {
    if ((process.env.KESTRA_TEST_SECRETS ?? '') === '') this.skip();
    const of = await open('amplitude_export', 'secrets', { ...BY_NPM, keys: 'secrets' });
    const { execution, state, runs } = await of.run(inputsOf(RANGE));
    expect(state).to.equal('SUCCESS');
    expectLanded(of, RANGE);
    await expectNoSecret(of, [execution, ...runs]);
  });

  it('lands two projects side by side, each with its own keys and prefix', async () => {
    const of = await open('amplitude_export', 'projects');
    await of.deploy({ source: blockText('project') });
    await of.setKv({ AMP_API_KEY_PROD: 'simulator-key', AMP_SECRET_KEY_PROD: 'the-key-of-another' });
    const refused = await of.run({}, 'amplitude_export_prod');
    expect(refused.state).to.equal('FAILED');
    expect((await errorsOf(of, refused.runs[0] as Execution)).join()).to.match(/HTTP 40[13]/);
    await of.setKv({ AMP_SECRET_KEY_PROD: 'simulator-secret' });
    const both = await Promise.all([of.run(), of.run({}, 'amplitude_export_prod')]);
    expect(both.map(({ state }) => state)).to.deep.equal(['SUCCESS', 'SUCCESS']);
    expect(both[1].report.manifests).to.equal('s3://projects/amplitude_prod/manifests/');
    const landed = [of.landed(), of.landed('amplitude_prod')].map((objects) => [...objects.keys()]);
    expect(landed[0]).to.have.length.above(7 * DAY_HOURS);
    expect(landed[0]).to.deep.equal(landed[1]);
  });

  it('can be extended as its README says', async () => {
    const of = await open('amplitude_export', 'extended');
    await of.deploy({ source: extended(sourceOf('amplitude_export')) });
    const { execution, state } = await of.run(inputsOf(RANGE));
    expect(state).to.equal('SUCCESS');
    expectLanded(of, RANGE);
    expect((await of.alerts()).join()).to.include(`with ${expectedOf(RANGE).count} events`);
    const tasks = execution.taskRunList?.map(({ taskId }) => taskId);
    expect(tasks).to.include.members(['side_by_side', 'other', 'export', 'validate', 'good_news']);
    await of.setKv({ AMPLITUDE_PAUSED: 'yes' });
    const paused = await of.run(inputsOf(RANGE));
    expect(paused.execution.taskRunList?.find(({ taskId }) => taskId === 'export')?.state.current).to.equal('SKIPPED');
    expect(paused.state).to.equal('SUCCESS');
  });

  it('asks for two days of a range at once', async () => {
    const of = await open('amplitude_backfill', 'range');
    of.simulator.faults.push(parseFault('stall-first-byte*2'));
    const id = await of.start(inputsOf({ start: TODAY - 5 * DAY_HOURS, end: TODAY - 2 * DAY_HOURS }));
    await stage.kestra.until(240, 'two requests', () => (of.simulator.requests.length >= 2 ? true : undefined));
    await pause(1000);
    expect(of.simulator.requests).to.have.length(2);
    await stage.kestra.kill(id);
    expect((await of.ended(id)).state).to.equal('KILLED');
  });

  it('lands several days by a backfill: a day an execution, two at once at most, a failed day retried alone', async () => {
    // 1.3 looks at a trigger, and so at its backfill, when its next tick comes. That tick must be near, and late enough that
    // on 2.0, which begins at once, the days are done before it adds one of its own.
    const tick = new Date(Date.now() + 130_000);
    const of = await open('amplitude_backfill', 'days', {
      cron: `${tick.getUTCMinutes()} ${tick.getUTCHours()} * * *`,
    });
    const days = 3;
    const from = TODAY - 4 * DAY_HOURS;
    const failing = formatHour(busyHour(from + DAY_HOURS));
    of.simulator.faults.push(parseFault(`too-large@${failing}`));
    // The tick of a day is about the day before.
    const instant = (hour: number) => `${formatHour(hour)}:00:00Z`;
    const span = [instant(from + DAY_HOURS), instant(from + (days + 1) * DAY_HOURS)] as const;
    // The scheduler takes a trigger in some time after its flow was saved.
    await stage.kestra.until(30, 'the trigger', () =>
      stage.kestra.backfill(of.namespace, of.flow, 'daily', ...span).then(
        () => true,
        () => undefined,
      ),
    );
    const done = await stage.kestra.until(400, 'the end of the backfill', async () => {
      // The tick of today comes after the backfill's and is about another day.
      const all = (await of.executions()).filter(({ trigger }) => !isToday(trigger?.variables?.date));
      if (states(await of.executions('amplitude_run')).includes('FAILED')) of.simulator.faults.length = 0;
      const reached = (state: string) => all.filter((one) => one.state.current === state).length;
      return reached('FAILED') > 0 || reached('SUCCESS') === days ? all : undefined;
    });
    expect(states(done)).to.deep.equal(['SUCCESS', 'SUCCESS', 'SUCCESS']);
    const dayOfTick = `date=${formatHour(TODAY - DAY_HOURS).slice(0, 10)}/`;
    expectLanded(of, { start: from, end: from + days * DAY_HOURS }, (key) => key.includes(dayOfTick));
    const ended = await Promise.all(done.map(({ id }) => of.ended(id)));
    expect(ended.map(({ runs }) => runs.length).sort()).to.deep.equal([1, 1, 2]);
    expect(ended.find(({ runs }) => runs.length === 2)?.report).to.include({ hoursSealed: 1, hoursSkipped: 23 });
    const spans = done.map(({ state: { histories } }) => ({
      from: Date.parse(histories.find(({ state }) => state === 'RUNNING')?.date ?? ''),
      to: Date.parse(histories.at(-1)?.date ?? ''),
    }));
    const atOnce = spans.map(({ from: at }) => spans.filter((span) => span.from <= at && at < span.to).length);
    expect(Math.max(...atOnce)).to.equal(2);
  });

  it('amplitude_status succeeds where all has landed, and fails once with a page and what to do where hours are missing', async () => {
    const of = await open('amplitude_status', 'looked');
    const landed = await runProgram(['export', '--start', formatHour(TODAY - 2 * DAY_HOURS), '--json'], of.env);
    expect(landed.code, landed.stderr).to.equal(0);
    const good = await of.run();
    expect(good.state).to.equal('SUCCESS');
    expect(good.report).to.include({ gaps: 0, hoursMissing: 0, exitCode: 0, start: formatHour(TODAY - 2 * DAY_HOURS) });

    const gone = TODAY - 2 * DAY_HOURS + 5;
    of.stage.s3.objects.delete(`looked/amplitude/${manifestKey(gone)}`);
    const bad = await of.run();
    expect([bad.state, ...states(bad.runs)]).to.deep.equal(['FAILED', 'FAILED']);
    const last = bad.runs.at(-1) as Execution;
    expect((await errorsOf(of, last)).join('\n'))
      .to.include(formatHour(gone))
      .and.include('amplitude_run: export --start');
    expect(bad.report).to.include({ gaps: 1, hoursMissing: 1, exitCode: 3 });
    const page = await stage.kestra.file(last.id, bad.files['status.html'] ?? '');
    expect(page).to.include('<html').and.include(formatHour(gone));
    const alerts = await of.alerts();
    expect(alerts).to.have.length(1);
    expect(alerts[0]).to.include(`--start ${formatHour(gone)}`);
    const metrics = await stage.kestra.metrics(last.id);
    expect(metrics.map(({ name }) => name))
      .to.include('status.hours.missing')
      .and.not.include('events');
  });

  it('amplitude_status fails where nothing has landed for three hours', async () => {
    const of = await open('amplitude_status', 'fresh');
    const end = hourOf(new Date()) - 3;
    const landed = await runProgram(['export', '--start', formatHour(end - 6), '--end', formatHour(end)], of.env);
    expect(landed.code, landed.stderr).to.equal(0);
    await of.deploy({ cron: '* * * * *', changes: [[/^ {2}- id: daily\n(?: {4}.*\n)+/m, '']] });
    const ended = async (count: number) => {
      const all = await stage.kestra.until(150, 'a tick', async () => {
        const over = (await of.executions()).filter(({ state }) => ['SUCCESS', 'FAILED'].includes(state.current));
        return over.length >= count ? over : undefined;
      });
      return await of.ended(all.at(-1)?.id ?? '');
    };
    expect((await ended(1)).state).to.equal('SUCCESS');
    for (const hour of [end - 3, end - 2, end - 1]) {
      of.stage.s3.objects.delete(`fresh/amplitude/${manifestKey(hour)}`);
    }
    const { state, execution } = await ended(2);
    await of.deploy();
    expect([state, execution.trigger?.id]).to.deep.equal(['FAILED', 'three_hours']);
  });

  it('ends each attempt within a minute and alerts once: wrong branch, wrong token, repository away, secret missing', async () => {
    const of = await open('amplitude_export', 'refused', BY_NPM);
    const cases: [string, RegExp, () => Promise<unknown>][] = [
      [
        'a wrong branch',
        /no-such-branch/,
        () => of.deployRunner(undefined, [[/defaults: main/, 'defaults: no-such-branch']]),
      ],
      [
        'a wrong token',
        /not authorized/,
        async () => {
          await of.deployRunner();
          await of.setKv({ github_token: 'wrong' });
        },
      ],
      ['a repository that is not there', /127\.0\.0\.1:9\b/, () => of.deployRunner('http://127.0.0.1:9/none.git')],
      [
        'a missing secret',
        /BUCKET_NAME/,
        async () => {
          await of.deployRunner();
          await of.setKv({ github_token: stage.git.token });
          await stage.kestra.removeKv(of.namespace, 'BUCKET_NAME');
        },
      ],
    ];
    for (const [name, message, prepare] of cases) {
      await prepare();
      const { state, runs } = await of.run();
      expect([state, ...states(runs)], name).to.deep.equal(['FAILED', 'FAILED', 'FAILED', 'FAILED']);
      for (const run of runs) {
        expect((await errorsOf(of, run)).join('\n'), name).to.match(message);
        const { histories } = run.state;
        const ms = Date.parse(histories.at(-1)?.date ?? '') - Date.parse(histories[0]?.date ?? '');
        expect(ms, name).to.be.below(60_000);
      }
      expect(await of.alerts(), name).to.have.length(1);
    }
    expect(of.landed().size).to.equal(0);
    expect(of.simulator.requests).to.have.length(0);
  });
});
