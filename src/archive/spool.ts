import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError, systemCode } from '../errors.ts';
import { giveBack, type MemoryBudget } from './memory.ts';

/** The body of an answer, kept until its archive is done with: in memory or in a file that has no name. */
export type Spool = { readonly bytes: number; close(): Promise<void> } & (
  | { readonly kind: 'memory'; readonly buffer: Buffer }
  | { readonly kind: 'file'; readonly file: FileHandle }
);

export interface SpoolOptions {
  /** Shared by all archives of the process. */
  readonly budget: MemoryBudget;
  /** Size of that budget when nothing is taken. */
  readonly budgetBytes: number;
  readonly workDir: string;
  /** The announced length, where there is one. */
  readonly expectedBytes?: number | undefined;
}

/**
 * Keeps `body` in memory while the budget lasts, then moves it to a temporary file. Throws a JobError where the disk is
 * full or WORK_DIR cannot be written. An error of `body` is thrown as it is.
 */
export async function spool(body: AsyncIterable<Buffer>, options: SpoolOptions): Promise<Spool> {
  const { workDir } = options;
  const memory = new SpoolMemory(options);
  let file: FileHandle | undefined;
  let bytes = 0;

  async function spill(chunk: Buffer): Promise<void> {
    try {
      if (file === undefined) {
        file = await openNameless(workDir);
        await file.writeFile(memory.content);
        memory.giveBack();
      }
      await file.writeFile(chunk);
    } catch (error) {
      throw diskError(error, workDir, 'WORK_DIR') ?? error;
    }
  }

  try {
    for await (const chunk of body) {
      if (file !== undefined || !memory.keep(chunk)) await spill(chunk);
      bytes += chunk.length;
      // As garbage, the pieces of one archive of 57 MiB add 20 MiB to the peak.
      giveBack(chunk);
    }
  } catch (error) {
    memory.giveBack();
    await file?.close();
    throw error;
  }
  if (file === undefined) return { kind: 'memory', buffer: memory.content, bytes, close: async () => memory.drop() };
  const kept: FileHandle = file;
  return { kind: 'file', file: kept, bytes, close: () => kept.close() };
}

const STEP = 2 ** 20;

/** The memory of one spool, and what it takes of the budget. */
class SpoolMemory {
  readonly #budget: MemoryBudget;
  #buffer: Buffer;
  #filled = 0;
  #taken = 0;

  constructor({ budget, budgetBytes, expectedBytes = budgetBytes }: SpoolOptions) {
    this.#budget = budget;
    // Untouched memory costs nothing, so all of it is asked for at once and nothing is copied twice.
    this.#buffer = Buffer.allocUnsafeSlow(expectedBytes > budgetBytes ? 0 : expectedBytes);
  }

  get content(): Buffer {
    return this.#buffer.subarray(0, this.#filled);
  }

  /** Copies `chunk`, or returns false where there is no room for it. */
  keep(chunk: Buffer): boolean {
    const end = this.#filled + chunk.length;
    if (end > this.#buffer.length) return false;
    for (; this.#taken < end; this.#taken += STEP) if (!this.#budget.take(STEP)) return false;
    chunk.copy(this.#buffer, this.#filled);
    this.#filled = end;
    return true;
  }

  /**
   * Only while the one reader has been a write that is over. Left to the garbage collector, what three of four archives
   * held before they moved to files stood beside the 64 MiB of the fourth: a peak of up to 267 MiB, not 214.
   */
  giveBack(): void {
    giveBack(this.#buffer);
    this.drop();
  }

  /** Readers of the archive may have to be waited for: the collector does that. */
  drop(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#filled = 0;
    this.#buffer = Buffer.alloc(0);
  }
}

/**
 * A temporary file that nothing can leave behind: on Linux it never has a name (O_TMPFILE), elsewhere and on file
 * systems without that it loses its name as soon as it is open.
 */
export async function openNameless(folder: string): Promise<FileHandle> {
  if (process.platform === 'linux') {
    // Node.js has no constant for it; Linux defines it as this bit and O_DIRECTORY together.
    const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
    try {
      return await open(folder, O_TMPFILE | constants.O_RDWR, 0o600);
    } catch (error) {
      // Node.js names EOPNOTSUPP by its other name.
      const unsupported = ['ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'EINVAL'].includes(systemCode(error) ?? '');
      if (!unsupported) throw error;
    }
  }
  const name = join(folder, `.amplitude-to-s3-${randomBytes(8).toString('hex')}.zip`);
  const file = await open(name, 'wx+', 0o600);
  await rm(name);
  return file;
}
