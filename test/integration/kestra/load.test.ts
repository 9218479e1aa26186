import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { formatHour, hourOf } from '../../../src/hours.ts';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { type Agreement, Scene, snowflakeUrl } from '../snowflake/scene.ts';
import { type Execution, Kestra } from './engine.ts';
import { block } from './extensions.ts';
import { busyHour, type Slack, startSlack } from './scene.ts';

const ID = 'amplitude_load_snowflake';
const SOURCE = readFileSync(resolve(import.meta.dirname, `../../../kestra/${ID}.yaml`), 'utf8');
const SQL = resolve(import.meta.dirname, '../../../infra/snowflake');
/** Within the days whose manifests a run reads by itself. */
const FIRST = busyHour(hourOf(new Date()) - 72);
const [START, END] = [formatHour(FIRST), formatHour(FIRST + 4)];
const PRIVATE_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const PEM = PRIVATE_KEY.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('the load on Kestra', function () {
  this.timeout(600_000);
  let kestra: Kestra;
  let slack: Slack;
  let scene: Scene;
  let namespace: string;

  before(async function () {
    const url = needs(this, 'KESTRA_URL');
    snowflakeUrl(this);
    kestra = new Kestra(url, process.env.KESTRA_USER, process.env.KESTRA_PASSWORD);
    slack = await startSlack();
  });

  beforeEach(async () => {
    scene = await Scene.open(process.env.SNOWFLAKE_URL ?? '');
    namespace = `des.amplitude.test_${scene.bucket.replaceAll('-', '_')}`;
    await kestra.deploy(deployed());
    await uploadStatements();
    await kestra.setKv(namespace, { SNOWFLAKE_PRIVATE_KEY: PEM, SLACK_WEBHOOK_URL: slack.url });
  });

  afterEach(async () => {
    await scene?.close();
  });

  after(async () => {
    await slack?.close();
  });

  /** The flow as it is, but for intervals, schedules, namespace and where Snowflake is. */
  function deployed(changed: readonly [RegExp, string][] = []): string {
    const { host } = new URL(scene.url);
    const changes: readonly [RegExp, string][] = [
      ...changed,
      [/^namespace: .*$/m, `namespace: ${namespace}`],
      [/\bPT5M\b/, 'PT1S'],
      [/^( {4}cron:) .*$/gm, '$1 "0 0 1 1 *"'],
      [/\/\/your-org[^?]*\?/, `//${host}/?account=fakesnow&ssl=off&`],
      [/db=analytics/, `db=${scene.database}`],
    ];
    return changes.reduce((source, [from, to]) => {
      if (!from.test(source)) throw new Error(`the flow has nothing like ${from}`);
      return source.replace(from, to);
    }, SOURCE);
  }

  /** As namespace files, by a flow: this path is the same on every Kestra. */
  async function uploadStatements(most = '1000'): Promise<void> {
    const names = readdirSync(SQL).filter((name) => /^(?:0[7-9]|1\d)_/.test(name));
    const write = (name: string) => ({
      id: `file_${name.slice(0, 2)}`,
      type: 'io.kestra.plugin.core.storage.Write',
      content: readFileSync(`${SQL}/${name}`, 'utf8').replace('objects_so_far <= 1000', `objects_so_far <= ${most}`),
    });
    const filesMap = Object.fromEntries(
      names.map((name) => [`snowflake/${name}`, `{{ outputs.file_${name.slice(0, 2)}.uri }}`]),
    );
    const upload = { id: 'upload', type: 'io.kestra.plugin.core.namespace.UploadFiles', namespace, filesMap };
    await kestra.deploy(stringify({ id: 'upload_statements', namespace, tasks: [...names.map(write), upload] }));
    const id = await kestra.start(namespace, 'upload_statements');
    expect((await kestra.ended(id)).state.current).to.equal('SUCCESS');
  }

  async function run(inputs: Readonly<Record<string, string>> = {}): Promise<Execution[]> {
    return await kestra.attempts(namespace, ID, await kestra.start(namespace, ID, inputs));
  }

  const states = (executions: readonly Execution[]) => executions.map(({ state }) => state.current);
  const rowsOf = async (execution: Execution, task: string) =>
    ((await kestra.outputs(execution.id))[task] as { rows?: Agreement[] } | undefined)?.rows ?? [];
  const logOf = async (execution: Execution) =>
    (await kestra.logs(execution.id)).map(({ message }) => message).join('\n');

  it('is valid, and warned of by nothing', async () => {
    const { constraints, warnings = [], deprecationPaths = [] } = await kestra.validate(SOURCE);
    expect([constraints ?? undefined, warnings, deprecationPaths]).to.deep.equal([undefined, [], []]);
  });

  it('loads what is due, gives the table, and loads nothing again; the key is nowhere to be read', async () => {
    const { events } = await scene.export(START, END);
    const [first] = (await run()) as [Execution];
    expect(first.state.current, await logOf(first)).to.equal('SUCCESS');
    const table = await rowsOf(first, 'reconcile');
    expect(table.map(({ HOUR, STATUS }) => `${HOUR} ${STATUS}`)).to.deep.equal(
      [0, 1, 2, 3].map((after) => `${formatHour(FIRST + after)} ok`),
    );
    expect(table.reduce((sum, row) => sum + row.ROWS_TYPED, 0)).to.equal(events);
    expect(await logOf(first)).to.include('Hours that do not agree: none.');

    const before = await scene.query('SELECT MAX(loaded_at) AS newest, COUNT(*) AS hours FROM loads');
    const [second] = (await run({ dates: '.*' })) as [Execution];
    expect(second.state.current).to.equal('SUCCESS');
    expect(await rowsOf(second, 'next_batch')).to.deep.equal([]);
    expect(await scene.query('SELECT MAX(loaded_at) AS newest, COUNT(*) AS hours FROM loads')).to.deep.equal(before);

    for (const execution of [first, second]) {
      const shown = [await logOf(execution), execution, await kestra.outputs(execution.id)].map((at) =>
        JSON.stringify(at),
      );
      for (const line of PEM.split('\n').filter((text) => text.length > 20)) expect(shown.join()).to.not.include(line);
    }
  });

  it('loads batch after batch, and does not fail for the hours that the next run loads', async () => {
    await scene.export(START, END);
    await uploadStatements('1');
    await kestra.deploy(deployed([[/maxIterations: 200/, 'maxIterations: 2']]));
    const [first] = (await run()) as [Execution];
    expect(first.state.current, await logOf(first)).to.equal('SUCCESS');
    const waiting = (await rowsOf(first, 'reconcile')).filter(({ STATUS }) => STATUS === 'not loaded');
    // Kestra 2.0 goes round once more than it is told.
    expect(waiting).to.have.length.within(1, 2);
    const [second] = (await run()) as [Execution];
    expect((await rowsOf(second, 'reconcile')).map(({ STATUS }) => STATUS)).to.deep.equal(['ok', 'ok', 'ok', 'ok']);
  });

  it('says that snowflake_url is not right before the first statement', async () => {
    const account = /\/\/127[^?]*\?/;
    for (const [from, to, fault] of [
      [account, '//your-org-your-account.snowflakecomputing.com/?', 'Put your account there'],
      [account, '//acme-my_account.snowflakecomputing.com/?', 'Write - for it'],
      [/MULTI_STATEMENT_COUNT=0&/, '', 'no MULTI_STATEMENT_COUNT=0'],
    ] as const) {
      await kestra.deploy(deployed([[/maxAttempts: 3/, 'maxAttempts: 1']]).replace(from, to));
      const [execution] = (await run()) as [Execution];
      expect(execution.state.current, fault).to.equal('FAILED');
      expect(await logOf(execution)).to.include(fault);
      expect((await kestra.outputs(execution.id)).dates).to.equal(undefined);
      await kestra.until(10, 'the alert', () => slack.messages.shift());
    }
  });

  it('loads every other hour where one cannot be loaded, fails, and names that one', async () => {
    await scene.export(START, END);
    const { objects } = await scene.manifest(START);
    await scene.remove(objects[0]?.key ?? '');
    const attempts = await run();
    expect(states(attempts)).to.deep.equal(['RETRIED', 'RETRIED', 'FAILED']);
    const last = attempts.at(-1) as Execution;
    const table = await rowsOf(last, 'reconcile');
    expect(table.filter(({ STATUS }) => STATUS !== 'ok')).to.have.length(1);
    expect(await scene.query('SELECT hour, batch_hours FROM attempts')).to.deep.equal([
      { HOUR: START, BATCH_HOURS: 1 },
    ]);
    expect(await logOf(last)).to.match(new RegExp(`do not agree: ${START} load failed \\(manifest \\d+, landed 0,`));
    const said = await kestra.until(10, 'the alert', () => slack.messages.shift());
    expect(said).to.include(ID).and.include(`${START} load failed`);
    expect(slack.messages).to.deep.equal([]);

    await scene.repair();
    expect(states(await run())).to.deep.equal(['SUCCESS']);
  });

  /** Something else that ends well, as an export does; in the test's namespace, as all of it. */
  const exporting = (tasks: readonly object[] = []) =>
    stringify({
      id: 'amplitude_export',
      namespace,
      tasks: [{ id: 'workspace', type: 'io.kestra.plugin.core.log.Log', message: 'exported' }, ...tasks],
    }).replaceAll('des.amplitude\n', `${namespace}\n`);
  const loaded = async () =>
    await kestra.until(60, 'the load', async () => {
      const [execution] = await kestra.executions(namespace, ID);
      return execution?.state.current === 'SUCCESS' ? execution : undefined;
    });

  it('runs as the last task of the export, as its page says', async () => {
    await scene.export(START, END);
    await kestra.deploy(exporting(block<object[]>('load_after')));
    const id = await kestra.start(namespace, 'amplitude_export');
    expect(states(await kestra.attempts(namespace, 'amplitude_export', id))).to.deep.equal(['SUCCESS']);
    expect(await rowsOf(await loaded(), 'reconcile')).to.have.length(4);
  });

  it('runs after the export by one of the two triggers of its page, of which each version takes its own', async () => {
    await scene.export(START, END);
    await kestra.deploy(exporting());
    const [schedule, ...rest] = deployed()
      .split(/^(?=triggers:)/m)
      .reverse();
    expect(schedule).to.include('cron:');
    const triggered = ['load_trigger_2', 'load_trigger_1'].map((name) => {
      const trigger = stringify(block<object>(name)).replaceAll('des.amplitude\n', `${namespace}\n`);
      return rest.toReversed().join('') + trigger;
    });
    const verdicts = await Promise.all(triggered.map((source) => kestra.validate(source)));
    const valid = triggered.filter((_, at) => (verdicts[at]?.constraints ?? '') === '');
    expect(valid).to.have.length(1);
    await kestra.deploy(valid[0] ?? '');
    await kestra.start(namespace, 'amplitude_export');
    expect(await rowsOf(await loaded(), 'reconcile')).to.have.length(4);
  });

  it('counts the tables again where it is asked to, fails where a count does not agree, and says by how much', async () => {
    scene.simulator.faults.push(parseFault(`bad-json@${START}`));
    await scene.export(START, END);
    expect(states(await run())).to.deep.equal(['SUCCESS']);
    await scene.query(`DELETE FROM rejects WHERE hour = '${START}'`);
    expect(states(await run())).to.deep.equal(['SUCCESS']);
    const last = (await run({ recount_since: START })).at(-1) as Execution;
    expect(last.state.current).to.equal('FAILED');
    expect(await logOf(last)).to.include(`${START} rejects has 0 rows, 1 were loaded`);
  });

  it('fails where there is no manifest at all, as behind a stage on the wrong prefix', async () => {
    const last = (await run()).at(-1) as Execution;
    expect(last.state.current).to.equal('FAILED');
    expect(await logOf(last)).to.include('no manifest at all');
  });

  it('takes for dates nothing that could end a text in a statement', async () => {
    const refused = await kestra.start(namespace, ID, { dates: "x' OR 1=1" }).catch((error: Error) => error.message);
    expect(refused).to.match(/dates/);
  });
});
