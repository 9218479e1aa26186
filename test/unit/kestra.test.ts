import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { parseDocument } from 'yaml';
import { VARIABLES, type Variable } from '../../src/config/variables.ts';

const FOLDER = resolve(import.meta.dirname, '../../kestra');
const SQL = 'io.kestra.plugin.jdbc.snowflake.';
const SQL_FOLDER = resolve(import.meta.dirname, '../../infra/snowflake');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

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
  readonly variables: Node;
  readonly tasks: readonly Task[];
  readonly errors: readonly Task[];
  readonly triggers: readonly Node[];
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
  return [...flow.tasks, ...flow.errors].flatMap(below);
};

const SECRETS = /\b(?:kv|secret)\(/;
/** The task that runs the program, in the flows that have one. */
const programOf = (flow: Flow) => tasksOf(flow).find(({ env }) => env !== undefined);

const OPTIONAL = ['github_user', 'github_token', 'SLACK_WEBHOOK_URL'];

/** What a flow that runs the program asks for. */
interface Running {
  readonly required: readonly string[];
  readonly settings: readonly string[];
  /** Variables of the flow's own command, which are no settings. */
  readonly own: readonly string[];
  readonly files: readonly string[];
}
/** A container knows of its worker's network only what the flow hands in. */
const NETWORK = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'AWS_CA_BUNDLE'];
const EXPORTING: Running = {
  required: ['AMP_API_KEY', 'AMP_SECRET_KEY', 'AWS_ACCESS_KEY', 'AWS_SECRET_KEY', 'BUCKET_NAME'],
  settings: [
    'AMPLITUDE_BASE_URL',
    'AWS_ENDPOINT_URL_S3',
    'AWS_REGION',
    'S3_KMS_KEY_ID',
    'S3_SSE',
    'S3_ADDRESSING',
    ...NETWORK,
  ],
  own: [],
  files: ['run-report.json'],
};
/** It asks nothing of Amplitude, so it needs no Amplitude keys. */
const LOOKING: Running = {
  required: ['AWS_ACCESS_KEY', 'AWS_SECRET_KEY', 'BUCKET_NAME'],
  settings: ['AWS_ENDPOINT_URL_S3', 'AWS_REGION', 'S3_ADDRESSING', ...NETWORK],
  own: ['DAYS', 'TOLERATED'],
  files: ['status.html', 'status.json'],
};
/** By file; undefined for a flow that runs SQL. */
const FLOWS: Readonly<Record<string, Running | undefined>> = {
  'amplitude_export.yaml': EXPORTING,
  'amplitude_export_image.yaml': EXPORTING,
  'amplitude_backfill.yaml': EXPORTING,
  'amplitude_status.yaml': LOOKING,
  'amplitude_load_snowflake.yaml': undefined,
};

const readFlow = (name: string): Flow => {
  const document = parseDocument(readFileSync(join(FOLDER, name), 'utf8'), { uniqueKeys: true });
  expect([...document.errors, ...document.warnings], name).to.deep.equal([]);
  return document.toJS() as Flow;
};

/** What the flow has in place of `<% name %>` in infra/snowflake. */
const PARAMETERS: Readonly<Record<string, string>> = {
  dates: '{{ render(vars.dates) }}',
  hours: '{{ vars.hours_at_once }}',
  hour: '{{ row.HOUR }}',
  content: '{{ row.CONTENT }}',
  files: '{{ row.FILES }}',
  since: "{{ execution.startDate | dateAdd(-8, 'DAYS') | date('yyyy-MM-dd', timeZone='UTC') }}T00",
};

describe('the flows', () => {
  it('are all in the folder, which holds nothing else', () => {
    expect(FILES).to.have.members(Object.keys(FLOWS));
    expect(readdirSync(FOLDER).filter((name) => !/\.(?:yaml|md)$/.test(name))).to.deep.equal([]);
  });

  it('load with the statements of infra/snowflake', () => {
    const words = (sql: string) =>
      sql
        .replace(/^\s*--.*$/gm, '')
        .split(/\s+/)
        .filter((word) => word !== '')
        .join(' ');
    const asked = tasksOf(readFlow('amplitude_load_snowflake.yaml')).filter(({ type }) => type.startsWith(SQL));
    const files = readdirSync(SQL_FOLDER).filter((name) => /^(?:0[7-9]|1\d)_/.test(name));
    expect(asked).to.have.length(files.length);
    // With transaction: false the plugin commits after every statement, also between BEGIN and COMMIT.
    for (const task of asked) expect(task, task.id).not.to.have.property('transaction');
    for (const [at, name] of files.sort().entries()) {
      const file = readFileSync(join(SQL_FOLDER, name), 'utf8').replace(
        /<% (\w+) %>/g,
        (_, key) => PARAMETERS[key] ?? key,
      );
      expect(words(String(asked[at]?.sql).replace(/\{% (?:for .*?|endfor) %\}/g, '')), name).to.equal(words(file));
    }
  });

  it("together stay within the API's five requests at once", () => {
    const together = FILES.map(readFlow).reduce((sum, flow) => {
      const { limit } = flow.concurrency as { limit: number };
      const { REQUEST_CONCURRENCY = '0' } = (programOf(flow)?.env ?? {}) as Record<string, string>;
      return sum + limit * Number(REQUEST_CONCURRENCY);
    }, 0);
    expect(together).to.equal(5);
  });

  for (const [name, running] of Object.entries(FLOWS)) {
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

      it('has ids in snake case, each once', () => {
        const ids = tasksOf(flow).map(({ id }) => id);
        for (const id of [...ids, ...flow.inputs.map((input) => input.id as string)]) {
          expect(id).to.match(/^[a-z][a-z0-9_]*$/);
        }
        expect(new Set(ids).size).to.equal(ids.length);
      });

      it('has labels, and describes itself and every task, input and trigger', () => {
        expect(flow).to.include.keys('labels', 'description');
        for (const described of [...tasksOf(flow), ...flow.inputs, ...flow.triggers]) {
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
          expect(task, task.id).not.to.have.any.keys('when', 'retry');
          expect(task.type).to.match(/^io\.kestra\.plugin\./);
          expect(task.type).not.to.match(/ForEach|Each|LocalFiles|docker\.(Build|Run)$/);
        }
        for (const input of flow.inputs) {
          expect(input).not.to.have.property('name');
          expect(['STRING', 'BOOL', 'SELECT', 'INT']).to.include(input.type);
          // Kestra rejects both together. Without either, a schedule, which gives no inputs, fails.
          expect('defaults' in input, String(input.id)).to.equal(input.required !== false);
        }
        for (const trigger of flow.triggers) expect(trigger).not.to.have.property('inputs');
      });

      it('has no function that Kestra 1.3 or 2.0 rejects, and no kv() that fails without a pair', () => {
        for (const { path, text } of texts) {
          expect(text, path).not.to.match(/\|\s*json\b|\bjson\(/);
          for (const [call] of text.matchAll(/\bkv\([^)]*\)/g)) {
            expect(call, path).to.match(/^kv\('[A-Za-z_0-9]+', errorOnMissing=false\)$/);
          }
          if (path.startsWith('description')) continue;
          // Filters bind tighter than ??.
          expect(text, path).not.to.match(/\?\?[^)}]*\|/);
        }
      });

      it('asks for secrets only in env and in secret properties of tasks, by their usual names', () => {
        const own = ['username', 'password', 'privateKey', 'url', 'runIf'];
        for (const { path, key, text } of texts) {
          if (path === 'description' || !SECRETS.test(text)) continue;
          expect(path.split('.').at(-2) === 'env' || own.includes(key), `${path}: ${text}`).to.equal(true);
        }
        const asked = texts
          .filter(({ path }) => path !== 'description')
          .flatMap(({ text }) => [...text.matchAll(/\b(?:kv|secret)\('([^']+)'/g)].map(([, secret]) => secret));
        const wanted =
          running === undefined
            ? ['SNOWFLAKE_PRIVATE_KEY', 'SLACK_WEBHOOK_URL']
            : [...running.required, ...OPTIONAL, ...running.settings];
        expect(new Set(asked)).to.deep.equal(new Set(wanted));
      });

      it('takes required keys from a KV pair or a secret, and leaves unset settings empty', () => {
        for (const { privateKey } of tasksOf(flow).filter(({ type }) => type.startsWith(SQL))) {
          expect(privateKey).to.equal(
            "{{ kv('SNOWFLAKE_PRIVATE_KEY', errorOnMissing=false) ?? secret('SNOWFLAKE_PRIVATE_KEY') }}",
          );
        }
        const { required = [], settings = [] } = running ?? {};
        const env = programOf(flow)?.env as Record<string, string>;
        for (const secret of required) {
          expect(env[secret]).to.equal(`{{ kv('${secret}', errorOnMissing=false) ?? secret('${secret}') }}`);
        }
        for (const setting of settings) {
          expect(env[setting]).to.equal(`{{ kv('${setting}', errorOnMissing=false) ?? '' }}`);
        }
      });

      it('sets only variables that the program knows', () => {
        const known = (Object.entries(VARIABLES) as [string, Variable][]).flatMap(([variable, { aliases = [] }]) => [
          variable,
          ...aliases,
        ]);
        const named = tasksOf(flow).flatMap(({ env = {} }) => Object.keys(env as object));
        for (const variable of named) expect([...known, ...(running?.own ?? [])]).to.include(variable);
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

      it('puts no input into a command', () => {
        for (const { path, text } of texts.filter((at) => /\.(?:before)?[cC]ommands\./.test(at.path))) {
          const expressions = [...text.matchAll(/\{\{(.*?)\}\}/g)].map(([, expression = '']) => expression.trim());
          for (const expression of expressions) {
            expect(expression, path).to.match(/^inputs\.(?:force|dry_run) \? '--[a-z-]+' : ''$/);
          }
        }
      });

      it('clones, builds and runs again in every attempt, and queues executions', () => {
        expect(flow.retry).to.include({ behavior: 'CREATE_NEW_EXECUTION', maxAttempts: 3 });
        expect(flow.concurrency).to.include({ behavior: 'QUEUE' });
        // On 1.3, a killed execution of a flow that has it never gives its place in the queue back.
        expect(flow).not.to.have.any.keys('afterExecution', 'finally');
        if (running === undefined) return;
        expect(flow.tasks.map(({ type }) => type)).to.deep.equal(['io.kestra.plugin.core.flow.WorkingDirectory']);
      });

      it('limits the time of every task, and leaves the program time to end cleanly', () => {
        for (const task of tasksOf(flow)) {
          if (/WorkingDirectory$|Log$|Fail$/.test(task.type)) continue;
          expect(task.timeout, task.id).to.match(/^PT\d+[HM]$/);
        }
        const task = programOf(flow);
        if (task === undefined || running === undefined) return;
        expect(task.taskRunner).to.include({ killGracePeriod: 'PT30S' });
        const { commands, env, outputFiles } = task as Task & {
          commands: string[];
          env: Record<string, string>;
          outputFiles: string[];
        };
        expect(commands.at(-1)).to.match(/^exec node /);
        expect(outputFiles).to.deep.equal(running.files);
        expect(outputFiles).to.include(env.REPORT_FILE);
      });

      it('has a schedule in UTC', () => {
        expect(flow.triggers).to.have.length(1);
        expect(flow.triggers[0]).to.include({ timezone: 'Etc/UTC' });
      });
    });
  }
});
