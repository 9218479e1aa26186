import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { formatHour, type Window } from '../../../src/hours.ts';
import type { Simulator } from '../../../src/simulator/simulator.ts';
import type { Place } from './places.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  /** The signal that ended the program where it did not end by itself. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** The built program and the folder that it may leave nothing in. */
export class Program {
  readonly workDir = mkdtempSync(join(tmpdir(), 'kill-work-'));
  readonly #simulator: Simulator;
  readonly #range: Window;
  readonly #going = new Set<Run>();

  constructor(simulator: Simulator, range: Window) {
    this.#simulator = simulator;
    this.#range = range;
  }

  /** Starts `export --json` of the range into `place`. Nothing of the tests' own environment reaches it. */
  start(place: Place, { args = [], env = {} }: { args?: readonly string[]; env?: NodeJS.ProcessEnv } = {}): Run {
    const { start, end } = this.#range;
    const range = ['--start', formatHour(start), '--end', formatHour(end)];
    const startedAt = performance.now();
    const child = spawn(process.execPath, [MAIN, 'export', '--json', ...range, ...place.flags, ...args], {
      env: {
        AMPLITUDE_BASE_URL: this.#simulator.url,
        AMPLITUDE_API_KEY: 'simulator-key',
        AMPLITUDE_SECRET_KEY: 'simulator-secret',
        REQUEST_HOURS: '3',
        REQUEST_CONCURRENCY: '2',
        UPLOAD_CONCURRENCY: '3',
        EXPORT_BACKOFF_MS: '50',
        WORK_DIR: this.workDir,
        LOG_FORMAT: 'json',
        ...place.env,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve([code, signal]));
    });
    const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(
      ([[code, signal], stdout, stderr]): Ended => ({
        code,
        signal,
        stdout,
        stderr,
        ms: performance.now() - startedAt,
      }),
    );
    const run = { child, ended };
    this.#going.add(run);
    void ended.finally(() => this.#going.delete(run)).catch(() => undefined);
    return run;
  }

  /** A run to its end, which must be a good one. */
  async finish(place: Place, options: Parameters<Program['start']>[1] = {}): Promise<Ended> {
    const ended = await this.start(place, options).ended;
    expect(ended.code, ended.stderr.slice(-2000)).to.equal(0);
    await this.leavesNothing();
    return ended;
  }

  async leavesNothing(): Promise<void> {
    expect(await readdir(this.workDir), 'in WORK_DIR').to.deep.equal([]);
  }

  /** Ends what a test that failed left going. */
  async end(): Promise<void> {
    for (const { child, ended } of [...this.#going]) {
      child.kill('SIGKILL');
      await ended;
    }
  }

  async close(): Promise<void> {
    await this.end();
    await rm(this.workDir, { recursive: true });
  }
}
