import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import zlib from 'node:zlib';
import { diskError, JobError, RUN_AGAIN, systemCode } from '../errors.ts';
import {
  type Content,
  contentOf,
  type Destination,
  type DestinationOptions,
  type KeyRange,
  type Lack,
  Miscounted,
  type Standing,
  type StoredObject,
} from './destination.ts';
import { ifMissing, isPartial, makeFolder, sweepPartials, syncFolder } from './folder.ts';
import { LOCK_FILE, lockFolder } from './lock.ts';

/** Keys in a folder of one hour. */
const IN_HOUR = /\/hour=\d\d\//;

/** How often each step is tried. */
const ATTEMPTS = 5;

const FIRST_PAUSE_MS = 200;

/** What passes by itself: mostly a network folder whose server is busy, restarts, or is out of reach for a moment. */
const PASSING = /^(?:EINTR|EAGAIN|EBUSY|ESTALE|EIO|ETIMEDOUT|EHOSTDOWN|EHOSTUNREACH|EMFILE|ENFILE)$/;

/**
 * Hours in a folder. A file is written under a name that readers ignore, synced, then renamed: it is there whole or not
 * at all. Partial names are unique, so two runs never write into one file.
 */
export class FileDestination implements Destination {
  readonly name: string;
  readonly requests = { listings: 0, reads: 0, looks: 0 };
  readonly lacks: ReadonlySet<Lack> = new Set();
  readonly #options: Pick<DestinationOptions, 'signal' | 'log' | 'setting'>;
  #unlock: (() => Promise<void>) | undefined;

  constructor(folder: string, options: Pick<DestinationOptions, 'signal' | 'log' | 'setting'>) {
    this.name = folder;
    this.#options = options;
  }

  async lock(): Promise<void> {
    await this.#explained(async () => {
      await makeFolder(this.name);
      this.#unlock ??= await lockFolder(this.name, this.#options.log);
    });
  }

  async close(): Promise<void> {
    await this.#unlock?.();
  }

  async *list(prefix: string, range: KeyRange = {}): AsyncGenerator<StoredObject> {
    this.requests.listings++;
    yield* this.#walk('', prefix, range);
  }

  async read(key: string): Promise<Buffer | undefined> {
    this.requests.reads++;
    return await this.#repeated(() => readFile(this.#path(key)).catch(ifMissing), 'reading');
  }

  async standing(key: string): Promise<Standing | undefined> {
    const content = await this.read(key);
    return content && { content, version: createHash('sha256').update(content).digest('hex') };
  }

  async look(key: string): Promise<{ bytes: number; crc32: number } | undefined> {
    this.requests.looks++;
    const stream = await this.#open(key);
    if (stream === undefined) return undefined;
    let bytes = 0;
    let crc32 = 0;
    for await (const chunk of stream) {
      bytes += chunk.length;
      crc32 = zlib.crc32(chunk, crc32);
    }
    return { bytes, crc32 };
  }

  async stream(key: string): Promise<AsyncIterable<Buffer> | undefined> {
    this.requests.reads++;
    return await this.#open(key);
  }

  async tail(key: string, bytes: number): Promise<Buffer | undefined> {
    this.requests.reads++;
    return await this.#repeated(async () => {
      const file = await open(this.#path(key), 'r').catch(ifMissing);
      if (file === undefined) return undefined;
      try {
        const { size } = await file.stat();
        const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, Math.max(0, size - bytes));
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    }, 'reading');
  }

  /** A copy of a file reads it as `put` does. */
  async copy(): Promise<boolean> {
    return false;
  }

  async put(key: string, content: Content): Promise<void> {
    const target = this.#path(key);
    if (!target.startsWith(this.name.endsWith(sep) ? this.name : this.name + sep)) {
      throw new JobError('DESTINATION', `The key ${key} leads out of ${this.name}.`, { endsRun: true });
    }
    await this.#repeated(() => this.#putOnce(target, content));
    // The folder of an hour is swept once, after its landing: listed for each of 50,000 objects it would take hours.
    if (!IN_HOUR.test(key)) await sweepPartials(dirname(target), `.${basename(target)}.`);
  }

  /** Nobody else writes between the read and the rename: the run holds the lock. */
  async swap(key: string, content: Buffer, expected: string | undefined): Promise<'swapped' | 'lost'> {
    if ((await this.#version(key)) !== expected) return 'lost';
    await this.put(key, contentOf(content));
    return 'swapped';
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.#repeated(() => rm(this.#path(key), { force: true }));
  }

  async sweep(folder: string): Promise<void> {
    await sweepPartials(this.#path(folder), '.', { recursive: true });
  }

  #path(key: string): string {
    return join(this.name, ...key.split('/'));
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw diskError(error, this.name, this.#options.setting ?? 'DESTINATION') ?? error;
    }
  }

  /** As `standing` has it, without the content in memory. */
  async #version(key: string): Promise<string | undefined> {
    this.requests.reads++;
    return await this.#repeated(async () => {
      const stream = await this.#open(key);
      if (stream === undefined) return undefined;
      const digest = createHash('sha256');
      for await (const chunk of stream) digest.update(chunk);
      return digest.digest('hex');
    }, 'reading');
  }

  /** Repeats what may have failed for a moment only. */
  async #repeated<T>(work: () => Promise<T>, doing?: 'reading'): Promise<T> {
    const { signal, setting = 'DESTINATION' } = this.#options;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        // What content throws has its own words, whatever code is behind them.
        if (error instanceof JobError) throw error;
        const code = systemCode(error) ?? '';
        // Another run may have swept the partial file of this one away.
        const isAgain = attempt < ATTEMPTS && (code === 'ENOENT' || PASSING.test(code));
        if (!isAgain) throw diskError(error, this.name, setting, doing) ?? this.#passing(error, code) ?? error;
        const longest = code === 'ENOENT' ? 0 : FIRST_PAUSE_MS * 2 ** (attempt - 1);
        await pause(Math.random() * longest, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #passing(cause: unknown, code: string): JobError | undefined {
    if (!PASSING.test(code)) return undefined;
    const hint = `Look at the disk or the network folder, and at the system's log. ${RUN_AGAIN}.`;
    const message = `${this.name} failed ${ATTEMPTS} times in a row (${code}).`;
    return new JobError('DESTINATION', message, { cause, hint });
  }

  async #open(key: string): Promise<AsyncIterable<Buffer> | undefined> {
    const handle = await this.#repeated(() => open(this.#path(key), 'r').catch(ifMissing), 'reading');
    return handle && createReadStream(key, { fd: handle, signal: this.#options.signal });
  }

  /** In order of keys, without a look into folders that hold nothing of the range. */
  async *#walk(folder: string, prefix: string, range: KeyRange): AsyncGenerator<StoredObject> {
    const { after = '', before } = range;
    const path = this.#path(folder);
    const entries = await this.#repeated(() => readdir(path, { withFileTypes: true }).catch(ifMissing), 'reading');
    const found = (entries ?? []).map((entry) => ({
      entry,
      key: folder + entry.name + (entry.isDirectory() ? '/' : ''),
    }));
    for (const { entry, key } of found.sort((a, b) => (a.key < b.key ? -1 : 1))) {
      this.#options.signal.throwIfAborted();
      if (before !== undefined && key >= before) return;
      if (entry.isDirectory()) {
        const mayHold = key.startsWith(prefix) || prefix.startsWith(key);
        if (mayHold && key >= after.slice(0, key.length)) yield* this.#walk(key, prefix, range);
      } else if ((entry.isFile() || entry.isSymbolicLink()) && key.startsWith(prefix) && key > after) {
        if (isPartial(entry.name) || entry.name.startsWith(LOCK_FILE)) continue;
        const info = await this.#repeated(() => stat(join(path, entry.name)).catch(ifMissing), 'reading');
        if (info?.isFile()) yield { key, bytes: info.size, modifiedAt: info.mtime };
      }
    }
  }

  async #putOnce(target: string, content: Content): Promise<void> {
    const folder = dirname(target);
    const partial = join(folder, `.${basename(target)}.${randomBytes(6).toString('hex')}.partial`);
    await makeFolder(folder);
    try {
      await this.#write(partial, content);
      await rename(partial, target);
      await syncFolder(folder);
    } finally {
      await rm(partial, { force: true });
    }
  }

  async #write(path: string, content: Content): Promise<void> {
    const file = await open(path, 'wx');
    try {
      let written = 0;
      for await (const chunk of content.open()) {
        this.#options.signal.throwIfAborted();
        // Not file.write: that may take less than the whole chunk.
        await file.writeFile(chunk);
        written += chunk.length;
      }
      if (written !== content.bytes) throw new Miscounted();
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
