import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { formatHour, hourFolder, readHour } from '../../../src/hours.ts';
import type { Manifest } from '../../../src/landing/manifest.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { type Ended, type ExportReport, runProgram } from '../../support/program.ts';
import { type Row, Snowflake, type Until } from './snowflake.ts';

const region = process.env.AWS_REGION ?? 'us-east-1';
const PREFIX = 'amplitude';

/** Where the S3 server is, by the names that the program takes. */
export function s3Server() {
  const { AWS_ENDPOINT_URL_S3 = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
  return { AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
}

/** Where Snowflake is. Its stage is in an S3 server: without one the suite is skipped too. */
export function snowflakeUrl(suite: Mocha.Context): string {
  for (const name of ['AWS_ENDPOINT_URL_S3', 'AWS_ACCESS_KEY_ID']) needs(suite, name);
  return needs(suite, 'SNOWFLAKE_URL');
}

/** A line of the reconciliation. */
export interface Agreement {
  readonly HOUR: string;
  readonly STATUS: string;
  readonly MANIFEST_EVENTS: number;
  readonly ROWS_LANDED: number;
  readonly ROWS_REJECTED: number;
  readonly ROWS_TYPED: number;
  readonly DISTINCT_UUIDS: number;
  readonly VALUES_NULLED: number;
  readonly DIFFERENCE: number;
  readonly QUARANTINED: number;
}

/** A batch, as 09 gives it and 10 takes it. */
export interface Batch {
  readonly BATCH_HOURS: number;
  readonly HOURS: string;
  readonly FILES: string;
  readonly CONTENTS: string;
}

const hoursOf = ({ HOURS }: Batch) => HOURS.replaceAll("'", '').split(', ');

/** An Amplitude, a bucket and a Snowflake schema that are its alone. */
export class Scene {
  readonly simulator: Simulator;
  readonly bucket: string;
  readonly url: string;
  readonly database: string;
  readonly snowflake: Snowflake;
  readonly #s3: S3Client;

  private constructor(url: string, bucket: string, simulator: Simulator, s3: S3Client, snowflake: Snowflake) {
    this.url = url;
    this.bucket = bucket;
    this.database = `db_${bucket.replaceAll('-', '_')}`;
    this.simulator = simulator;
    this.#s3 = s3;
    this.snowflake = snowflake;
  }

  static async open(url: string, options: SimulatorOptions & { bucket?: string } = {}): Promise<Scene> {
    const bucket = options.bucket ?? `snowflake-${randomBytes(4).toString('hex')}`;
    const { AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = s3Server();
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    const s3 = new S3Client({ endpoint: AWS_ENDPOINT_URL_S3, region, forcePathStyle: true, credentials });
    if (options.bucket === undefined) await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const simulator = await startSimulator({ eventsPerHour: 40, ...options });
    const snowflake = await Snowflake.open(url);
    await snowflake.query('SELECT 1 AS "$probe"').catch((cause: unknown) => {
      const hint = 'start it with test/integration/snowflake/stand-in in PYTHONPATH (infra/snowflake/README.md, Tests)';
      throw new Error(`The stand-in at ${url} is a plain fakesnow, which has no text lines: ${hint}.`, { cause });
    });
    const scene = new Scene(url, bucket, simulator, s3, snowflake);
    await scene.setUp();
    return scene;
  }

  /** The files in their order, as a person runs them. */
  async setUp(changed: Readonly<Record<string, string>> = {}): Promise<void> {
    const values = {
      name: 'amplitude',
      database: this.database,
      credits: '20',
      bucket: this.bucket,
      prefix: PREFIX,
      role_arn: 'arn:aws:iam::123456789012:role/amplitude-landing-snowflake',
      external_id: '0123456789abcdef',
      public_key: 'MIIB',
      ...changed,
    };
    const files = ['01_roles', '02_storage_integration', '03_stages', '04_tables', '05_views', '06_grants'];
    for (const file of files) await this.snowflake.run(`${file}.sql`, values);
  }

  /** A session of its own in the schema, as every run of the load has. */
  async session(schema = 'amplitude'): Promise<Snowflake> {
    const session = await Snowflake.open(this.url, { database: this.database, schema });
    await session.query(`USE SCHEMA ${this.database}.${schema}`);
    return session;
  }

  async export(start: string, end: string, args: readonly string[] = [], changed: Record<string, string> = {}) {
    const ended = await this.#program(['export', '--json', '--start', start, '--end', end, ...args], changed);
    return ended.report<ExportReport>();
  }

  /** Lands every hour again whose objects are not what its manifest says. */
  async repair(): Promise<void> {
    await this.#program(['verify', '--repair', '--json']);
  }

  async #program(args: readonly string[], changed: Record<string, string> = {}): Promise<Ended> {
    const ended = await runProgram(args, {
      AMPLITUDE_BASE_URL: this.simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      ...s3Server(),
      AWS_REGION: region,
      S3_BUCKET: this.bucket,
      S3_PREFIX: PREFIX,
      EXPORT_BACKOFF_MS: '1',
      ...changed,
    });
    if (ended.code !== 0 && ended.code !== 3) throw new Error(`${args[0]} ended with ${ended.code}: ${ended.stderr}`);
    return ended;
  }

  /** Refreshes the manifests and loads what is due, as a run does: batch by batch. */
  async load(dates = '.*'): Promise<{ loaded: string[]; failed: string[]; batches: number[] }> {
    const run = randomBytes(4).toString('hex');
    const loaded: string[] = [];
    const failed: string[] = [];
    const batches: number[] = [];
    await this.refresh(dates);
    for (let batch = await this.nextBatch(run); batch !== undefined; batch = await this.nextBatch(run)) {
      batches.push(batch.BATCH_HOURS);
      const hours = hoursOf(batch);
      await this.loadBatch(batch, run).then(
        () => loaded.push(...hours),
        () => hours.length === 1 && failed.push(...hours),
      );
    }
    return { loaded: loaded.sort(), failed, batches };
  }

  /** Refreshes the manifests, and records hours without objects. */
  async refresh(dates = '.*'): Promise<void> {
    const session = await this.session();
    await session.run('08_refresh_manifests.sql', { dates }).finally(() => session.close());
  }

  async nextBatch(run = 'a run'): Promise<Batch | undefined> {
    return (await this.snowflake.run<Batch>('09_next_batch.sql', { run }))[0];
  }

  /** In a session of its own, as far as the statement that `until` knows; what is not committed by then is undone. */
  async loadBatch(batch: Batch, run = 'a run', until?: Until): Promise<void> {
    const session = await this.session();
    const values = { run, hours: batch.HOURS, files: batch.FILES, contents: batch.CONTENTS };
    await session.run('10_load_batch.sql', values, until).finally(() => session.close());
  }

  /** The hours that are due and have objects, as the next run takes them. */
  async due(dates = '.*'): Promise<string[]> {
    await this.refresh(dates);
    const rows = await this.query<{ HOUR: string }>('SELECT hour FROM due_hours WHERE objects > 0 ORDER BY hour');
    return rows.map(({ HOUR }) => HOUR);
  }

  async query<T>(sql: string): Promise<T[]> {
    return await this.snowflake.query<T>(sql);
  }

  async reconciliation(since = '2000-01-01T00'): Promise<Agreement[]> {
    return await this.snowflake.run<Agreement>('11_reconciliation.sql', { since });
  }

  async recount(since = '2000-01-01T00', until = '2100-01-01T00'): Promise<Row[]> {
    return await this.snowflake.run('12_recount.sql', { since, until });
  }

  async manifest(hour: string): Promise<Manifest> {
    const key = `${PREFIX}/manifests/${hourFolder(readHour(hour))}.json`;
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
    return JSON.parse((await Body?.transformToString()) ?? '') as Manifest;
  }

  async put(key: string, body: string): Promise<void> {
    await this.#s3.send(new PutObjectCommand({ Bucket: this.bucket, Key: `${PREFIX}/${key}`, Body: body }));
  }

  async remove(key: string): Promise<void> {
    await this.#s3.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: `${PREFIX}/${key}` }));
  }

  async close(): Promise<void> {
    await this.snowflake.close();
    await this.simulator.close();
    this.#s3.destroy();
  }
}

export const hourText = (first: string, after: number) => formatHour(readHour(first) + after);
