import { constants, type Dirent } from 'node:fs';
import { access, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { DestinationAddress } from '../config/settings.ts';
import { systemCode, UsageError } from '../errors.ts';
import { keep, type Verdict } from './judge.ts';

const FAILED_UPLOADS = 'failed_uploads';

export interface Folder {
  /** The real path, links followed. */
  readonly dir: string;
  /** Beside it. */
  readonly failedUploads: string;
}

/** Checks that reconcile can empty the folder `given` without touching anything else. Throws a UsageError otherwise. */
export async function openFolder(given: string, address: DestinationAddress, dryRun: boolean): Promise<Folder> {
  const refuse = (why: string, hint: string) => new UsageError(`${given} ${why}.`, hint);
  const dir = await realpath(resolve(given)).catch((error: unknown) => {
    throw refuse(`cannot be opened (${systemCode(error) ?? String(error)})`, 'Name a folder that exists.');
  });
  const parent = dirname(dir);
  const failedUploads = join(parent, FAILED_UPLOADS);
  const info = await stat(dir);
  if (!info.isDirectory()) throw refuse('is not a folder', 'Name the folder that holds the files.');
  if (basename(dir) === FAILED_UPLOADS) {
    throw refuse('is the folder that reconcile moves files to', 'Rename it first, for example to to-reconcile.');
  }
  if (dir === parent) throw refuse('has no place beside it for failed_uploads/', 'Name a folder further down.');
  const failed = await stat(failedUploads).catch(() => undefined);
  const isDangling = failed === undefined && (await isThere(failedUploads));
  if (isDangling || failed?.isDirectory() === false) {
    throw refuse(`has ${failedUploads} beside it, which is not a folder`, 'Move that out of the way.');
  }
  if (failed === undefined && (await stat(parent)).dev !== info.dev) {
    // In a container the folder above would vanish, and the moved files with it.
    const hint = `Create or mount ${failedUploads} first, or name a folder further down.`;
    throw refuse('is the top folder of a disk, so files would move to another disk', hint);
  }
  if (failed !== undefined && (await overlap(dir, failedUploads))) {
    throw refuse(`and ${failedUploads} are the same folder, or one contains the other`, 'Move one of them elsewhere.');
  }
  if (address.kind === 'file') {
    const landed = address.folder;
    const hint = 'export, status and verify take care of what has landed; reconcile is for files elsewhere.';
    for (const folder of ['', 'events', 'manifests', 'quarantine']) {
      if (await overlap(dir, join(landed, folder))) throw refuse(`and the destination ${landed} share files`, hint);
    }
    if (await overlap(failedUploads, landed)) {
      throw refuse(`would move files into the destination, which contains ${failedUploads}`, hint);
    }
  }
  if (!dryRun) {
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: unknown) => {
      throw refuse(`cannot be written to (${systemCode(error)})`, 'Give this user the right to remove files from it.');
    });
  }
  return { dir, failedUploads };
}

/** A link counts as itself. */
async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Whether two paths are one folder or one contains the other, under whatever names and mounts. */
async function overlap(one: string, other: string): Promise<boolean> {
  const [ancestors, otherAncestors] = await Promise.all([lineOf(one), lineOf(other)]);
  return otherAncestors.includes(ancestors[0] ?? '') || ancestors.includes(otherAncestors[0] ?? '');
}

/** Identifies a path and then each folder above it: by device and inode where it exists. */
async function lineOf(path: string): Promise<string[]> {
  const line: string[] = [];
  for (let folder = await realOf(path); ; folder = dirname(folder)) {
    const info = await stat(folder, { bigint: true }).catch(() => undefined);
    line.push(info === undefined ? folder : `${info.dev}:${info.ino}`);
    if (folder === dirname(folder)) return line;
  }
}

/** The real path, as far as it exists: a destination may not be there yet. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return path === dirname(path) ? path : join(await realOf(dirname(path)), basename(path));
  }
}

export interface Found {
  /** Below DIR, with `/` between its parts. */
  readonly file: string;
  /** For files that are left alone whatever they hold. */
  readonly verdict: Verdict | undefined;
}

/** Every file below `dir`, without following links. Throws a UsageError where a failed_uploads/ is among them. */
export async function* findFiles(dir: string, signal: AbortSignal, subfolder = ''): AsyncGenerator<Found> {
  signal.throwIfAborted();
  let entries: Dirent[];
  try {
    entries = await readdir(join(dir, subfolder), { withFileTypes: true });
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    yield { file: subfolder, verdict: keep('LOCAL', `this folder cannot be read (${code})`) };
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = subfolder === '' ? entry.name : `${subfolder}/${entry.name}`;
    if (!entry.isDirectory()) {
      yield { file, verdict: await leftAlone(entry, join(dir, file)) };
      continue;
    }
    if (entry.name === FAILED_UPLOADS) {
      throw new UsageError(
        `${join(dir, file)} is inside the given folder, and holds files that an earlier run moved.`,
        'Move it elsewhere or rename it first.',
      );
    }
    yield* findFiles(dir, signal, file);
  }
}

async function leftAlone(entry: Dirent, path: string): Promise<Verdict | undefined> {
  if (entry.isSymbolicLink()) return keep('LINK', 'it is a link, and links are not followed');
  if (!entry.isFile()) return keep('NO_FILE', 'it is not a regular file');
  if (/^\..*\.partial$/.test(entry.name)) return keep('PARTIAL', 'a program has not finished writing it');
  // Node.js replaces what is not UTF-8, and no file has the resulting name.
  const isReplaced = entry.name.includes('\ufffd') && !(await isThere(path));
  return isReplaced ? keep('NAME', 'its name is not UTF-8, so it cannot be opened') : undefined;
}
