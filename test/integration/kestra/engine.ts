import { setTimeout as pause } from 'node:timers/promises';

export interface Execution {
  readonly id: string;
  readonly originalId?: string;
  readonly state: { readonly current: string; readonly histories: readonly { state: string; date: string }[] };
  readonly trigger?: { readonly id: string; readonly variables?: Readonly<Record<string, unknown>> };
  readonly taskRunList?: readonly {
    readonly id: string;
    readonly taskId: string;
    readonly state: { readonly current: string };
    readonly outputs?: Readonly<Record<string, unknown>> | null;
  }[];
}

export interface LogLine {
  readonly timestamp: string;
  readonly level: string;
  readonly taskId?: string;
  readonly message: string;
}

export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly value: number;
}

/** By task. Those of a Subflow are the execution that it started, and what that declares. */
export type TaskOutputs = Readonly<
  Record<
    string,
    | {
        readonly executionId?: string;
        readonly outputs?: { readonly report?: Record<string, unknown>; readonly files?: Record<string, string> };
        readonly rows?: unknown;
      }
    | undefined
  >
>;

const ENDED = ['SUCCESS', 'WARNING', 'FAILED', 'KILLED', 'CANCELLED', 'SKIPPED', 'RETRIED'];

/** The part of Kestra's API that the tests need. Where 1.3 and 2.0 differ, it tries the one form, then the other. */
export class Kestra {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, user = '', password = '') {
    this.#url = `${url.replace(/\/+$/, '')}/api/v1/main`;
    const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    this.#headers = user === '' ? {} : { authorization: basic };
  }

  async #fetch(method: string, path: string, body?: string | FormData, type?: string): Promise<Response> {
    return await fetch(`${this.#url}${path}`, {
      method,
      headers: { ...this.#headers, ...(type === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body }),
    });
  }

  async #call(method: string, path: string, body?: string | FormData, type?: string): Promise<Response> {
    const response = await this.#fetch(method, path, body, type);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async #json<T>(method: string, path: string, body?: string | FormData, type?: string): Promise<T> {
    return (await (await this.#call(method, path, body, type)).json()) as T;
  }

  /** What Kestra has against the flow; undefined where it has nothing. */
  async validate(source: string): Promise<{ constraints?: string; warnings?: string[]; deprecationPaths?: string[] }> {
    type Verdict = { constraints?: string; warnings?: string[]; deprecationPaths?: string[] };
    const [verdict] = await this.#json<Verdict[]>('POST', '/flows/validate', source, 'application/x-yaml');
    return verdict ?? {};
  }

  /** Creates the flow, or replaces it. */
  async deploy(source: string): Promise<void> {
    const created = await this.#fetch('POST', '/flows', source, 'application/x-yaml');
    if (created.ok) return;
    // A flow that is there already: 422 on 1.3, 409 on 2.0.
    if (created.status !== 422 && created.status !== 409) throw new Error(`${created.status} ${await created.text()}`);
    const nameOf = (key: string) => new RegExp(`^${key}: *(\\S+)`, 'm').exec(source)?.[1];
    await this.#call('PUT', `/flows/${nameOf('namespace')}/${nameOf('id')}`, source, 'application/x-yaml');
    // Kestra 1.3 starts the old revision of a subflow for a moment.
    await pause(1000);
  }

  async setKv(namespace: string, pairs: Readonly<Record<string, string>>): Promise<void> {
    for (const [key, value] of Object.entries(pairs)) {
      await this.#call('PUT', `/namespaces/${namespace}/kv/${key}`, JSON.stringify(value), 'text/plain');
    }
  }

  async removeKv(namespace: string, key: string): Promise<void> {
    await this.#call('DELETE', `/namespaces/${namespace}/kv/${key}`);
  }

  async start(namespace: string, flow: string, inputs: Readonly<Record<string, string>> = {}): Promise<string> {
    const path = `/executions/${namespace}/${flow}`;
    const form = new FormData();
    for (const [name, value] of Object.entries(inputs)) form.set(name, value);
    // Kestra's own server takes a form of several parts only (415 else), a test engine perhaps the plain kind only.
    const plain = new URLSearchParams(inputs).toString();
    const response = await this.#fetch('POST', path, plain, 'application/x-www-form-urlencoded');
    if (response.ok) return ((await response.json()) as { id: string }).id;
    if (response.status !== 415) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return (await this.#json<{ id: string }>('POST', path, form)).id;
  }

  async kill(id: string): Promise<void> {
    await this.#either('DELETE', [`/executions/${id}/actions/kill`, `/executions/${id}/kill`]);
  }

  async backfill(namespace: string, flowId: string, triggerId: string, start: string, end: string): Promise<void> {
    const body = JSON.stringify({ namespace, flowId, triggerId, backfill: { start, end } });
    await this.#either('PUT', ['/triggers/backfill/create', '/triggers'], body);
  }

  /** Calls the path of 2.0, and that of 1.3 where there is no such path. */
  async #either(method: string, [path, older]: readonly [string, string], body?: string): Promise<void> {
    const type = body === undefined ? undefined : 'application/json';
    const response = await this.#fetch(method, path, body, type);
    if (!response.ok) await this.#call(method, older, body, type);
  }

  /** Every execution of a flow, the oldest first. 2.0's list has no task runs, so each is asked for by itself. */
  async executions(namespace: string, flowId: string): Promise<Execution[]> {
    const query = new URLSearchParams({ namespace, flowId, size: '100' }).toString();
    const listed = results(await this.#json<Results<{ id: string }>>('GET', `/executions?${query}`));
    const found = await Promise.all(listed.map(({ id }) => this.execution(id)));
    const startOf = ({ state }: Execution) => state.histories[0]?.date ?? '';
    return found.filter((one) => one !== undefined).sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  }

  /** Undefined while it is on its way from the queue into the repository. */
  async execution(id: string): Promise<Execution | undefined> {
    const response = await this.#fetch('GET', `/executions/${id}`);
    if (response.status === 404) return undefined;
    return (await response.json()) as Execution;
  }

  /** The execution, once it has ended. */
  async ended(id: string, seconds = 240): Promise<Execution> {
    const execution = await this.until(seconds, `the end of ${id}`, async () => {
      const one = await this.execution(id);
      return one !== undefined && ENDED.includes(one.state.current) ? one : undefined;
    });
    // What an execution leaves behind (logs, alerts) comes shortly after its end.
    await pause(1000);
    return (await this.execution(id)) ?? execution;
  }

  /** The attempts of an execution that its flow itself retries, once the last one has ended; the first one first. */
  async attempts(namespace: string, flow: string, id: string): Promise<Execution[]> {
    return await this.until(240, `the end of ${flow} ${id}`, async () => {
      const all = (await this.executions(namespace, flow)).filter((one) => one.id === id || one.originalId === id);
      const state = all.at(-1)?.state.current ?? '';
      return ENDED.includes(state) && state !== 'RETRIED' ? all : undefined;
    });
  }

  async until<T>(seconds: number, what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (Date.now() > deadline) throw new Error(`${what} did not come within ${seconds} s`);
      await pause(200);
    }
  }

  async logs(id: string): Promise<LogLine[]> {
    const lines = results(await this.#json<Results<LogLine>>('GET', `/logs/${id}`));
    return lines.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
  }

  async metrics(id: string): Promise<Metric[]> {
    return results(await this.#json<Results<Metric>>('GET', `/metrics/${id}`));
  }

  /** 1.3 has them in the task runs. */
  async outputs(id: string): Promise<TaskOutputs> {
    const outputs: Record<string, TaskOutputs[string]> = {};
    for (const run of (await this.execution(id))?.taskRunList ?? []) {
      outputs[run.taskId] = run.outputs ?? undefined;
      if (Object.keys(run.outputs ?? {}).length > 0) continue;
      const response = await this.#fetch('GET', `/outputs/tasks/${id}/${run.id}`);
      if (response.ok) outputs[run.taskId] = (await response.json()) as TaskOutputs[string];
    }
    return outputs;
  }

  async file(id: string, uri: string): Promise<string> {
    return await (await this.#call('GET', `/executions/${id}/file?path=${encodeURIComponent(uri)}`)).text();
  }
}

type Results<T> = T[] | { readonly results: T[] };
const results = <T>(answer: Results<T>): T[] => (Array.isArray(answer) ? answer : answer.results);
