import { open, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { JobError } from '../errors.ts';
import type { Log } from '../log.ts';
import { makeFolder } from './make-folder.ts';

export const LOCK_FILE = '.amplitude-to-s3.lock';

export interface FolderLock {
  release(): Promise<void>;
}

/** SQLite's codes (sqlite.org/rescode.html), the first two without their details. */
const BUSY = 5;
const FULL = 13;
const CANNOT_LOCK = [3850, 2314, 22];

/** A holder that ends deletes the file; who had opened it by then opens the next one. */
const OPENINGS = 20;

/**
 * An exclusive lock of a folder: a transaction of an SQLite file in it. The system ends it with its process, however that
 * ends. So no lock is stale, and nothing is judged by its age or process number, which mislead between containers.
 *
 * Throws a JobError (DESTINATION_LOCKED) that names the holder, and the system's error for a folder that cannot be made.
 */
export async function lockFolder(folder: string, log: Log): Promise<FolderLock> {
  await makeFolder(folder);
  const file = join(folder, LOCK_FILE);
  // Only here: a run into a bucket has no use for it.
  const { DatabaseSync: Database } = await import('node:sqlite');
  for (let opening = 1; opening <= OPENINGS; opening++) {
    // SQLite does not tell why it cannot open a file; the system does.
    const handle = await open(file, 'a');
    const { ino } = await handle.stat({ bigint: true });
    await handle.close();
    const database = new Database(file, { timeout: 0 });
    try {
      hold(database);
      const now = await stat(file, { bigint: true }).catch(() => undefined);
      if (now?.ino === ino) return { release: () => release(database, file) };
      database.close();
    } catch (error) {
      const { errcode = 0 } = error as { errcode?: number };
      const holder = holderIn(database);
      database.close();
      if ((errcode & 0xff) === BUSY) throw lockedBy(folder, holder);
      if ((errcode & 0xff) === FULL)
        throw Object.assign(new Error('no space left', { cause: error }), { code: 'ENOSPC' });
      if (!CANNOT_LOCK.includes(errcode)) throw unlockable(folder, error);
      log.warn(`${folder} does not support locks. Two runs at once are not safe there: start one at a time.`);
      return { release: () => rm(file, { force: true }) };
    }
  }
  throw lockedBy(folder, undefined);
}

function hold(database: DatabaseSync): void {
  database.exec(
    'PRAGMA synchronous = OFF; BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS holder (name TEXT); DELETE FROM holder',
  );
  const name = `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`;
  database.prepare('INSERT INTO holder VALUES (?)').run(name);
  // Others read who holds the lock, so that is committed before the lock is taken for good.
  database.exec('COMMIT; BEGIN IMMEDIATE');
}

function holderIn(database: DatabaseSync): string | undefined {
  try {
    return database.prepare('SELECT name FROM holder').get()?.name as string | undefined;
  } catch {
    return undefined;
  }
}

/** The file goes while it is locked: who opens it from here on makes a new one. */
async function release(database: DatabaseSync, file: string): Promise<void> {
  await rm(file, { force: true });
  database.close();
}

function lockedBy(folder: string, holder: string | undefined): JobError {
  const who = holder === undefined ? 'Another run' : `Another run (${holder})`;
  // Some systems say "busy" of a network folder that cannot be locked at all.
  const unknown =
    holder === undefined ? ' If there is none, see that the file system of that folder supports locks.' : '';
  return new JobError('DESTINATION_LOCKED', `${who} is writing to ${folder}.`, {
    endsRun: true,
    hint: `Wait until it has ended, then run the same command again. A folder takes one run at a time.${unknown}`,
  });
}

function unlockable(folder: string, cause: unknown): JobError {
  return new JobError('DESTINATION', `${join(folder, LOCK_FILE)} cannot be locked: ${(cause as Error).message}.`, {
    cause,
    endsRun: true,
    hint: 'See that no other run writes to this folder, delete that file, then run the same command again.',
  });
}
