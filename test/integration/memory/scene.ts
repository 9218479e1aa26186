import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { ExportReport } from '../../../src/export/report.ts';
import { formatHour, type Hour, readHour, type Window } from '../../../src/hours.ts';
import type { Manifest } from '../../../src/landing/manifest.ts';
import { DEFAULTS, eventsOfHour, type RequestRecord } from '../../../src/simulator/simulator.ts';
import type { Served } from './simulator.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const SIMULATOR = fileURLToPath(new URL('./simulator.ts', import.meta.url));
const POLL_MS = 10;
/** Memory as a disk, where there is one: the figures are of this program, not of a disk. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** The first run of `count` hours, all with data, from 2026-01-05T09 on. */
export function busyHours(count: number): Window {
  for (let start = readHour('2026-01-05T09'); ; start++) {
    const hours = Array.from({ length: count }, (_, at) => start + at);
    if (hours.every((hour) => eventsOfHour(DEFAULTS.seed, hour, 200).events > 0)) return { start, end: start + count };
  }
}

export const faultAt = (name: string, hour: Hour) => `${name}@${formatHour(hour)}`;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly peakMiB: number;
  /** The most descriptors that were seen open at once. */
  readonly openFiles: number;
  readonly seconds: number;
  readonly report: ExportReport | undefined;
  readonly stderr: string;
}

export interface RunOptions {
  readonly flags?: readonly string[];
  /** The limit of open files. */
  readonly mostOpen?: number;
  readonly meanwhile?: (pid: number) => Promise<void>;
}

/** The built program exporting from a simulator, each in a process of its own, into a folder that goes with the scene. */
export class Scene implements AsyncDisposable {
  readonly folder: string;
  readonly workDir: string;
  readonly #simulator: ChildProcess;
  readonly #env: Record<string, string>;
  #exporter: ChildProcess | undefined;

  private constructor(folder: string, workDir: string, simulator: ChildProcess, url: string, window: Window) {
    this.folder = folder;
    this.workDir = workDir;
    this.#simulator = simulator;
    this.#env = {
      AMPLITUDE_BASE_URL: url,
      AMPLITUDE_API_KEY: DEFAULTS.apiKey,
      AMPLITUDE_SECRET_KEY: DEFAULTS.secretKey,
      DESTINATION: folder,
      WORK_DIR: workDir,
      EXPORT_START: formatHour(window.start),
      EXPORT_END: formatHour(window.end),
      EXPORT_BACKOFF_MS: '10',
    };
  }

  static async open(served: Served, window: Window): Promise<Scene> {
    const simulator = spawn(process.execPath, [SIMULATOR, JSON.stringify(served)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = (await once(simulator.stdout, 'data')) as [Buffer];
    const folder = await mkdtemp(join(FOLDER, 'memory-'));
    const workDir = await mkdtemp(join(tmpdir(), 'work-'));
    return new Scene(folder, workDir, simulator, line.toString().trim(), window);
  }

  /** Runs the export to its end. `meanwhile` is called once it has been started. */
  async run(settings: Record<string, string>, { flags = [], mostOpen, meanwhile }: RunOptions = {}): Promise<Ended> {
    const started = performance.now();
    const limited = mostOpen === undefined ? '' : `ulimit -n ${mostOpen}; `;
    const program = ['-c', `${limited}exec "$@"`, 'sh', process.execPath, MAIN, 'export', '--json', ...flags];
    const child = spawn('sh', program, {
      env: { ...this.#env, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exporter = child;
    let peakKb = 0;
    let openFiles = 0;
    const poll = setInterval(() => {
      peakKb = Math.max(peakKb, highWaterKb(child.pid));
      openFiles = Math.max(openFiles, openFilesOf(child.pid));
    }, POLL_MS);
    try {
      const [[code, signal], stdout, stderr] = await Promise.all([
        once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
        text(child.stdout),
        text(child.stderr),
        meanwhile?.(child.pid ?? 0),
      ]);
      const report = stdout === '' ? undefined : (JSON.parse(stdout) as ExportReport);
      return {
        code,
        signal,
        peakMiB: Math.ceil(peakKb / 1024),
        openFiles,
        seconds: Math.round((performance.now() - started) / 100) / 10,
        report,
        stderr,
      };
    } finally {
      clearInterval(poll);
    }
  }

  /** How many requests the simulator saw under way at once. */
  async mostAtOnce(): Promise<number> {
    const response = await fetch(`${this.#env.AMPLITUDE_BASE_URL}/simulator/requests`);
    const records = (await response.json()) as RequestRecord[];
    return Math.max(...records.map(({ inFlight }) => inFlight));
  }

  /** The objects that the manifests name. */
  async landedObjects(): Promise<Manifest['objects']> {
    const names = await readdir(join(this.folder, 'manifests'), { recursive: true });
    const manifests = names.filter((name) => name.endsWith('.json'));
    const read = (name: string) => readFile(join(this.folder, 'manifests', name), 'utf8');
    const texts = await Promise.all(manifests.map(read));
    return texts.flatMap((content) => (JSON.parse(content) as Manifest).objects);
  }

  async expectNoTemporaryFile(): Promise<void> {
    expect(await readdir(this.workDir)).to.deep.equal([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#exporter, this.#simulator]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(this.folder, { recursive: true });
    await rm(this.workDir, { recursive: true });
  }
}

function highWaterKb(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has just ended
  }
}

function openFilesOf(pid: number | undefined): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0; // it has just ended
  }
}

/** Waits until the process holds a file in `folder` that has no name and at least `bytes` bytes. */
export async function untilSpilled(pid: number, folder: string, bytes: number): Promise<void> {
  for (;;) {
    const descriptors = await readdir(`/proc/${pid}/fd`);
    for (const descriptor of descriptors) {
      const path = `/proc/${pid}/fd/${descriptor}`;
      const link = await readlink(path).catch(() => '');
      if (!link.startsWith(folder) || !link.endsWith('(deleted)')) continue;
      if (sizeOf(pid, descriptor) >= bytes) return;
    }
    await pause(POLL_MS);
  }
}

/** How far the file has been written; positions of writes are in the descriptor's own record. */
function sizeOf(pid: number, descriptor: string): number {
  const position = /^pos:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'))?.[1];
  return Number(position ?? 0);
}

/** Waits until a part of an object has been written below `folder`. */
export async function untilLanding(folder: string): Promise<void> {
  for (;;) {
    const names = await readdir(folder, { recursive: true });
    if (names.some((name) => name.endsWith('.partial'))) return;
    await pause(POLL_MS);
  }
}
