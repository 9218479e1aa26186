import { spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { venv } from '../../support/venv.ts';

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

export const install = async () => await venv('reading', hasJava ? [...PACKAGES, SPARK] : PACKAGES);

/** Runs blocks of the page in the folder that holds `data/`. */
export async function read(engine: string, blocks: readonly string[], folder: string): Promise<Read> {
  const script = resolve(import.meta.dirname, 'engines.py');
  // Times are UTC wherever the reader is.
  const env = { ...process.env, TZ: 'America/Sao_Paulo' };
  const python = spawn(`${await install()}/bin/python`, [script, engine], { cwd: folder, env });
  python.stdin.end(JSON.stringify(blocks));
  const [out, err] = await Promise.all([text(python.stdout), text(python.stderr)]);
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`${engine} ended without a result: ${err.slice(-3000)}`);
  return JSON.parse(last) as Read;
}
