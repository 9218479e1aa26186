import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { readMemberName } from '../../../src/archive/names.ts';
import { formatHour, type Hour, hoursOf, type Window } from '../../../src/hours.ts';
import { eventsKey } from '../../../src/landing/keys.ts';
import { crcHex, manifestKey } from '../../../src/landing/manifest.ts';
import { expectedHour, type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { type S3Server, startS3Server } from '../../support/s3-server/server.ts';
import { type Execution, Kestra, type LogLine } from './engine.ts';
import { type GitServer, startGitServer } from './git-server.ts';

const FLOWS = resolve(import.meta.dirname, '../../../kestra');

const RUNNER = 'amplitude_run';
export const CALLERS = [
  'amplitude_export',
  'amplitude_export_image',
  'amplitude_backfill',
  'amplitude_status',
] as const;
export const FLOW_IDS = [RUNNER, ...CALLERS];
export type Caller = (typeof CALLERS)[number];

/** Once a year, which is never. */
const NEVER = '0 0 1 1 *';
const EVENTS_PER_HOUR = 20;
const KEYS = {
  AMP_API_KEY: 'simulator-key',
  AMP_SECRET_KEY: 'simulator-secret',
  AWS_ACCESS_KEY: 'AKIAKESTRA',
  AWS_SECRET_KEY: 'kestra-aws-secret',
} as const;

export interface Slack {
  readonly url: string;
  readonly messages: string[];
  close(): Promise<void>;
}

export async function startSlack(): Promise<Slack> {
  const messages: string[] = [];
  const server = createServer(async (request, response) => {
    const { text: message } = JSON.parse(await text(request)) as { text: string };
    messages.push(message);
    response.end('ok');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/alert`,
    messages,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

export const sourceOf = (id: string) => readFileSync(`${FLOWS}/${id}.yaml`, 'utf8');

/** What came of a caller: its attempts are runs, the last one's report and files are its own. */
export interface Ended {
  readonly execution: Execution;
  readonly state: string;
  readonly runs: readonly Execution[];
  readonly report: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, string>>;
}

/** What every scene shares: Kestra, a private repository and an S3 server. */
export interface Stage {
  readonly kestra: Kestra;
  readonly git: GitServer;
  readonly s3: S3Server;
  close(): Promise<void>;
}

export async function openStage(url: string, buckets: readonly string[]): Promise<Stage> {
  const kestra = new Kestra(url, process.env.KESTRA_USER, process.env.KESTRA_PASSWORD);
  const git = await startGitServer();
  const s3 = await startS3Server({ buckets, accessKey: KEYS.AWS_ACCESS_KEY });
  return {
    kestra,
    git,
    s3,
    async close() {
      await git.close();
      await s3.close();
    },
  };
}

type Change = readonly [from: RegExp, to: string];

export interface Deployment {
  readonly cron?: string;
  readonly source?: string;
  readonly changes?: readonly Change[];
}

export interface SceneOptions {
  readonly cron?: string;
  /** Whether keys and the repository's user and token are KV pairs, or secrets that Kestra has already. */
  readonly keys?: 'pairs' | 'secrets';
  /** An image that is there already, in place of the runner's build by npm, which takes half a minute. */
  readonly image?: string | undefined;
}

/** A caller and the runner in a namespace, with an Amplitude, a bucket and an alert channel that are its alone. */
export class Scene {
  readonly stage: Stage;
  readonly flow: Caller;
  readonly bucket: string;
  readonly namespace: string;
  readonly simulator: Simulator;
  readonly slack: Slack;

  private constructor(stage: Stage, flow: Caller, bucket: string, simulator: Simulator, slack: Slack) {
    this.stage = stage;
    this.flow = flow;
    this.bucket = bucket;
    this.namespace = `des.amplitude.test_${bucket}_${process.pid}`;
    this.simulator = simulator;
    this.slack = slack;
  }

  static async open(
    stage: Stage,
    flow: Caller,
    bucket: string,
    { cron = NEVER, keys = 'pairs', image }: SceneOptions = {},
  ): Promise<Scene> {
    const simulator = await startSimulator({ eventsPerHour: EVENTS_PER_HOUR });
    const scene = new Scene(stage, flow, bucket, simulator, await startSlack());
    const ready: Change = [/(id: image, type: STRING,) required: false/, `$1 defaults: "${image}"`];
    await scene.deployRunner(undefined, image === undefined ? [] : [ready]);
    await scene.deploy({ cron });
    await scene.setKv({
      BUCKET_NAME: bucket,
      AMPLITUDE_BASE_URL: simulator.url,
      AWS_ENDPOINT_URL_S3: stage.s3.url,
      SLACK_WEBHOOK_URL: scene.slack.url,
      ...(keys === 'secrets'
        ? { optional_secrets: 'github_user github_token' }
        : { ...KEYS, github_user: stage.git.user, github_token: stage.git.token }),
    });
    return scene;
  }

  /** The runner as it is, but for its namespace and URL. */
  async deployRunner(repository = this.stage.git.url, changes: readonly Change[] = []): Promise<void> {
    await this.#deploy(sourceOf(RUNNER), [[/^( {2}repository:) .*$/m, `$1 ${repository}`], ...changes]);
  }

  /** A caller as it is, but for intervals, schedule and namespace; and for what is the test. */
  async deploy({ cron = NEVER, source = sourceOf(this.flow), changes = [] }: Deployment = {}): Promise<void> {
    // Status is not retried.
    const retries: Change[] = source.includes('retry:') ? [[/interval: PT\dM/, 'interval: PT1S']] : [];
    await this.#deploy(source, [...retries, [/^( {4}cron:) .*$/gm, `$1 "${cron}"`], ...changes]);
  }

  async #deploy(source: string, changes: readonly Change[]): Promise<void> {
    const all: readonly Change[] = [[/^namespace: .*$/m, `namespace: ${this.namespace}`], ...changes];
    const changed = all.reduce((text, [from, to]) => {
      if (text.search(from) < 0) throw new Error(`the flow has nothing like ${from}`);
      return text.replace(from, to);
    }, source);
    await this.stage.kestra.deploy(changed);
  }

  async setKv(pairs: Readonly<Record<string, string>>): Promise<void> {
    await this.stage.kestra.setKv(this.namespace, pairs);
  }

  /** What the built program needs to work on the same bucket from outside of Kestra. */
  get env(): Readonly<Record<string, string>> {
    return {
      ...KEYS,
      AMPLITUDE_BASE_URL: this.simulator.url,
      BUCKET_NAME: this.bucket,
      AWS_ENDPOINT_URL_S3: this.stage.s3.url,
      AWS_REGION: 'us-east-1',
    };
  }

  async start(inputs: Readonly<Record<string, string>> = {}, flow: string = this.flow): Promise<string> {
    return await this.stage.kestra.start(this.namespace, flow, inputs);
  }

  /** Starts the flow and waits for its end. */
  async run(inputs: Readonly<Record<string, string>> = {}, flow: string = this.flow): Promise<Ended> {
    return await this.ended(await this.start(inputs, flow));
  }

  /** An execution of a caller after its end, with the runs that it made. */
  async ended(id: string): Promise<Ended> {
    const execution = await this.stage.kestra.ended(id);
    // A run that is killed has half a minute to end, its caller none.
    const made = (await this.executions(RUNNER)).filter(({ trigger }) => trigger?.variables?.executionId === id);
    const runs = await Promise.all(made.map((run) => this.stage.kestra.ended(run.id)));
    const outputs = await this.stage.kestra.outputs(id);
    const { outputs: { report = {}, files = {} } = {} } = outputs.export ?? outputs.status ?? {};
    return { execution, state: execution.state.current, runs, report, files };
  }

  async executions(flow: string = this.flow): Promise<Execution[]> {
    return await this.stage.kestra.executions(this.namespace, flow);
  }

  /** The alerts since the last look, once there is one, or none came. */
  async alerts(): Promise<string[]> {
    for (let i = 0; i < 20 && this.slack.messages.length === 0; i++) await pause(250);
    await pause(1000);
    return this.slack.messages.splice(0);
  }

  async logs({ id }: Execution): Promise<LogLine[]> {
    return await this.stage.kestra.logs(id);
  }

  /** Keys in the bucket below the prefix, `events/…` and `manifests/…`, with their bytes. */
  landed(folder = 'amplitude'): Map<string, Buffer> {
    const prefix = `${this.bucket}/${folder}/`;
    const entries = [...this.stage.s3.objects].filter(([key]) => key.startsWith(prefix));
    return new Map(entries.map(([key, { body }]) => [key.slice(prefix.length), body] as const).sort());
  }

  async close(): Promise<void> {
    await this.simulator.close();
    await this.slack.close();
  }
}

/** What the destination holds once these hours have landed for the first time: events with their bytes, manifests by their keys. */
export function expectedOf(window: Window): { events: Map<string, Buffer>; manifests: string[]; count: number } {
  const hours = [...hoursOf(window)];
  const contents = hours.map((hour) => expectedHour({ eventsPerHour: EVENTS_PER_HOUR }, hour));
  return {
    events: new Map(
      contents.flatMap(({ parts }) =>
        parts.flatMap(({ name, json }) => {
          const member = readMemberName(name);
          if (member === undefined) return [];
          return [[eventsKey({ ...member, generation: 1, crc32: crcHex(crc32(json)) }, 'json'), json] as const];
        }),
      ),
    ),
    manifests: hours.map(manifestKey),
    count: contents.reduce((sum, { events }) => sum + events, 0),
  };
}

export const inputsOf = ({ start, end }: Window) => ({ start: formatHour(start), end: formatHour(end) });

/** Where the first hour with events is, from `hour` on. */
export function busyHour(hour: Hour): Hour {
  return expectedHour({ eventsPerHour: EVENTS_PER_HOUR }, hour).events > 0 ? hour : busyHour(hour + 1);
}

export const SECRET_VALUES: readonly string[] = [KEYS.AMP_SECRET_KEY, KEYS.AWS_SECRET_KEY, 'git-token-1234567890'];
