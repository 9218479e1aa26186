import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { parseDocument } from 'yaml';
import { VARIABLES, type Variable } from '../../src/config/variables.ts';
import { VERSION } from '../../src/version.ts';

const FOLDER = resolve(import.meta.dirname, '../../kestra');
const SQL = 'io.kestra.plugin.jdbc.snowflake.';
const SQL_FOLDER = resolve(import.meta.dirname, '../../infra/snowflake');
const DASHBOARD = 'amplitude_dashboard.yaml';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml') && name !== DASHBOARD);

type Node = Readonly<Record<string, unknown>>;

interface Task extends Node {
  readonly id: string;
  readonly type: string;
  readonly tasks?: readonly Task[];
}

interface Flow extends Node {
  readonly id: string;
  readonly namespace: string;
  readonly inputs: readonly Node[];
  readonly tasks: readonly Task[];
  /** Not in the runner. */
  readonly errors?: readonly Task[];
  readonly triggers?: readonly Node[];
}

/** Every text in a flow with its path: `tasks.0.tasks.1.url`. */
function* textsOf(node: unknown, path: readonly string[] = []): Generator<{ path: string; key: string; text: string }> {
  if (typeof node === 'string') yield { path: path.join('.'), key: path.at(-1) ?? '', text: node };
  else if (typeof node === 'object' && node !== null) {
    for (const [key, value] of Object.entries(node)) yield* textsOf(value, [...path, key]);
  }
}

/** Every property name in a flow with its path. Names in `env` and `variables` are the flow's own. */
function* propertiesOf(node: unknown, path: readonly string[] = []): Generator<{ path: string; key: string }> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (!Array.isArray(node)) yield { path: path.join('.'), key };
    if (!['env', 'variables', 'labels'].includes(key)) yield* propertiesOf(value, [...path, key]);
  }
}

const tasksOf = (flow: Flow): Task[] => {
  const below = (task: Task): Task[] => [task, ...(task.tasks ?? []).flatMap(below)];
  return [...flow.tasks, ...(flow.errors ?? [])].flatMap(below);
};

const SECRETS = /\b(?:kv|secret)\(/;
const SUBFLOW = 'io.kestra.plugin.core.flow.Subflow';
const RUNNER = 'amplitude_run.yaml';
const LOAD = 'amplitude_load_snowflake.yaml';
const TRANSFORM = 'amplitude_transform.yaml';
const CALLERS = [
  'amplitude_export.yaml',
  'amplitude_export_image.yaml',
  'amplitude_backfill.yaml',
  'amplitude_status.yaml',
];
const MOST_LINES: Readonly<Record<string, number>> = { [RUNNER]: 120, [LOAD]: 190, [TRANSFORM]: 100 };

const readFlow = (name: string): Flow => {
  const document = parseDocument(readFileSync(join(FOLDER, name), 'utf8'), { uniqueKeys: true });
  expect([...document.errors, ...document.warnings], name).to.deep.equal([]);
  return document.toJS() as Flow;
};
const taskOf = (flow: Flow, id: string) => tasksOf(flow).find((task) => task.id === id);
const envOf = (id: string) => taskOf(readFlow(RUNNER), id)?.env as Readonly<Record<string, string>>;

const pair = (name: string) => `{{ kv('${name}', errorOnMissing=false) ?? '' }}`;
const key = (name: string) => `{{ kv('${name}', errorOnMissing=false) ?? secret('${name}') }}`;
const ofProject = (name: string, otherwise: string) =>
  `{{ kv('${name}' ~ render(vars.suffix), errorOnMissing=false) ?? ${otherwise} }}`;
/** A container knows of its worker's network only what the flow hands in. */
const NETWORK = { HTTPS_PROXY: pair('HTTPS_PROXY'), HTTP_PROXY: pair('HTTP_PROXY'), NO_PROXY: pair('NO_PROXY') };

describe('the flows', () => {
  it('are all in the folder, which holds a dashboard and pages besides', () => {
    expect(FILES).to.have.members([RUNNER, ...CALLERS, LOAD, TRANSFORM]);
    expect(readdirSync(FOLDER).filter((name) => !/\.(?:yaml|md)$/.test(name))).to.deep.equal([]);
  });

  it('build without keys, and run with them: from a KV pair or a secret, a project with its own', () => {
    expect(envOf('build')).to.deep.equal(NETWORK);
    const project = (name: string) => ofProject(name, `secret('${name}' ~ render(vars.suffix))`);
    expect(envOf('run')).to.deep.equal({
      ...NETWORK,
      AMP_API_KEY: project('AMP_API_KEY'),
      AMP_SECRET_KEY: project('AMP_SECRET_KEY'),
      AMP_DATA_REGION: ofProject('AMP_DATA_REGION', "''"),
      BUCKET_NAME: ofProject('BUCKET_NAME', key('BUCKET_NAME').slice(3, -3)),
      S3_PREFIX: ofProject('S3_PREFIX', "'amplitude' ~ (render(vars.suffix) | lower)"),
      AWS_ACCESS_KEY: key('AWS_ACCESS_KEY'),
      AWS_SECRET_KEY: key('AWS_SECRET_KEY'),
      ...Object.fromEntries(
        [
          'AWS_REGION',
          'AWS_ENDPOINT_URL_S3',
          'AMPLITUDE_BASE_URL',
          'S3_KMS_KEY_ID',
          'S3_SSE',
          'S3_ADDRESSING',
          'AWS_CA_BUNDLE',
        ].map((name) => [name, pair(name)]),
      ),
      EXPORT_START: "{{ inputs.start ?? '' }}",
      EXPORT_END: "{{ inputs.end ?? '' }}",
      OUTPUT_FORMAT: '{{ inputs.output_format }}',
      REQUEST_CONCURRENCY: '{{ inputs.requests }}',
      COMMAND: "{{ inputs.command }}{{ inputs.force ? ' --force' : '' }}{{ inputs.dry_run ? ' --dry-run' : '' }}",
      REPORT_FILE: 'run-report.json',
      LOG_FORMAT: 'kestra',
    });
  });

  it('set only variables that the program knows, and COMMAND', () => {
    const known = (Object.entries(VARIABLES) as [string, Variable][]).flatMap(([variable, { aliases = [] }]) => [
      variable,
      ...aliases,
    ]);
    for (const variable of Object.keys(envOf('run'))) expect([...known, 'COMMAND']).to.include(variable);
  });

  it('run a command that the shell cannot take for more than words', () => {
    const { validator } = readFlow(RUNNER).inputs.find(({ id }) => id === 'command') ?? {};
    const allowed = new RegExp(String(validator));
    for (const command of ['export', 'verify --checksums', 'status --html status.html --fail-on-gaps=3h']) {
      expect(allowed.test(command), command).to.equal(true);
    }
    for (const text of ['; env', ' $(env)', ' `env`', ' | env', ' > x', ' "x', " 'x", ' *', '\nenv', '  x', ' &']) {
      expect(allowed.test(`export${text}`), text).to.equal(false);
    }
  });

  it('end a program cleanly: its container passes the signal on and waits', () => {
    const run = taskOf(readFlow(RUNNER), 'run');
    expect(run?.taskRunner).to.include({ killGracePeriod: 'PT30S' });
    expect(run?.commands).to.include('exec node /app/dist/main.js $COMMAND');
    expect(run?.outputFiles).to.include(envOf('run').REPORT_FILE);
  });

  it('show what npm says: in commands, since Kestra 2 logs beforeCommands at DEBUG', () => {
    expect(taskOf(readFlow(RUNNER), 'build')?.commands).to.be.an('array');
    for (const flow of FILES.map(readFlow)) {
      for (const task of tasksOf(flow)) expect(task, task.id).not.to.have.property('beforeCommands');
    }
  });

  it('build the newest tag, or the one that the next commit gets; main while there is none', () => {
    const [newest = 'main'] = spawnSync('git', ['-C', FOLDER, 'tag', '--list', 'v*', '--sort=-version:refname'], {
      encoding: 'utf8',
    }).stdout.split('\n');
    for (const name of [RUNNER, TRANSFORM]) {
      const { defaults } = readFlow(name).inputs.find(({ id }) => id === 'git_ref') ?? {};
      expect([newest === '' ? 'main' : newest, `v${VERSION}`], name).to.include(defaults);
    }
  });

  it('load with every statement of infra/snowflake that a load needs, and fill in its placeholders', () => {
    const asked = tasksOf(readFlow(LOAD)).filter(({ type }) => type.startsWith(SQL));
    const files = readdirSync(SQL_FOLDER).filter((name) => /^(?:0[7-9]|1\d)_/.test(name));
    expect(asked).to.have.length(files.length);
    // With transaction: false the plugin commits after every statement, also between BEGIN and COMMIT.
    for (const task of asked) expect(task, task.id).not.to.have.property('transaction');
    for (const [at, name] of files.sort().entries()) {
      const sql = String(asked[at]?.sql);
      expect(sql).to.include(`read('snowflake/${name}')`);
      const placeholders = readFileSync(join(SQL_FOLDER, name), 'utf8').match(/<% \w+ %>/g) ?? [];
      expect(new Set(sql.match(/<% \w+ %>/g)), name).to.deep.equal(new Set(placeholders));
    }
  });

  it('build the tables with what dbt/ requires, and read the landing that the runner writes, with its keys', () => {
    const { clone, dbt } = Object.fromEntries(tasksOf(readFlow(TRANSFORM)).map((task) => [task.id, task]));
    const runner = taskOf(readFlow(RUNNER), 'clone');
    for (const property of ['username', 'password', 'directory', 'branch']) {
      expect(clone?.[property], property).to.equal(runner?.[property]);
    }
    const env = dbt?.env as Readonly<Record<string, string>>;
    expect(env).to.include({
      ...NETWORK,
      DESTINATION: `s3://${key('BUCKET_NAME')}/{{ kv('S3_PREFIX', errorOnMissing=false) ?? 'amplitude' }}`,
      AWS_ACCESS_KEY_ID: key('AWS_ACCESS_KEY'),
      AWS_SECRET_ACCESS_KEY: key('AWS_SECRET_KEY'),
      AWS_DEFAULT_REGION: pair('AWS_REGION'),
      AWS_ENDPOINT_URL_S3: pair('AWS_ENDPOINT_URL_S3'),
      AWS_CA_BUNDLE: pair('AWS_CA_BUNDLE'),
    });
    const core = /^dbt-core==.*$/m.exec(readFileSync(join(FOLDER, '../dbt/requirements.txt'), 'utf8'))?.[0] ?? 'none';
    expect(env.REQUIREMENTS).to.include('-r /dbt/requirements.txt').and.include(core);
  });

  it("together stay within the API's five requests at once", () => {
    const limits = CALLERS.map((name) => {
      const flow = readFlow(name);
      const { inputs = {} } = (tasksOf(flow).find(({ type }) => type === SUBFLOW) ?? {}) as { inputs?: Node };
      // Status asks nothing, and the image flow takes the place of the export.
      if (inputs.command !== undefined || inputs.image !== undefined) return 0;
      return (flow.concurrency as { limit: number }).limit * Number(inputs.requests ?? 1);
    });
    expect(limits.reduce((sum, limit) => sum + limit, 0)).to.equal(5);
  });

  for (const name of FILES) {
    describe(name, () => {
      let flow: Flow;
      let texts: { path: string; key: string; text: string }[];

      before(() => {
        flow = readFlow(name);
        texts = [...textsOf(flow)];
      });

      it('has the name of its file as id, and the common namespace', () => {
        expect([`${flow.id}.yaml`, flow.namespace]).to.deep.equal([name, 'des.amplitude']);
      });

      it('is short', () => {
        const lines = readFileSync(join(FOLDER, name), 'utf8').trimEnd().split('\n');
        expect(lines).to.have.length.at.most(MOST_LINES[name] ?? 60);
      });

      it('has ids in snake case, each once', () => {
        const ids = tasksOf(flow).map(({ id }) => id);
        for (const id of [...ids, ...flow.inputs.map((input) => input.id as string)]) {
          expect(id).to.match(/^[a-z][a-z0-9_]*$/);
        }
        expect(new Set(ids).size).to.equal(ids.length);
      });

      it('has labels, and describes itself and every task, input and trigger', () => {
        expect(flow).to.include.keys('labels', 'description');
        for (const described of [...tasksOf(flow), ...flow.inputs, ...(flow.triggers ?? [])]) {
          expect(described.description, String(described.id)).to.be.a('string').that.matches(/\.$/);
        }
      });

      it('has no property or type that Kestra 1.3 or 2.0 rejects', () => {
        const gone = [
          'pluginDefaults',
          'taskDefaults',
          'conditions',
          'scheduleConditions',
          'preconditions',
          'maxAttempt',
        ];
        const scripts = ['runner', 'docker', 'outputDir', 'warningOnStdErr', 'assets', 'backfill', 'backfills'];
        for (const { path, key } of propertiesOf(flow)) expect([...gone, ...scripts], path).not.to.include(key);
        for (const task of tasksOf(flow)) {
          expect(task, task.id).not.to.have.property('when');
          expect(task.type).to.match(/^io\.kestra\.plugin\./);
          // Of the two names of the build, older plugins of 1.3 know only docker.Build.
          expect(task.type).not.to.match(/ForEach|Each|Loop$|LocalFiles|docker\.cli\./);
        }
        for (const input of flow.inputs) {
          expect(input).not.to.have.property('name');
          expect(['STRING', 'BOOL', 'SELECT', 'INT']).to.include(input.type);
          // Kestra rejects both together. Without either, a schedule, which gives no inputs, fails.
          expect('defaults' in input, String(input.id)).to.equal(input.required !== false);
        }
      });

      it('has no function that Kestra 1.3 or 2.0 rejects, and no kv() that fails without a pair', () => {
        for (const { path, text } of texts) {
          expect(text, path).not.to.match(/\|\s*json\b|\bjson\(/);
          for (const [call] of text.matchAll(/\bkv\((?:[^()]|\([^()]*\))*\)/g)) {
            expect(call, path).to.match(/, errorOnMissing=false\)$/);
          }
          if (path.startsWith('description')) continue;
          // Filters bind tighter than ??.
          expect(text, path).not.to.match(/\?\?[^)}]*\|/);
        }
      });

      it('asks for secrets only in env, in secret properties of tasks, and for what exists', () => {
        const own = ['username', 'password', 'privateKey', 'url', 'runIf', 'optional'];
        for (const { path, key: property, text } of texts) {
          if (path === 'description' || !SECRETS.test(text)) continue;
          expect(path.split('.').at(-2) === 'env' || own.includes(property), `${path}: ${text}`).to.equal(true);
        }
      });

      it('puts only validated input into a statement', () => {
        for (const { path, text } of texts.filter(({ key }) => key === 'sql'))
          expect(text, path).not.to.match(/inputs\./);
        for (const { id, validator } of flow.inputs.filter(() => texts.some(({ key }) => key === 'sql'))) {
          expect(validator, String(id)).to.be.a('string');
          const allowed = new RegExp(String(validator));
          for (const text of ["'", ';', '"', '\\', '{', '--x']) {
            expect(allowed.test(`2026${text}`), `${id}: ${text}`).to.equal(false);
          }
        }
      });

      it('puts no expression into a command', () => {
        for (const { path, text } of texts.filter((at) => /\.commands\./.test(at.path))) {
          expect(text, path).not.to.match(/\{\{|\{%/);
        }
      });

      it('limits the time of every task', () => {
        for (const task of tasksOf(flow)) {
          if (/(?:WorkingDirectory|Log|Fail|Subflow|LoopUntil|Sequential)$/.test(task.type)) continue;
          expect(task.timeout, task.id).to.match(/^PT\d+[HM]$/);
        }
      });

      it('queues executions, and has no block that blocks the queue of Kestra 1.3 after a kill', () => {
        if (name !== RUNNER) expect(flow.concurrency).to.include({ behavior: 'QUEUE' });
        expect(flow).not.to.have.any.keys('afterExecution', 'finally');
      });

      it('is retried as a whole or not at all', () => {
        const retried = tasksOf(flow).filter((task) => 'retry' in task);
        // A new attempt of status would find the same gaps.
        const isRetried = CALLERS.includes(name) && name !== 'amplitude_status.yaml';
        expect(retried.map(({ type }) => type)).to.deep.equal(isRetried ? [SUBFLOW] : []);
        // A flow's own retry ends its caller as SUCCESS after the first attempt, and alerts after each where a Subflow fails.
        expect('retry' in flow).to.equal(name === LOAD || name === TRANSFORM);
        for (const { retry } of [...retried, ...('retry' in flow ? [flow] : [])]) {
          expect(retry).to.include({ type: 'constant', maxAttempts: 3 });
        }
      });

      it('has schedules in UTC', () => {
        for (const trigger of flow.triggers ?? []) expect(trigger).to.include({ timezone: 'Etc/UTC' });
        expect(flow.triggers === undefined).to.equal(name === RUNNER);
      });
    });
  }
});
