import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';

/** Whether a file is one that is being written, or was when its run was killed. */
export const isPartial = (name: string) => /^\..*\.partial$/.test(name);

/** Removes unfinished files. One of them may belong to a live write of another run: its rename fails, and it starts again. */
export async function sweepPartials(folder: string, beginning: string, { recursive = false } = {}): Promise<void> {
  const paths = await readdir(folder, { recursive }).catch(() => []);
  for (const path of paths) {
    const name = basename(path);
    if (isPartial(name) && name.startsWith(beginning)) await rm(join(folder, path), { force: true });
  }
}

export function ifMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

/**
 * Makes a folder and those above it. Node's own recursive mkdir never returns where the system answers ENOENT although
 * the parent exists, as in /proc.
 */
export async function makeFolder(folder: string): Promise<void> {
  if ((await stat(folder).catch(ifMissing)) !== undefined) return;
  if (dirname(folder) !== folder) await makeFolder(dirname(folder));
  await mkdir(folder).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
}

/** A rename survives a power cut once its folder is synced. Some systems cannot sync folders. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
