import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';
import { printableJson } from '../format.ts';
import { isSameFile, isUnchanged, snapshot } from './local-file.ts';

const REASONS = 'reasons.jsonl';

export interface Reason {
  readonly hour: string | null;
  readonly code: string;
  readonly reason: string;
}

/** Somebody wrote to the file while it was copied. */
export class ChangedMeanwhile extends Error {}

/**
 * The folder beside DIR. A file first gets its name there, then its reason is written, then its name in DIR is removed.
 * Wherever that is cut short, the next run completes it. No file there is ever overwritten. Files move one at a time.
 */
export class FailedUploads {
  readonly #folder: string;
  readonly #signal: AbortSignal;
  readonly #now: () => Date;
  #reasons: FileHandle | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string, { signal, now }: { signal: AbortSignal; now: () => Date }) {
    this.#folder = folder;
    this.#signal = signal;
    this.#now = now;
  }

  /** The path below this folder that `file` would get now. */
  async placeFor(file: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const to = numbered(file, attempt);
      if (to !== REASONS && (await lstat(join(this.#folder, to)).catch(() => undefined)) === undefined) return to;
    }
  }

  /** Moves `dir`/`file` here and returns its path below this folder. Throws the system's error, with the file in place. */
  move(dir: string, file: string, reason: Reason): Promise<string> {
    const moved = this.#last.then(() => this.#move(join(dir, file), file, reason));
    this.#last = moved.catch(() => undefined);
    return moved;
  }

  async #move(source: string, file: string, reason: Reason): Promise<string> {
    await mkdir(dirname(join(this.#folder, file)), { recursive: true });
    // Before the first file, so that none can take this name.
    this.#reasons ??= await openReasons(join(this.#folder, REASONS));
    const { to, copied } = await this.#place(source, file);
    try {
      const line = { file, to, ...reason, at: this.#now().toISOString() };
      await this.#reasons.appendFile(`${printableJson(JSON.stringify(line))}\n`);
      await unlink(source);
    } catch (error) {
      // Where another run has removed it from DIR, the name here is the only one left.
      if ((await snapshot(source)) === undefined) return to;
      if (copied) await rm(join(this.#folder, to), { force: true });
      throw error;
    }
    return to;
  }

  /** Links the file into this folder, or copies it to another disk. */
  async #place(source: string, file: string): Promise<{ to: string; copied: boolean }> {
    try {
      return { to: await this.#link(source, file), copied: false };
    } catch (error) {
      if (['ENOENT', 'ENOSPC', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error;
      return { to: await this.#copy(source, file), copied: true };
    }
  }

  async #link(source: string, file: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const to = numbered(file, attempt);
      const target = join(this.#folder, to);
      try {
        await link(source, target);
        return to;
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
        // A run that was killed here left the file with both names.
        if (isSameFile(await snapshot(source), await snapshot(target))) return to;
      }
    }
  }

  async #copy(source: string, file: string): Promise<string> {
    const folder = dirname(join(this.#folder, file));
    const partial = join(folder, `.${randomBytes(6).toString('hex')}.partial`);
    try {
      const before = await snapshot(source);
      await copyFile(source, partial, this.#signal);
      if (!isUnchanged(before, await snapshot(source))) throw new ChangedMeanwhile();
      const to = await this.#link(partial, file).catch(async () => {
        // A disk without hard links. A rename cannot tell whether another run has just taken the name.
        const free = await this.placeFor(file);
        await rename(partial, join(this.#folder, free));
        return free;
      });
      await sync(folder);
      return to;
    } finally {
      await rm(partial, { force: true });
    }
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#reasons?.sync().catch(() => undefined);
    await this.#reasons?.close();
  }
}

/** `a/5#0.json.gz`, then `a/5#0 (2).json.gz`. */
function numbered(file: string, attempt: number): string {
  const [extension = ''] = /(?<=[^./])(?:\.json\.gz|\.[^./]*)$/.exec(file) ?? [];
  return attempt === 1 ? file : `${file.slice(0, file.length - extension.length)} (${attempt})${extension}`;
}

async function openReasons(path: string): Promise<FileHandle> {
  const handle = await open(path, 'a+');
  const { size } = await handle.stat();
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
  // A run that was killed while it wrote left half a line.
  if (size > 0 && buffer[0] !== 0x0a) await handle.appendFile('\n');
  return handle;
}

/** A copy that is on the disk when this ends, with the mode and times of its source. */
async function copyFile(source: string, target: string, signal: AbortSignal): Promise<void> {
  const handle = await open(target, 'wx');
  try {
    for await (const chunk of createReadStream(source)) {
      signal.throwIfAborted();
      await handle.appendFile(chunk);
    }
    const { mode, atime, mtime } = await lstat(source);
    await handle.chmod(mode);
    await handle.utimes(atime, mtime);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the names in a folder survive a power cut, where the system supports that. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
