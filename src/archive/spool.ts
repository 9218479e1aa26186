import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError, systemCode } from '../errors.ts';
import { giveBack, type MemoryBudget } from './memory.ts';

/** The body of an answer, kept until its archive is done with: in memory or in a file that has no name. */
export type Spool = {
  readonly bytes: number;
  /** Up to `most` bytes of the beginning. */
  head(most: number): Promise<Buffer>;
  close(): Promise<void>;
} & ({ readonly kind: 'memory'; readonly buffer: Buffer } | { readonly kind: 'file'; readonly file: FileHandle });

export interface SpoolOptions {
  /** Shared by all archives of the process. */
  readonly budget: MemoryBudget;
  /** Size of that budget when nothing is taken. */
  readonly budgetBytes: number;
  readonly workDir: string;
  /** The announced length, where there is one. */
  readonly expectedBytes?: number | undefined;
}

const STEP = 2 ** 20;

/**
 * Keeps `body` in memory while the budget lasts and moves it to a temporary file where it does not. Throws a JobError
 * where the disk is full or WORK_DIR cannot be written; what `body` throws passes as it is.
 */
export async function spool(body: AsyncIterable<Buffer>, options: SpoolOptions): Promise<Spool> {
  const { budget, budgetBytes, workDir, expectedBytes } = options;
  const cannotFit = expectedBytes !== undefined && expectedBytes > budgetBytes;
  // Untouched memory costs nothing, so room for the whole budget is asked for at once and nothing is copied twice.
  const room = cannotFit ? 0 : Math.min(budgetBytes, expectedBytes ?? budgetBytes);
  let buffer: Buffer | undefined = room === 0 ? undefined : Buffer.allocUnsafeSlow(room);
  let taken = 0;
  let bytes = 0;
  let file: FileHandle | undefined;

  const drop = () => {
    budget.give(taken);
    taken = 0;
    buffer = undefined;
  };
  const fits = (size: number) => {
    if (buffer === undefined || bytes + size > buffer.length) return false;
    while (taken < bytes + size) {
      if (!budget.take(STEP)) return false;
      taken += STEP;
    }
    return true;
  };
  const write = async (target: FileHandle, chunk: Buffer) => {
    for (let from = 0; from < chunk.length; ) from += (await target.write(chunk, from)).bytesWritten;
  };

  try {
    for await (const chunk of body) {
      if (file === undefined && fits(chunk.length)) {
        chunk.copy(buffer as Buffer, bytes);
      } else {
        try {
          if (file === undefined) {
            file = await openNameless(workDir);
            if (buffer !== undefined) await write(file, buffer.subarray(0, bytes));
            drop();
          }
          await write(file, chunk);
        } catch (error) {
          throw diskError(error, workDir, 'WORK_DIR') ?? error;
        }
      }
      bytes += chunk.length;
      // As garbage, the pieces of one archive of 57 MiB add 20 MiB to the peak.
      giveBack(chunk);
    }
  } catch (error) {
    drop();
    await file?.close();
    throw error;
  }

  if (file === undefined) {
    const whole = (buffer ?? Buffer.alloc(0)).subarray(0, bytes);
    const head = async (most: number) => whole.subarray(0, most);
    return { kind: 'memory', buffer: whole, bytes, head, close: async () => drop() };
  }
  const at = file;
  const head = async (most: number) => {
    const { buffer: beginning, bytesRead } = await at.read(Buffer.alloc(most), 0, most, 0);
    return beginning.subarray(0, bytesRead);
  };
  return { kind: 'file', file: at, bytes, head, close: () => at.close() };
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
