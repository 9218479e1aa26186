import { constants } from 'node:fs';
import { access, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { DestinationAddress } from '../config/settings.ts';
import { systemCode, UsageError } from '../errors.ts';
import { keep, type Verdict } from './verdict.ts';

export const FAILED_UPLOADS = 'failed_uploads';

export interface Folder {
  /** As it really is, links followed. */
  readonly dir: string;
  /** Beside it. */
  readonly failedUploads: string;
}

export interface Found {
  /** Below DIR, `/` between its parts. */
  readonly file: string;
  /** Of what is left alone whatever it holds. */
  readonly verdict: Verdict | undefined;
}

/** Checks that `given` can be gone through without touching anything else. Throws a UsageError where it cannot. */
export async function openFolder(given: string, address: DestinationAddress, dryRun: boolean): Promise<Folder> {
  const refuse = (why: string, hint: string) => new UsageError(`${given} ${why}.`, hint);
  const dir = await realpath(resolve(given)).catch((error: unknown) => {
    throw refuse(`cannot be opened (${systemCode(error) ?? String(error)})`, 'Give a folder that exists.');
  });
  const info = await stat(dir);
  if (!info.isDirectory()) throw refuse('is no folder', 'Give the folder that the files lie in.');
  const failedUploads = join(dirname(dir), FAILED_UPLOADS);
  if (basename(dir) === FAILED_UPLOADS) {
    throw refuse('is itself what files are moved to', 'Give it another name first, for example to-reconcile.');
  }
  if (dir === dirname(dir)) throw refuse('has no place beside it for failed_uploads/', 'Give a folder further down.');
  const failed = await folderAt(failedUploads);
  if (failed === 'other') {
    throw refuse(`has something beside it that is called ${FAILED_UPLOADS} and no folder`, 'Move that out of the way.');
  }
  // In a container that would be its own disk, and what was moved would be gone with it.
  if (failed === undefined && (await stat(dirname(dir))).dev !== info.dev) {
    throw refuse(
      'is a disk of its own, so files would leave it for another one',
      `Make ${failedUploads} first, or mount it there; or give a folder further down.`,
    );
  }
  if (failed !== undefined && (await overlap(dir, failed))) {
    throw refuse(`and ${failedUploads} are one folder, or one holds the other`, 'Move one of them elsewhere.');
  }
  if (address.kind === 'file') {
    const hint = 'What has landed is looked after by export, status and verify; reconcile is for files elsewhere.';
    for (const folder of [
      address.folder,
      ...['events', 'manifests', 'quarantine'].map((at) => join(address.folder, at)),
    ]) {
      if (await overlap(dir, folder)) throw refuse(`and the destination ${address.folder} share files`, hint);
    }
    if (await overlap(failed ?? failedUploads, address.folder)) {
      throw refuse(`would put files into the destination, since ${failedUploads} is a part of it`, hint);
    }
  }
  if (!dryRun) {
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: unknown) => {
      throw refuse(`cannot be written to (${systemCode(error) ?? String(error)})`, 'Files are taken out of it.');
    });
  }
  return { dir, failedUploads };
}

async function folderAt(path: string): Promise<string | 'other' | undefined> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return undefined;
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (await stat(real)).isDirectory() ? real : 'other';
}

/** Whether the two are one folder or one holds the other, under whatever names and mounts. */
async function overlap(one: string, other: string): Promise<boolean> {
  const [above, below] = await Promise.all([lineOf(one), lineOf(other)]);
  return below.includes(above[0] ?? '') || above.includes(below[0] ?? '');
}

/** What stands for a path and each folder above it, the path first: device and inode of those that exist. */
async function lineOf(path: string): Promise<string[]> {
  const line: string[] = [];
  for (let at = await real(path); ; at = dirname(at)) {
    const info = await stat(at, { bigint: true }).catch(() => undefined);
    line.push(info === undefined ? at : `${info.dev}:${info.ino}`);
    if (at === dirname(at)) return line;
  }
}

/** As far as it exists; a destination that nothing has landed in may be missing. */
async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return path === dirname(path) ? path : join(await real(dirname(path)), basename(path));
  }
}

const PARTIAL = /^\..*\.partial$/;

/** Every file below `dir`, links not followed. Throws a UsageError at a failed_uploads/ among them. */
export async function* findFiles(dir: string, signal: AbortSignal, at = ''): AsyncGenerator<Found> {
  signal.throwIfAborted();
  let entries: Awaited<ReturnType<typeof entriesOf>>;
  try {
    entries = await entriesOf(join(dir, at));
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    yield { file: at, verdict: keep('LOCAL', `this folder cannot be read (${code})`) };
    return;
  }
  for (const entry of entries) {
    const file = at === '' ? entry.name : `${at}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name === FAILED_UPLOADS) {
        throw new UsageError(
          `${join(dir, file)} holds what an earlier run moved, and lies in the folder that was given.`,
          'Move it elsewhere or give it another name first.',
        );
      }
      yield* findFiles(dir, signal, file);
    } else yield { file, verdict: await leftAlone(entry, join(dir, file)) };
  }
}

async function entriesOf(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function leftAlone(entry: Awaited<ReturnType<typeof entriesOf>>[number], path: string) {
  if (entry.isSymbolicLink()) return keep('LINK', 'it is a link; links are not followed');
  if (!entry.isFile()) return keep('NO_FILE', 'it is no regular file');
  if (PARTIAL.test(entry.name)) return keep('PARTIAL', 'it is what a program has not finished writing');
  // A name that is not UTF-8 arrives with a stand-in, under which there is nothing.
  const strange = entry.name.includes('\ufffd') && (await lstat(path).catch(() => undefined)) === undefined;
  return strange ? keep('NAME', 'its name is not UTF-8, so it cannot be opened') : undefined;
}
