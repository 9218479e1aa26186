import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { venv } from '../../support/venv.ts';

const PROJECT = resolve(import.meta.dirname, '../../../dbt');
const run = promisify(execFile);

const requirements = () => readFileSync(`${PROJECT}/requirements.txt`, 'utf8').trim().split('\n');

/** dbt over one landing, with its DuckDB file. */
export class Dbt {
  readonly #venv: string;
  readonly #env: Readonly<Record<string, string>>;

  readonly #vars: object | undefined;

  private constructor(folder: string, env: Readonly<Record<string, string>>, vars?: object) {
    this.#vars = vars;
    this.#venv = folder;
    this.#env = env;
  }

  /** @param work a folder for the DuckDB file, logs and compiled code */
  static async open(destination: string, work: string, vars?: object): Promise<Dbt> {
    const folder = await venv('dbt-duckdb', requirements());
    const env = {
      DESTINATION: destination,
      DUCKDB_PATH: `${work}/analytics.duckdb`,
      DBT_TARGET_PATH: `${work}/target`,
      DBT_LOG_PATH: `${work}/logs`,
      DO_NOT_TRACK: '1',
    };
    return new Dbt(folder, env, vars);
  }

  /** What dbt says. Throws with the same text if a model or a test fails. */
  async build(...args: readonly string[]): Promise<string> {
    const all = ['--no-use-colors', 'build', '--project-dir', PROJECT, '--profiles-dir', PROJECT, ...args];
    if (this.#vars !== undefined) all.push('--vars', JSON.stringify(this.#vars));
    try {
      return (await this.#python('dbt', all)).stdout;
    } catch (error) {
      throw new Error((error as { stdout?: string }).stdout, { cause: error });
    }
  }

  /** Rows of the DuckDB file, or of a Parquet that the query names. */
  async query<T = Readonly<Record<string, unknown>>>(sql: string): Promise<T[]> {
    const code = `import duckdb, json, os, sys
rows = duckdb.connect(os.environ["DUCKDB_PATH"], read_only=True).execute(sys.argv[1])
names = [column[0] for column in rows.description]
print(json.dumps([dict(zip(names, row)) for row in rows.fetchall()], default=str))`;
    return JSON.parse((await this.#python('python', ['-c', code, sql])).stdout) as T[];
  }

  /** As a table for people. */
  async show(sql: string): Promise<string> {
    const code =
      'import duckdb, os, sys\nduckdb.connect(os.environ["DUCKDB_PATH"], read_only=True).sql(sys.argv[1]).show(max_width=120)';
    return (await this.#python('python', ['-c', code, sql])).stdout;
  }

  async #python(name: string, args: readonly string[]) {
    const env = { ...process.env, ...this.#env };
    return await run(`${this.#venv}/bin/${name}`, args, { env, maxBuffer: 64 * 1024 * 1024 });
  }
}

/** dbt for the target snowflake, by the profiles of a folder, or those of the project. */
export async function onSnowflake(
  profiles: string,
  env: NodeJS.ProcessEnv,
  command: string,
  ...args: readonly string[]
) {
  const core = requirements().filter((line) => line.startsWith('dbt-core'));
  const folder = await venv('dbt-snowflake', [...core, 'dbt-snowflake==1.12.4']);
  const where = ['--project-dir', PROJECT, '--profiles-dir', profiles || PROJECT, '--target', 'snowflake'];
  const all = ['--no-use-colors', command, ...where, ...args];
  const quiet = { DO_NOT_TRACK: '1', SNOWFLAKE_DISABLE_PLATFORM_DETECTION: 'true' };
  try {
    return (await run(`${folder}/bin/dbt`, all, { env: { ...process.env, ...quiet, ...env } })).stdout;
  } catch (error) {
    throw new Error((error as { stdout?: string }).stdout, { cause: error });
  }
}
