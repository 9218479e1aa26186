import { execFile, spawn, spawnSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Below a folder that git and npm leave alone. */
const VENV = resolve(import.meta.dirname, '../../../node_modules/.cache/reading');
export const PACKAGES = [
  'chdb==4.4.0',
  'duckdb==2.0.1',
  'fsspec==2026.9.0',
  'pandas==3.1.1',
  'polars==2.1.0',
  'pyarrow==26.0.1',
  'pyiceberg[sql-sqlite]==0.12.0',
];
export const SPARK = 'pyspark==4.3.0';

export const hasJava = spawnSync('java', ['-version']).status === 0;

/** What `events` is after the blocks of an engine. */
export interface Read {
  readonly rows: number;
  /** Of an Iceberg table. */
  readonly commits?: number;
  /** Some columns of each event of the type Drift, as text. */
  readonly drifting: readonly (readonly [id: string, time: string, properties: string])[];
}

export async function install(): Promise<void> {
  const packages = hasJava ? [...PACKAGES, SPARK] : PACKAGES;
  const mark = resolve(VENV, '.installed');
  if ((await readFile(mark, 'utf8').catch(() => '')) === packages.join(' ')) return;
  process.stderr.write(`    Installing the engines, once, with python3 and pip: ${packages.join(', ')}\n`);
  await rm(VENV, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', VENV]);
  await run(`${VENV}/bin/pip`, ['install', '-q', '--disable-pip-version-check', ...packages]);
  await writeFile(mark, packages.join(' '));
}

/** Runs blocks of the page in the folder that holds `data/`. */
export async function read(engine: string, blocks: readonly string[], folder: string): Promise<Read> {
  const script = resolve(import.meta.dirname, 'engines.py');
  // Times are UTC wherever the reader is.
  const env = { ...process.env, TZ: 'America/Sao_Paulo' };
  const python = spawn(`${VENV}/bin/python`, [script, engine], { cwd: folder, env });
  python.stdin.end(JSON.stringify(blocks));
  const [out, err] = await Promise.all([text(python.stdout), text(python.stderr)]);
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`${engine} ended without a result: ${err.slice(-3000)}`);
  return JSON.parse(last) as Read;
}
