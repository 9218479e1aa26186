import { cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import zlib from 'node:zlib';
import { expect } from 'chai';
import { formatHour, type Hour, readHour } from '../../../src/hours.ts';
import type { ReconcileReport } from '../../../src/reconcile/report.ts';
import { rewriteLines } from '../../../src/simulator/members.ts';
import { expectedHour, parseFault, startSimulator } from '../../../src/simulator/simulator.ts';
import { type Ended, filesOf, runProgram } from '../program.ts';
import { type S3Server, type StoredObject, startS3Server } from '../s3-server/server.ts';

/** 06 to 11 land. Amplitude has nothing for 09, so it is sealed as empty. A line of 07 goes to quarantine. */
export const DAY = '2026-03-04';
export const hourAt = (hh: string): Hour => readHour(`${DAY}T${hh}`);
export const QUIET = hourAt('09');
export const QUARANTINED = hourAt('07');
const TRAFFIC = { eventsPerHour: 40 };

/** What Amplitude sent for the hour, by file names without `.gz`. */
export function given(hour: Hour): Map<string, Buffer> {
  const parts = expectedHour(TRAFFIC, hour).parts.map(({ name, json }, part) => {
    const bad = hour === QUARANTINED && part === 0;
    return [
      name.split('/')[1]?.replace('.gz', '') ?? '',
      bad ? rewriteLines(json, new Set(['bad-line'])) : json,
    ] as const;
  });
  return new Map(parts);
}

export function onlyOf(hour: Hour): { name: string; json: Buffer } {
  const [[name, json] = ['', Buffer.alloc(0)]] = given(hour);
  return { name, json };
}

/** A destination that a test can change without its manifests. */
export interface Place {
  readonly name: string;
  readonly env: Record<string, string>;
  readonly s3?: S3Server;
  read(key: string): Promise<Buffer | undefined>;
  write(key: string, bytes: Buffer): Promise<void>;
  remove(key: string): Promise<void>;
  /** Everything that is stored. */
  all(): Promise<Map<string, Buffer>>;
  /** Brings it back to the state after the export. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Lands the hours in two new places by real exports. */
export async function landedPlaces(format: 'json' | 'gzip' = 'json'): Promise<Place[]> {
  const simulator = await startSimulator(TRAFFIC);
  simulator.faults.push(
    parseFault(`bad-line@${formatHour(QUARANTINED)}`),
    parseFault(`empty-hour@${formatHour(QUIET)}`),
  );
  const places = [await folderPlace(), await s3Place()];
  for (const place of places) {
    const { code, stdout } = await runProgram(['export', '--start', `${DAY}T06`, '--end', `${DAY}T12`], {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      OUTPUT_FORMAT: format,
      ...place.env,
    });
    expect(code, stdout).to.equal(0);
    await place.restore();
  }
  await simulator.close();
  return places;
}

async function folderPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'reconcile-data-'));
  const data = join(folder, 'data');
  const saved = join(folder, 'saved');
  let kept = false;
  return {
    name: 'a folder',
    env: { DESTINATION: data },
    read: (key) => readFile(join(data, key)).catch(() => undefined),
    write: async (key, bytes) => {
      await mkdir(dirname(join(data, key)), { recursive: true });
      await writeFile(join(data, key), bytes);
    },
    remove: (key) => rm(join(data, key)),
    all: () => filesOf(data),
    async restore() {
      const [from, to] = kept ? [saved, data] : [data, saved];
      await rm(to, { recursive: true, force: true });
      await cp(from, to, { recursive: true });
      kept = true;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function s3Place(): Promise<Place> {
  const s3 = await startS3Server();
  let saved: Map<string, StoredObject> | undefined;
  const path = (key: string) => `bucket/amplitude/${key}`;
  return {
    name: 'S3',
    env: {
      DESTINATION: 's3://bucket/amplitude',
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
      AWS_REGION: 'us-east-1',
    },
    s3,
    read: async (key) => s3.objects.get(path(key))?.body,
    async write(key, body) {
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32BE(zlib.crc32(body));
      const headers = { 'x-amz-checksum-crc32': checksum.toString('base64') };
      s3.objects.set(path(key), { body, size: body.length, etag: '"x"', headers, modifiedAt: new Date() });
    },
    remove: async (key) => void s3.objects.delete(path(key)),
    all: async () => new Map([...s3.objects].map(([key, { body }]) => [key, body])),
    async restore() {
      saved ??= new Map(s3.objects);
      s3.objects.clear();
      for (const [key, object] of saved) s3.objects.set(key, object);
      s3.faults.length = 0;
      s3.requests.length = 0;
    },
    close: () => s3.close(),
  };
}

export interface Answer extends Ended {
  readonly said: ReconcileReport;
}

/** The folder to reconcile, and what is beside it. */
export class Local {
  readonly top: string;
  readonly dir: string;
  readonly failed: string;

  private constructor(top: string) {
    this.top = top;
    this.dir = join(top, 'exports');
    this.failed = join(top, 'failed_uploads');
  }

  static async make(): Promise<Local> {
    const local = new Local(await mkdtemp(join(tmpdir(), 'reconcile-')));
    await mkdir(local.dir);
    return local;
  }

  async put(file: string, content: Buffer | string): Promise<void> {
    await mkdir(dirname(join(this.dir, file)), { recursive: true });
    await writeFile(join(this.dir, file), content);
    await utimes(join(this.dir, file), new Date('2026-03-05'), new Date('2026-03-05'));
  }

  async run(place: Place, args: readonly string[] = [], env: Record<string, string> = {}): Promise<Answer> {
    const ended = await runProgram(['reconcile', this.dir, '--json', ...args], { ...place.env, ...env });
    return { ...ended, said: ended.report<ReconcileReport>() };
  }

  files = () => filesOf(this.dir);

  /** The files of failed_uploads/ without the reasons. */
  async movedFiles(): Promise<Map<string, Buffer>> {
    const files = await filesOf(this.failed);
    files.delete('reasons.jsonl');
    return files;
  }

  async reasons(): Promise<{ file: string; to: string; code: string; reason: string; hour: string | null }[]> {
    const text = await readFile(join(this.failed, 'reasons.jsonl'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  close = () => rm(this.top, { recursive: true, force: true });
}

/** `.json.gz` as another program may write it: several gzip streams in one file. */
export function inTwoStreams(json: Buffer): Buffer {
  const half = Math.floor(json.length / 2);
  return Buffer.concat([zlib.gzipSync(json.subarray(0, half)), zlib.gzipSync(json.subarray(half))]);
}
