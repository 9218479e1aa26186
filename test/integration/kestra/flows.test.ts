import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { ExportReport } from '../../../src/export/report.ts';
import { formatHour, hourOf, type Window } from '../../../src/hours.ts';
import { manifestKey } from '../../../src/landing/manifest.ts';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { runProgram } from '../../support/program.ts';
import type { Execution } from './engine.ts';
import { extended } from './extensions.ts';
import {
  busyHour,
  expectedOf,
  FLOW_IDS,
  type FlowId,
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
const BUCKETS = ['landing', 'killed', 'ticking', 'image', 'secrets', 'extended', 'days', 'refused', 'looked'];

const states = (executions: readonly Execution[]) => executions.map(({ state }) => state.current);

describe('on Kestra', function () {
  this.timeout(600_000);
  let stage: Stage;
  let scene: Scene | undefined;

  before(async function () {
    const url = needs(this, 'KESTRA_URL');
    stage = await openStage(url, BUCKETS);
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
  });

  after(async () => {
    await stage?.close();
  });

  async function open(...[flow, bucket, options]: [FlowId, string, SceneOptions?]) {
    scene = await Scene.open(stage, flow, bucket, options);
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

  it('lands a range from a private repository; where a first attempt fails, the next one lands the rest', async () => {
    const of = await open('amplitude_export', 'landing');
    const failing = formatHour(FIRST);
    of.simulator.faults.push(parseFault(`too-large@${failing}`));
    const id = await of.start({ ...inputsOf(RANGE), git_ref: 'v1' });
    await stage.kestra.until(240, 'the end of the first attempt', async () => {
      const execution = await stage.kestra.execution(id);
      return ['RETRIED', 'FAILED', 'SUCCESS'].includes(execution?.state.current ?? '') ? execution : undefined;
    });
    of.simulator.faults.length = 0;
    const attempts = await of.attempts(id);
    expect(states(attempts)).to.deep.equal(['RETRIED', 'SUCCESS']);
    const [first, last] = attempts as [Execution, Execution];
    expectLanded(of, RANGE);
    expect(stage.git.admitted).not.to.have.length(0);

    const failed = await stage.kestra.outputs(first.id);
    expect(failed.export?.vars).to.include({ failedHours: failing, hoursFailed: 1, exitCode: 3 });
    expect((await errorsOf(of, first)).join('\n')).to.include(failing);

    const said = await of.logs(last);
    const levels = said.filter(({ level }) => level === 'ERROR' || level === 'WARN');
    expect(levels.map(({ level, message }) => `${level} ${message}`)).to.deep.equal([]);
    const byTask = (task: string) => said.filter(({ taskId }) => taskId === task).map(({ message }) => message);
    expect(byTask('announce').join()).to.include(formatHour(RANGE.start)).and.include('v1');
    expect(byTask('landed').join()).to.include('Hours landed: 1').and.include('s3://landing/amplitude/manifests/');

    const { export: made } = await stage.kestra.outputs(last.id);
    const { vars = {}, outputFiles = {} } = made ?? {};
    expect(vars).to.include({
      start: formatHour(RANGE.start),
      end: formatHour(RANGE.end),
      hoursFailed: 0,
      exitCode: 0,
    });
    expect(vars).to.include({ manifests: 's3://landing/amplitude/manifests/', hoursSkipped: 3 });
    const report = JSON.parse(await stage.kestra.file(last.id, outputFiles['run-report.json'] ?? '')) as ExportReport;
    expect(report).to.deep.include({ exitCode: 0, events: vars.events, bytes: vars.bytes });
    expect(report.hours.sealed).to.deep.equal([failing]);

    const metrics = await stage.kestra.metrics(last.id);
    const names = metrics.map(({ name, type }) => `${name} ${type}`);
    const counters = ['events', 'bytes', 'requests', 'retries', 'hours.sealed', 'hours.failed'];
    expect(names).to.include.members([...counters.map((name) => `${name} counter`), 'seconds timer']);
    expect(metrics.find(({ name }) => name === 'events')?.value).to.equal(vars.events);

    expect(of.slack.messages).to.deep.equal([]);
    await expectNoSecret(of, attempts);
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
    const [first] = await of.attempts(killed);
    expect(first?.state.current).to.equal('KILLED');
    expect(states(await of.attempts(second))).to.deep.equal(['SUCCESS']);
    expectLanded(of, RANGE);
    expect((await of.logs(first as Execution)).map(({ message }) => message).join('\n')).to.include('SIGTERM');
    expect(await of.alerts()).to.deep.equal([]);
    expect(await of.executions()).to.have.length(2);
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
    const attempts = await of.attempts(ticked?.id ?? '');
    expect(states(attempts)).to.deep.equal(['SUCCESS']);
    const { export: made } = await stage.kestra.outputs(ticked?.id ?? '');
    expect(made?.vars).to.include({ hoursFailed: 0, hoursPending: 0 });
    const keys = [...of.landed().keys()].filter((key) => key.startsWith('manifests/'));
    expect(keys).to.have.length(7 * DAY_HOURS);
  });

  describe('amplitude_export_image', () => {
    let of: Scene;

    before(async () => {
      of = await Scene.open(stage, 'amplitude_export_image', 'image');
    });

    after(async () => {
      await of?.close();
    });

    it('lands a range, and writes its report', async () => {
      const attempts = await of.run(inputsOf(RANGE));
      expect(states(attempts)).to.deep.equal(['SUCCESS']);
      expectLanded(of, RANGE);
      const id = attempts[0]?.id ?? '';
      const { export: made } = await stage.kestra.outputs(id);
      const uri = made?.outputFiles?.['run-report.json'] ?? '';
      const report = JSON.parse(await stage.kestra.file(id, uri)) as ExportReport;
      expect(report.events).to.equal(expectedOf(RANGE).count);
      await expectNoSecret(of, attempts);
    });

    it('says which requests a dry run would make, and makes none', async () => {
      const asked = of.simulator.requests.length;
      const attempts = await of.run({ ...inputsOf(RANGE), force: 'true', dry_run: 'true' });
      expect(states(attempts)).to.deep.equal(['SUCCESS']);
      const said = (await of.logs(attempts[0] as Execution)).map(({ message }) => message).join('\n');
      expect(said).to.include('Nothing was requested or written').and.include('--force');
      expect(of.simulator.requests).to.have.length(asked);
    });

    it('ends with one clear error in each attempt and one alert where all of the range is in the future', async () => {
      const before = of.landed().size;
      const attempts = await of.run(inputsOf({ start: TODAY + 10 * DAY_HOURS, end: TODAY + 11 * DAY_HOURS }));
      expect(states(attempts)).to.deep.equal(['RETRIED', 'RETRIED', 'FAILED']);
      for (const attempt of attempts) expect((await errorsOf(of, attempt)).join()).to.include('is in the future');
      expect(await of.alerts()).to.have.length(1);
      expect(of.landed().size).to.equal(before);
    });

    it('ends with one clear error in each attempt and one alert where the end is before the start', async () => {
      const attempts = await of.run({ start: '2026-03-05', end: '2026-03-04' });
      expect(states(attempts)).to.deep.equal(['RETRIED', 'RETRIED', 'FAILED']);
      for (const attempt of attempts) expect((await errorsOf(of, attempt)).join()).to.include('is not after the start');
      expect(await of.alerts()).to.have.length(1);
    });

    it('ends with one clear error in each attempt and one alert where Amplitude refuses the secret', async () => {
      const before = of.landed().size;
      await stage.kestra.setKv(of.namespace, { AMP_SECRET_KEY: 'not-the-secret-key' });
      const range = { start: RANGE.end, end: RANGE.end + 2 };
      const attempts = await of.run(inputsOf(range));
      expect(states(attempts)).to.deep.equal(['RETRIED', 'RETRIED', 'FAILED']);
      for (const attempt of attempts) expect((await errorsOf(of, attempt)).join()).to.match(/HTTP 40[13]/);
      const alerts = await of.alerts();
      expect(alerts).to.have.length(1);
      expect(alerts[0]).to.include(formatHour(range.start)).and.not.include('not-the-secret-key');
      expect(of.landed().size).to.equal(before);
    });
  });

  it('takes its keys from secrets where there are no KV pairs of their names', async function () {
    if ((process.env.KESTRA_TEST_SECRETS ?? '') === '') this.skip();
    const of = await open('amplitude_export_image', 'secrets', { keys: 'secrets' });
    const attempts = await of.run(inputsOf(RANGE));
    expect(states(attempts)).to.deep.equal(['SUCCESS']);
    expectLanded(of, RANGE);
    await expectNoSecret(of, attempts);
  });

  it('can be extended as its README says', async () => {
    const of = await open('amplitude_export_image', 'extended');
    await of.deploy(undefined, undefined, extended);
    const attempts = await of.run(inputsOf(RANGE));
    expect(states(attempts)).to.deep.equal(['SUCCESS']);
    expectLanded(of, RANGE);
    expect((await of.alerts()).join()).to.include(`with ${expectedOf(RANGE).count} events`);
    const tasks = attempts[0]?.taskRunList?.map(({ taskId }) => taskId);
    expect(tasks).to.include.members(['side_by_side', 'other', 'workspace', 'validate', 'good_news']);
    await stage.kestra.setKv(of.namespace, { AMPLITUDE_PAUSED: 'yes' });
    const [paused] = await of.run(inputsOf(RANGE));
    expect(paused?.taskRunList?.find(({ taskId }) => taskId === 'workspace')?.state.current).to.equal('SKIPPED');
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
      const reached = (state: string) => all.filter((one) => one.state.current === state).length;
      if (reached('RETRIED') > 0) of.simulator.faults.length = 0;
      return reached('FAILED') > 0 || reached('SUCCESS') === days ? all : undefined;
    });
    expect(states(done).sort()).to.deep.equal(['RETRIED', 'SUCCESS', 'SUCCESS', 'SUCCESS']);
    const dayOfTick = `date=${formatHour(TODAY - DAY_HOURS).slice(0, 10)}/`;
    expectLanded(of, { start: from, end: from + days * DAY_HOURS }, (key) => key.includes(dayOfTick));
    const retried = done.find(({ state }) => state.current === 'RETRIED') as Execution;
    expect((await stage.kestra.outputs(retried.id)).export?.vars).to.include({ failedHours: failing });
    const again = done.find(({ id, originalId }) => id !== retried.id && originalId === retried.id) as Execution;
    expect((await stage.kestra.outputs(again.id)).export?.vars).to.include({ hoursSealed: 1, hoursSkipped: 23 });
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
    const [good] = await of.run();
    expect(good?.state.current).to.equal('SUCCESS');
    const made = (await stage.kestra.outputs(good?.id ?? '')).status;
    expect(made?.vars).to.include({ gaps: 0, hoursMissing: 0, exitCode: 0, start: formatHour(TODAY - 2 * DAY_HOURS) });

    const gone = TODAY - 2 * DAY_HOURS + 5;
    of.stage.s3.objects.delete(`looked/amplitude/${manifestKey(gone)}`);
    const attempts = await of.run();
    expect(states(attempts)).to.deep.equal(['RETRIED', 'RETRIED', 'FAILED']);
    const last = attempts.at(-1) as Execution;
    expect((await errorsOf(of, last)).join('\n'))
      .to.include(formatHour(gone))
      .and.include('--start');
    const { vars = {}, outputFiles = {} } = (await stage.kestra.outputs(last.id)).status ?? {};
    expect(vars).to.include({ gaps: 1, hoursMissing: 1, exitCode: 3 });
    const page = await stage.kestra.file(last.id, outputFiles['status.html'] ?? '');
    expect(page).to.include('<html').and.include(formatHour(gone));
    const alerts = await of.alerts();
    expect(alerts).to.have.length(1);
    expect(alerts[0]).to.include(`--start ${formatHour(gone)}`);
  });

  it('ends each attempt within a minute and alerts once: wrong branch, wrong token, repository away, secret missing', async () => {
    const of = await open('amplitude_export', 'refused');
    const cases: [string, RegExp, () => Promise<unknown>, Record<string, string>?][] = [
      ['a wrong branch', /no-such-branch/, async () => undefined, { git_ref: 'no-such-branch' }],
      ['a wrong token', /not authorized/, () => stage.kestra.setKv(of.namespace, { github_token: 'wrong' })],
      ['a repository that is not there', /127\.0\.0\.1:9\b/, () => of.deploy(undefined, 'http://127.0.0.1:9/none.git')],
      [
        'a missing secret',
        /BUCKET_NAME/,
        async () => {
          await of.deploy();
          await stage.kestra.setKv(of.namespace, { github_token: stage.git.token });
          await stage.kestra.removeKv(of.namespace, 'BUCKET_NAME');
        },
      ],
    ];
    for (const [name, message, prepare, inputs = {}] of cases) {
      await prepare();
      const attempts = await of.run(inputs);
      expect(states(attempts), name).to.deep.equal(['RETRIED', 'RETRIED', 'FAILED']);
      for (const attempt of attempts) {
        expect((await errorsOf(of, attempt)).join('\n'), name).to.match(message);
        const { histories } = attempt.state;
        const ms = Date.parse(histories.at(-1)?.date ?? '') - Date.parse(histories[0]?.date ?? '');
        expect(ms, name).to.be.below(60_000);
      }
      expect(await of.alerts(), name).to.have.length(1);
    }
    expect(of.landed().size).to.equal(0);
    expect(of.simulator.requests).to.have.length(0);
  });
});
