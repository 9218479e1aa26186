import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { fill, statementsOf } from './sql.ts';

/** Set before the driver is there: it would ask cloud metadata addresses where it runs. */
process.env.SNOWFLAKE_DISABLE_PLATFORM_DETECTION = 'true';

/** Whether a file ends before this statement, which may be its last one. */
export type Until = (statement: string, last: boolean) => boolean;

export type Row = Readonly<Record<string, unknown>>;

/** What the tests need of snowflake-sdk, whose own types are there only once it is installed. */
interface Connection {
  connect(done: (error: Error | undefined) => void): void;
  execute(options: {
    sqlText: string;
    complete: (error: Error | undefined, statement: unknown, rows: Row[] | undefined) => void;
  }): void;
  destroy(done: (error: Error | undefined) => void): void;
}

interface Driver {
  configure(options: Readonly<Record<string, unknown>>): void;
  createConnection(options: Readonly<Record<string, unknown>>): Connection;
}

const readJson = async (file: string) =>
  await readFile(resolve(import.meta.dirname, file), 'utf8').then(
    (text) => JSON.parse(text) as { version: string; packages: Readonly<Record<string, { version: string }>> },
    () => undefined,
  );

/** The driver has a package of its own beside this file, which is installed when a test first wants it. */
async function openDriver(): Promise<Driver> {
  const wanted = (await readJson('package-lock.json'))?.packages['node_modules/snowflake-sdk']?.version;
  const installed = (await readJson('node_modules/snowflake-sdk/package.json'))?.version;
  if (installed !== wanted) {
    process.stderr.write("    installing Snowflake's driver, once\n");
    const args = ['ci', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
    await promisify(execFile)('npm', args, { cwd: import.meta.dirname });
  }
  const name: string = 'snowflake-sdk';
  const { default: driver } = (await import(name)) as { default: Driver };
  driver.configure({ logLevel: 'OFF' });
  return driver;
}

/** One session. */
export class Snowflake {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(url: string, place: { database?: string; schema?: string } = {}): Promise<Snowflake> {
    const driver = await openDriver();
    const account = { account: 'fakesnow', username: 'loader', password: 'any', host: new URL(url).hostname };
    const connection = driver.createConnection({ ...account, accessUrl: url, ...place });
    await new Promise<void>((connected, failed) => {
      connection.connect((error) => (error ? failed(error) : connected()));
    });
    return new Snowflake(connection);
  }

  async query<T = Row>(sqlText: string): Promise<T[]> {
    return await new Promise((answered, failed) => {
      this.#connection.execute({
        sqlText,
        complete: (error, _statement, rows) => {
          if (error) failed(new Error(`${error.message}\nin: ${sqlText.slice(0, 300)}`));
          else answered((rows ?? []) as T[]);
        },
      });
    });
  }

  /** A file of infra/snowflake, statement by statement, as far as `until`. Answers with the rows of the last one. */
  async run<T = Row>(
    file: string,
    values: Readonly<Record<string, string>> = {},
    until: Until = () => false,
  ): Promise<T[]> {
    let rows: T[] = [];
    const statements = statementsOf(fill(file, values));
    for (const [at, statement] of statements.entries()) {
      if (until(statement, at === statements.length - 1)) return rows;
      rows = await this.query<T>(statement);
    }
    return rows;
  }

  /** Ends the session; a transaction that is open ends with it, undone. */
  async close(): Promise<void> {
    await new Promise<void>((closed) => {
      this.#connection.destroy(() => closed());
    });
  }
}
