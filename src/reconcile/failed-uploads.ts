import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';
import { printableJson } from '../format.ts';
import { sameFile, snapshot, unchanged } from './content.ts';

export const REASONS = 'reasons.jsonl';

export interface Reason {
  readonly hour: string | null;
  readonly code: string;
  readonly reason: string;
}

/** Somebody wrote to the file while it was copied. */
export class ChangedMeanwhile extends Error {}

/**
 * The folder beside DIR. A file gets its name there, then its reason is written, then its name in DIR goes: whenever that is
 * cut short, running again ends it. No name that is taken is ever used. One file at a time.
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
    for (let n = 1; ; n++) {
      const to = numbered(file, n);
      if (to === REASONS) continue;
      if ((await lstat(join(this.#folder, to)).catch(() => undefined)) === undefined) return to;
    }
  }

  /** Moves `dir`/`file` here and returns its path below this folder. Throws a system's error with the file left in place. */
  move(dir: string, file: string, reason: Reason): Promise<string> {
    const moved = this.#last.then(() => this.#move(join(dir, file), file, reason));
    this.#last = moved.catch(() => undefined);
    return moved;
  }

  async #move(source: string, file: string, reason: Reason): Promise<string> {
    await mkdir(dirname(join(this.#folder, file)), { recursive: true });
    // First, so that no moved file can have its name.
    this.#reasons ??= await openReasons(join(this.#folder, REASONS));
    const { to, copied } = await this.#place(source, file);
    const target = join(this.#folder, to);
    try {
      const line = { file, to, ...reason, at: this.#now().toISOString() };
      await this.#reasons.appendFile(`${printableJson(JSON.stringify(line))}\n`);
      await unlink(source);
    } catch (error) {
      // Another run may have ended what this one began: then the name here is the only one left.
      if ((await snapshot(source)) === undefined) return to;
      if (copied) await rm(target, { force: true });
      throw error;
    }
    return to;
  }

  /** Gives the file a second name here; on another disk a copy. */
  async #place(source: string, file: string): Promise<{ to: string; copied: boolean }> {
    for (let n = 1; ; n++) {
      const to = numbered(file, n);
      const target = join(this.#folder, to);
      try {
        await link(source, target);
        return { to, copied: false };
      } catch (error) {
        const code = systemCode(error);
        if (code === 'ENOENT' || code === 'ENOSPC' || code === 'ENAMETOOLONG') throw error;
        if (code !== 'EEXIST') return { to: await this.#copy(source, file), copied: true };
        // A run that was killed here left it with both names.
        if (sameFile(await snapshot(source), await snapshot(target))) return { to, copied: false };
      }
    }
  }

  async #copy(source: string, file: string): Promise<string> {
    const partial = join(dirname(join(this.#folder, file)), `.${randomBytes(6).toString('hex')}.partial`);
    try {
      const before = await snapshot(source);
      await copyFile(source, partial, this.#signal);
      if (!unchanged(before, await snapshot(source))) throw new ChangedMeanwhile();
      for (;;) {
        const to = await this.placeFor(file);
        const target = join(this.#folder, to);
        const linked = await link(partial, target).catch((error: unknown) => error);
        if (linked !== undefined && systemCode(linked) === 'EEXIST') continue;
        // Where a disk knows no second names, that nobody has taken the place meanwhile is all that can be said.
        if (linked !== undefined) await rename(partial, target);
        await syncFolder(dirname(target));
        return to;
      }
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
function numbered(file: string, n: number): string {
  if (n === 1) return file;
  const name = basename(file);
  const dot = name.search(/(?<=[^.])(\.json\.gz|\.[^.]*)$/);
  const at = file.length - name.length + (dot === -1 ? name.length : dot);
  return `${file.slice(0, at)} (${n})${file.slice(at)}`;
}

async function openReasons(path: string): Promise<FileHandle> {
  const handle = await open(path, 'a+');
  const { size } = await handle.stat();
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
  // A run that was killed as it wrote left half a line.
  if (size > 0 && buffer[0] !== 0x0a) await handle.appendFile('\n');
  return handle;
}

async function copyFile(source: string, target: string, signal: AbortSignal): Promise<void> {
  const handle = await open(target, 'wx');
  try {
    for await (const chunk of createReadStream(source)) {
      signal.throwIfAborted();
      await handle.appendFile(chunk);
    }
    const info = await lstat(source);
    await handle.chmod(info.mode);
    await handle.utimes(info.atime, info.mtime);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
