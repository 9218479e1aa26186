import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Destination, StoredObject } from '../../../src/destination/destination.ts';
import { FileDestination } from '../../../src/destination/file.ts';
import { S3Destination } from '../../../src/destination/s3.ts';
import { JobError } from '../../../src/errors.ts';
import type { Contents } from '../../integration/kill/places.ts';
import { startS3Server } from '../s3-server/server.ts';
import { hearingLog, s3Settings } from '../settings.ts';

export interface Weather {
  /** Resolves once the schedule lets the next request happen. */
  admit(): Promise<void>;
  fails(): boolean;
  /** The request happens, its answer does not come. */
  loses(): boolean;
}

/** A destination that several runs open, and direct access to it. */
export interface WeatheredPlace {
  /** Every request waits for the schedule. `look` is called after it. */
  open(weather: Weather, look: () => void): Destination;
  contents(): Contents;
  date(key: string, at: Date): void;
  clear(): void;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** `next` does what the weather asks for before the next swap. */
function weathered(base: Destination, { admit, fails }: Weather, look: () => void, next: () => void): Destination {
  const step = async <T>(request: () => Promise<T>): Promise<T> => {
    await admit();
    if (fails()) throw new JobError('DESTINATION_UNREACHABLE', 'The store failed.');
    const result = await request();
    look();
    return result;
  };
  return {
    ...base,
    name: base.name,
    requests: base.requests,
    lacks: base.lacks,
    async *list(prefix, range): AsyncGenerator<StoredObject> {
      yield* await step(() => Array.fromAsync(base.list(prefix, range)));
    },
    lock: () => step(() => base.lock()),
    read: (key) => step(() => base.read(key)),
    standing: (key) => step(() => base.standing(key)),
    put: (key, content) => step(() => base.put(key, content)),
    swap: (key, content, from) =>
      step(() => {
        next();
        return base.swap(key, content, from);
      }),
    async delete(keys) {
      for (const key of keys) await step(() => base.delete([key]));
    },
    sweep: (folder) => base.sweep(folder),
    close: () => base.close(),
  };
}

export function folderPlace(): WeatheredPlace {
  const folder = mkdtempSync(join(tmpdir(), 'interleavings-'));
  return {
    open: (weather, look) =>
      weathered(new FileDestination(folder, { signal: never, log: hearingLog() }), weather, look, () => undefined),
    contents: () =>
      new Map(
        readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
          if (!entry.isFile() || entry.name.startsWith('.')) return [];
          const path = join(entry.parentPath, entry.name);
          return [[path.slice(folder.length + 1), readFileSync(path)]];
        }),
      ),
    date: (key, at) => utimesSync(join(folder, key), at, at),
    clear: () => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    },
    close: async () => rmSync(folder, { recursive: true }),
  };
}

export async function bucketPlace(): Promise<WeatheredPlace> {
  const server = await startS3Server({ buckets: ['bucket'] });
  return {
    open: (weather, look) => {
      const options = { s3: s3Settings(server.url), signal: never, log: hearingLog() };
      const base = new S3Destination({ bucket: 'bucket', prefix: '' }, options);
      return weathered(base, weather, look, () => {
        if (weather.loses()) server.faults.push({ fault: 'lost-answer', operation: 'PutObject', times: 1 });
      });
    },
    contents: () => new Map([...server.objects].map(([key, { body }]) => [key.slice('bucket/'.length), body])),
    date: (key, at) => {
      const object = server.objects.get(`bucket/${key}`);
      if (object !== undefined) server.objects.set(`bucket/${key}`, { ...object, modifiedAt: at });
    },
    clear: () => {
      server.objects.clear();
      server.faults.length = 0;
    },
    close: () => server.close(),
  };
}

/** As S3 keeps objects, in memory: quick, and each request of a swap whose answer is lost is a step of its own. */
export function memoryPlace(): WeatheredPlace {
  const objects = new Map<string, { bytes: Buffer; version: string; modifiedAt: Date }>();
  let versions = 0;
  const write = (key: string, bytes: Buffer) => {
    versions++;
    objects.set(key, { bytes, version: String(versions), modifiedAt: new Date() });
  };
  const base: Destination = {
    name: 'memory',
    requests: { listings: 0, reads: 0, looks: 0 },
    lacks: new Set(),
    async *list(prefix, { after = '', before = '~' } = {}) {
      for (const [key, { bytes, modifiedAt }] of [...objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (key.startsWith(prefix) && key > after && key < before) yield { key, bytes: bytes.length, modifiedAt };
      }
    },
    async standing(key) {
      const object = objects.get(key);
      return object && { content: Buffer.from(object.bytes), version: object.version };
    },
    read: async (key) => objects.get(key)?.bytes,
    look: async () => undefined,
    stream: async () => undefined,
    tail: async () => undefined,
    copy: async () => false,
    async put(key, content) {
      write(key, Buffer.concat(await Array.fromAsync(content.open(), (chunk) => Buffer.from(chunk))));
    },
    async swap(key, content, from) {
      if (objects.get(key)?.version !== from) return 'lost';
      write(key, content);
      return 'swapped';
    },
    async delete(keys) {
      for (const key of keys) objects.delete(key);
    },
    sweep: async () => undefined,
    lock: async () => undefined,
    close: async () => undefined,
  };
  return {
    open(weather, look) {
      const view = weathered(base, weather, look, () => undefined);
      return {
        ...view,
        async swap(key, content, from) {
          for (;;) {
            const outcome = await view.swap(key, content, from);
            if (!weather.loses()) return outcome;
            const now = await view.standing(key);
            if (now?.content.equals(content) === true) return 'swapped';
            if (now?.version !== from) return 'lost';
          }
        },
      };
    },
    contents: () => new Map([...objects].map(([key, { bytes }]) => [key, bytes])),
    date: (key, at) => {
      const object = objects.get(key);
      if (object !== undefined) objects.set(key, { ...object, modifiedAt: at });
    },
    clear: () => objects.clear(),
    close: async () => undefined,
  };
}
