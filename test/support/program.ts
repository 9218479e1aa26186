import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DryRunReport, ExportReport } from '../../src/export/report.ts';
import type { Manifest } from '../../src/landing/manifest.ts';
import { COMPILED } from './build.ts';

export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** What a command line that the program prints begins with, when it is started as here. */
export const STARTED = `node ${relative('', MAIN)}`;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The document on stdout, with `--json`. */
  report<T = ExportReport>(): T;
}

/** A program of a few hundred milliseconds gains nothing from V8's threads, and hundreds run here. */
const FLAGS = '--v8-pool-size=0';

/** Runs the built program with nothing else in its environment but what is given. */
export function runProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  main = MAIN,
): Promise<Ended> {
  const child = spawn(process.execPath, [FLAGS, main, ...args], {
    env: { NODE_COMPILE_CACHE: COMPILED, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr, report: () => JSON.parse(stdout) }));
  });
}

export type { DryRunReport, ExportReport };

/** Every file below a folder by its path, `/` between its parts; an absent folder has none. */
export async function filesOf(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, Buffer>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(
      path
        .slice(folder.length + 1)
        .split(sep)
        .join('/'),
      await readFile(path),
    );
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function manifestsOf(files: ReadonlyMap<string, Buffer>): Map<string, Manifest> {
  const manifests = [...files].filter(([path]) => path.startsWith('manifests/'));
  return new Map(
    manifests.map(([, content]) => {
      const manifest = JSON.parse(content.toString()) as Manifest;
      return [`${manifest.date}T${manifest.hour}`, manifest];
    }),
  );
}
