import { statfs } from 'node:fs/promises';
import { openNameless } from '../archive/spool.ts';
import type { Settings } from '../config/settings.ts';
import { diskError } from '../errors.ts';
import { size } from '../format.ts';
import { type Check, ok, warned } from './check.ts';

/** Half of the largest archive that the Export API makes. */
const LITTLE = 2e9;

/** `use` continues the message with what the space is for. */
export function roomCheck(check: string, freeBytes: number, folder: string, variable: string, use = ''): Check {
  const message = `${size(freeBytes)} free in ${folder}${use}`;
  if (freeBytes >= LITTLE) return ok(check, message);
  return warned(check, message, `Free some space there, or point ${variable} at a larger disk.`);
}

export async function freeIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Writes a file as a run does for a large archive. It has no name, so it cannot stay behind. */
export async function workDirCheck({ workDir, archiveMemoryBytes }: Settings): Promise<Check> {
  try {
    const file = await openNameless(workDir);
    await file.write('probe').finally(() => file.close());
    const use = `; archives above ARCHIVE_MEMORY_MB (${archiveMemoryBytes / 2 ** 20}) are kept there, up to 4 GB each`;
    return roomCheck('work dir', await freeIn(workDir), workDir, 'WORK_DIR', use);
  } catch (error) {
    throw diskError(error, workDir, 'WORK_DIR') ?? error;
  }
}
