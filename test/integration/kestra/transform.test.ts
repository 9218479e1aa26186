import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { formatHour, hourOf } from '../../../src/hours.ts';
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { type ExportReport, runProgram } from '../../support/program.ts';
import { dockerOutput, needEngine } from '../docker/engine.ts';
import { s3Server } from '../snowflake/scene.ts';
import { type Execution, Kestra } from './engine.ts';
import { type GitServer, startGitServer } from './git-server.ts';
import { busyHour, type Slack, sourceOf, startSlack } from './scene.ts';

const ID = 'amplitude_transform';
const ROOT = resolve(import.meta.dirname, '../../..');
const FIRST = busyHour(hourOf(new Date()) - 72);
const BUCKET = `tables-${process.pid}`;
const NAMESPACE = `des.amplitude.test_tables_${process.pid}`;
const REGION = 'us-east-1';
/** Python with what dbt/ requires. */
const IMAGE = 'amplitude-tables:kestra';

describe('the tables on Kestra', function () {
  this.timeout(600_000);
  let kestra: Kestra;
  let git: GitServer;
  let slack: Slack;
  let simulator: Simulator;

  before(async function () {
    const url = needs(this, 'KESTRA_URL');
    for (const name of ['AWS_ENDPOINT_URL_S3', 'AWS_ACCESS_KEY_ID']) needs(this, name);
    await needEngine(this);
    await buildImage();
    kestra = new Kestra(url, process.env.KESTRA_USER, process.env.KESTRA_PASSWORD);
    [git, slack, simulator] = await Promise.all([
      startGitServer(),
      startSlack(),
      startSimulator({ eventsPerHour: 40 }),
    ]);
    const { AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = s3Server();
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    const s3 = new S3Client({ endpoint: AWS_ENDPOINT_URL_S3, region: REGION, forcePathStyle: true, credentials });
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await deploy();
    await kestra.setKv(NAMESPACE, {
      BUCKET_NAME: BUCKET,
      AWS_ACCESS_KEY: AWS_ACCESS_KEY_ID,
      AWS_SECRET_KEY: AWS_SECRET_ACCESS_KEY,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_S3,
      github_user: git.user,
      github_token: git.token,
      SLACK_WEBHOOK_URL: slack.url,
    });
  });

  after(async () => {
    await Promise.all([git?.close(), slack?.close(), simulator?.close()]);
  });

  /** From the base image that the engine of the tests has anyway, with the machine's own certificates for pip. */
  async function buildImage(): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'kestra-python-'));
    const certificates = process.env.NODE_EXTRA_CA_CERTS ?? '';
    if (certificates !== '') await copyFile(certificates, join(folder, 'ca.pem'));
    await copyFile(join(ROOT, 'dbt/requirements.txt'), join(folder, 'requirements.txt'));
    const dockerfile = [
      'FROM node:24-bookworm-slim',
      'RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && python3 -m venv /opt/venv',
      'ENV PATH=/opt/venv/bin:$PATH',
      ...(certificates === '' ? [] : ['COPY ca.pem /opt/ca.pem', 'ENV PIP_CERT=/opt/ca.pem']),
      'COPY requirements.txt /opt/requirements.txt',
      'RUN pip install --quiet -r /opt/requirements.txt',
    ];
    await writeFile(join(folder, 'Dockerfile'), `${dockerfile.join('\n')}\n`);
    await dockerOutput(['build', '--quiet', '--network', 'host', '--tag', IMAGE, folder]);
    await rm(folder, { recursive: true });
  }

  /** The flow as it is, but for namespace, schedule, attempts, and where repository and image are. */
  async function deploy(attempts = 1, changed: readonly (readonly [RegExp, string])[] = []): Promise<void> {
    const changes: readonly (readonly [RegExp, string])[] = [
      [/^namespace: .*$/m, `namespace: ${NAMESPACE}`],
      [/^( {2}repository:) .*$/m, `$1 ${git.url}`],
      [/^( {2}image:) .*$/m, `$1 ${IMAGE}`],
      [/^( {4}cron:) .*$/m, '$1 "0 0 1 1 *"'],
      [/PT5M, maxAttempts: 3/, `PT1S, maxAttempts: ${attempts}`],
      ...changed,
    ];
    const source = changes.reduce((text, [from, to]) => {
      if (!from.test(text)) throw new Error(`the flow has nothing like ${from}`);
      return text.replace(from, to);
    }, sourceOf(ID));
    await kestra.deploy(source);
  }

  async function land(from: number, to: number): Promise<number> {
    const ended = await runProgram(['export', '--json', '--start', formatHour(from), '--end', formatHour(to)], {
      ...s3Server(),
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      AWS_REGION: REGION,
      BUCKET_NAME: BUCKET,
    });
    expect(ended.code, ended.stderr).to.equal(0);
    return ended.report<ExportReport>().events;
  }

  const run = async (inputs: Readonly<Record<string, string>> = {}) =>
    await kestra.ended(await kestra.start(NAMESPACE, ID, inputs));
  const logOf = async (execution: Execution) =>
    (await kestra.logs(execution.id)).map(({ level, message }) => `${level} ${message}`).join('\n');
  const lastError = async (execution: Execution) =>
    (await kestra.logs(execution.id)).findLast(({ level }) => level === 'ERROR')?.message;

  /** What the kept file says, and when a run last wrote an event into it. */
  async function tables(): Promise<{ readonly events: number; readonly landed: number; readonly applied: string }> {
    const code = [
      'import duckdb, json, s3fs',
      `s3fs.S3FileSystem().get_file("s3://${BUCKET}/amplitude/amplitude.duckdb", "/tmp/kept.duckdb")`,
      'ask = lambda sql: duckdb.connect("/tmp/kept.duckdb", read_only=True).sql(sql).fetchall()[0][0]',
      'print(json.dumps({"events": ask("select count(*) from events"), "landed": ask("select sum(events)::int from hours"),',
      '  "applied": str(ask("select max(applied_at) from stg_events"))}))',
    ];
    const env = { ...s3Server(), AWS_DEFAULT_REGION: REGION };
    const names = Object.keys(env).flatMap((name) => ['--env', name]);
    const args = ['run', '--rm', '--network', 'host', ...names, IMAGE, 'python', '-c', code.join('\n')];
    return JSON.parse(await dockerOutput(args, { env }));
  }

  it('are built by a flow that is valid, and warned of by nothing', async () => {
    const { constraints, warnings = [], deprecationPaths = [] } = await kestra.validate(sourceOf(ID));
    expect([constraints ?? undefined, warnings, deprecationPaths]).to.deep.equal([undefined, [], []]);
  });

  it('say where they looked, if nothing has landed there', async () => {
    const execution = await run();
    expect(execution.state.current).to.equal('FAILED');
    expect(await lastError(execution)).to.include(`s3://${BUCKET}/amplitude`);
    await kestra.until(10, 'the alert', () => slack.messages.shift());
  });

  it('have all events of the manifests; a run without a new hour keeps them as they are', async () => {
    const events = await land(FIRST, FIRST + 4);
    const first = await run();
    expect(first.state.current, await logOf(first)).to.equal('SUCCESS');
    expect(await logOf(first))
      .to.include('WARN test the_last_hour_is_fresh: Got 1 result')
      .and.not.match(/^ERROR /m);
    const built = await tables();
    expect(built).to.include({ events, landed: events });

    const second = await run();
    expect(second.state.current, await logOf(second)).to.equal('SUCCESS');
    expect(await tables()).to.deep.equal(built);
    expect(slack.messages).to.deep.equal([]);
  });

  it('fail the run if a test of theirs fails; the last error and one alert name it, and the new hours stay', async () => {
    const before = await tables();
    const events = before.events + (await land(FIRST + 4, FIRST + 6));
    const failing = 'cp -R project/dbt /dbt; mkdir -p /dbt/tests; echo "select 7 as n" > /dbt/tests/never_true.sql;';
    await deploy(2, [[/cp -R project\/dbt \/dbt;/, failing]]);
    const attempts = await kestra.attempts(NAMESPACE, ID, await kestra.start(NAMESPACE, ID));
    expect(attempts.map(({ state }) => state.current)).to.deep.equal(['RETRIED', 'FAILED']);
    for (const attempt of attempts) {
      expect(await lastError(attempt)).to.match(/^dbt failed: test never_true: Got 1 result/);
    }
    const alert = await kestra.until(10, 'the alert', () => slack.messages.shift());
    expect(alert).to.include(ID).and.include('test never_true: Got 1 result');
    expect(slack.messages).to.deep.equal([]);

    const kept = await tables();
    expect(kept).to.include({ events, landed: events });
    expect(kept.applied).to.not.equal(before.applied);
  });

  it('are built again from all hours on request', async () => {
    const before = await tables();
    await deploy();
    const execution = await run({ full_refresh: 'true' });
    expect(execution.state.current, await logOf(execution)).to.equal('SUCCESS');
    const built = await tables();
    expect([built.events, built.landed]).to.deep.equal([before.events, before.landed]);
    expect(built.applied > before.applied).to.equal(true);
    for (const secret of [s3Server().AWS_SECRET_ACCESS_KEY, git.token]) {
      expect(await logOf(execution)).to.not.include(secret);
    }
  });
});
