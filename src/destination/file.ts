import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import zlib from 'node:zlib';
import { diskError, JobError, systemCode } from '../errors.ts';
import {
  type Content,
  contentOf,
  type Destination,
  Miscounted,
  type Standing,
  type StoredObject,
} from './destination.ts';
import { type FolderLock, LOCK_FILE, lockFolder } from './lock.ts';
import { makeFolder } from './make-folder.ts';
import type { DestinationOptions } from './open.ts';

const PARTIAL = /^\..*\.partial$/;

/** How often a write begins anew after another run swept its partial file away. */
const REWRITES = 5;

/**
 * Hours in a folder. A file is written beside its place under a name that readers ignore, synced, then renamed: it is
 * there whole or not at all. Partial names are unique, so that two runs never write into one file.
 */
export function openFileDestination(
  folder: string,
  { signal, log }: Pick<DestinationOptions, 'signal' | 'log'>,
): Destination {
  const path = (key: string) => join(folder, ...key.split('/'));
  const explain = (error: unknown): unknown => diskError(error, folder, 'DESTINATION') ?? error;

  async function* walk(at: string, inFolder: string, want: Wanted): AsyncGenerator<StoredObject> {
    const entries = await readdir(inFolder, { withFileTypes: true }).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw explain(error);
    });
    const named = entries.map((entry) => ({
      entry,
      key: at + entry.name + (entry.isDirectory() ? '/' : ''),
    }));
    named.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { entry, key } of named) {
      signal.throwIfAborted();
      if (entry.isDirectory() && want.mayHold(key)) yield* walk(key, join(inFolder, entry.name), want);
      if (!entry.isFile() || PARTIAL.test(entry.name) || entry.name.startsWith(LOCK_FILE) || !want.has(key)) continue;
      const info = await stat(join(inFolder, entry.name)).catch(ifMissing);
      if (info !== undefined) yield { key, bytes: info.size, modifiedAt: info.mtime };
    }
  }

  async function putOnce(target: string, content: Content): Promise<void> {
    const partial = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.partial`);
    await makeFolder(dirname(target));
    try {
      await write(partial, content);
      await rename(partial, target);
      await syncFolder(dirname(target));
    } finally {
      await rm(partial, { force: true });
    }
  }

  async function write(file: string, content: Content): Promise<void> {
    const handle = await open(file, 'wx');
    try {
      let written = 0;
      for await (const chunk of content.open()) {
        signal.throwIfAborted();
        for (let from = 0; from < chunk.length; ) {
          from += (await handle.write(chunk, from)).bytesWritten;
        }
        written += chunk.length;
      }
      if (written !== content.bytes) throw new Miscounted();
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  const requests = { listings: 0, reads: 0, looks: 0 };

  async function openStream(key: string): Promise<AsyncIterable<Buffer> | undefined> {
    const handle = await open(path(key), 'r').catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw explain(error);
    });
    return handle === undefined ? undefined : createReadStream(key, { fd: handle, signal });
  }

  async function read(key: string): Promise<Buffer | undefined> {
    requests.reads++;
    try {
      return await readFile(path(key));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw explain(error);
    }
  }

  async function standing(key: string): Promise<Standing | undefined> {
    const content = await read(key);
    if (content === undefined) return undefined;
    return { content, version: createHash('sha256').update(content).digest('hex') };
  }

  async function put(key: string, content: Content): Promise<void> {
    const target = path(key);
    if (!target.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
      throw new JobError('DESTINATION', `The key ${key} leads out of ${folder}.`, { endsRun: true });
    }
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        await putOnce(target, content);
        await sweepPartials(dirname(target), `.${basename(target)}.`);
        return;
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' || attempt === REWRITES) throw explain(error);
      }
    }
  }

  let held: FolderLock | undefined;

  return {
    name: folder,
    requests,
    lacks: new Set(),
    list(prefix, { after, before } = {}) {
      requests.listings++;
      const want: Wanted = {
        has: (key) =>
          key.startsWith(prefix) && (after === undefined || key > after) && (before === undefined || key < before),
        mayHold: (key) =>
          (key.startsWith(prefix) || prefix.startsWith(key)) &&
          (before === undefined || key < before) &&
          (after === undefined || key >= after.slice(0, key.length)),
      };
      return walk('', folder, want);
    },
    read,
    async look(key) {
      requests.looks++;
      const stream = await openStream(key);
      if (stream === undefined) return undefined;
      let bytes = 0;
      let crc32 = 0;
      for await (const chunk of stream) {
        bytes += chunk.length;
        crc32 = zlib.crc32(chunk, crc32);
      }
      return { bytes, crc32 };
    },
    async stream(key) {
      requests.reads++;
      return await openStream(key);
    },
    put,
    // Between the look and the rename nobody else writes: the run holds the lock.
    async swap(key, content, from) {
      if ((await standing(key))?.version !== from) return 'lost';
      await put(key, contentOf(content));
      return 'swapped';
    },
    standing,
    async lock() {
      try {
        held ??= await lockFolder(folder, log);
      } catch (error) {
        throw explain(error);
      }
    },
    async delete(keys) {
      try {
        for (const key of keys) await rm(path(key), { force: true });
      } catch (error) {
        throw explain(error);
      }
    },
    async sweep(inFolder) {
      await sweepPartials(path(inFolder), '.', { recursive: true });
    },
    async close() {
      await held?.release();
    },
  };
}

interface Wanted {
  has(key: string): boolean;
  mayHold(folder: string): boolean;
}

/** A live write of another run may be among them; it notices at its rename and begins anew. */
async function sweepPartials(folder: string, beginning: string, { recursive = false } = {}): Promise<void> {
  const paths = await readdir(folder, { recursive }).catch(() => []);
  for (const at of paths) {
    const name = basename(at);
    if (PARTIAL.test(name) && name.startsWith(beginning)) await rm(join(folder, at), { force: true });
  }
}

function ifMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

/** A rename lasts through a power cut once its folder is synced; where a system does not sync folders, it does not. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
