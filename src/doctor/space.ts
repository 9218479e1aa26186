import { statfs } from 'node:fs/promises';
import { openNameless } from '../archive/spool.ts';
import type { Settings } from '../config/settings.ts';
import { diskError } from '../errors.ts';
import { size } from '../format.ts';
import { type Check, ok, warned } from './check.ts';

/** Half of the largest archive that the Export API makes. */
const LITTLE = 2e9;

/** A folder with so many bytes free; `use` says what for, as a part of a sentence. */
export function roomCheck(
  check: string,
  free: number,
  { folder, use, variable }: { folder: string; use: string; variable: string },
): Check {
  const message = `${size(free)} free in ${folder}${use}`;
  if (free >= LITTLE) return ok(check, message);
  return warned(check, message, `Free some space there, or point ${variable} at a larger disk.`);
}

export async function freeIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Opens a file as a run keeps an archive in; it has no name that could stay behind. */
export async function workDirCheck({ workDir, archiveMemoryBytes }: Settings): Promise<Check> {
  try {
    const file = await openNameless(workDir);
    try {
      await file.write('probe');
    } finally {
      await file.close();
    }
    const use = `; archives above ARCHIVE_MEMORY_MB (${archiveMemoryBytes / 2 ** 20}) lie there, of up to 4 GB each`;
    return roomCheck('work dir', await freeIn(workDir), { folder: workDir, use, variable: 'WORK_DIR' });
  } catch (error) {
    throw diskError(error, workDir, 'WORK_DIR') ?? error;
  }
}
