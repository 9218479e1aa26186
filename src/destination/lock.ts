import { open, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { JobError } from '../errors.ts';
import type { Log } from '../log.ts';

export const LOCK_FILE = '.amplitude-to-s3.lock';

/** SQLite's codes (sqlite.org/rescode.html), the first two without their details. */
const BUSY = 5;
const FULL = 13;
const CANNOT_LOCK = [3850, 2314, 22];

/** A holder deletes the file as it ends. A run that had opened it by then opens the next one. */
const OPENINGS = 20;

/**
 * Locks a folder for one run: a transaction of an SQLite file in it. The system ends that with the process, in whatever
 * way the process ends. So no lock is stale, and nothing depends on ages or process numbers, which mislead between
 * containers. Returns what releases the lock. Throws DESTINATION_LOCKED, which names the holder.
 */
export async function lockFolder(folder: string, log: Log): Promise<() => Promise<void>> {
  const file = join(folder, LOCK_FILE);
  // Only here: a run into a bucket does not need it.
  const { DatabaseSync: Database } = await import('node:sqlite');
  for (let opening = 1; opening <= OPENINGS; opening++) {
    // SQLite does not say why it cannot open a file; the system does.
    const handle = await open(file, 'a');
    const { ino } = await handle.stat({ bigint: true });
    await handle.close();
    const database = new Database(file, { timeout: 0 });
    try {
      hold(database);
      const now = await stat(file, { bigint: true }).catch(() => undefined);
      if (now?.ino === ino) return () => release(database, file);
      database.close();
    } catch (error) {
      const holder = holderIn(database);
      database.close();
      const { errcode = 0 } = error as { errcode?: number };
      if (!CANNOT_LOCK.includes(errcode)) throw refusal(error, errcode, folder, holder);
      log.warn(`${folder} does not support locks. Two runs at once are not safe there: start one at a time.`);
      return () => rm(file, { force: true });
    }
  }
  throw lockedBy(undefined, folder);
}

function hold(database: DatabaseSync): void {
  database.exec(
    'PRAGMA synchronous = OFF; BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS holder (name TEXT); DELETE FROM holder',
  );
  const name = `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`;
  database.prepare('INSERT INTO holder VALUES (?)').run(name);
  // Committed before the lock is taken for good, so that others can read the name.
  database.exec('COMMIT; BEGIN IMMEDIATE');
}

function holderIn(database: DatabaseSync): string | undefined {
  try {
    return database.prepare('SELECT name FROM holder').get()?.name as string | undefined;
  } catch {
    return undefined;
  }
}

/** Deletes the file while it is locked: whoever opens it from now on makes a new one. */
async function release(database: DatabaseSync, file: string): Promise<void> {
  await rm(file, { force: true });
  database.close();
}

function refusal(cause: unknown, errcode: number, folder: string, holder: string | undefined): Error {
  const code = errcode & 0xff;
  if (code === BUSY) return lockedBy(holder, folder);
  if (code === FULL) return Object.assign(new Error('no space left', { cause }), { code: 'ENOSPC' });
  return new JobError('DESTINATION', `${join(folder, LOCK_FILE)} cannot be locked: ${(cause as Error).message}.`, {
    cause,
    endsRun: true,
    hint: 'Check that no other run writes to this folder, delete that file, then run the same command again.',
  });
}

function lockedBy(holder: string | undefined, folder: string): JobError {
  const wait = 'Wait until it has ended, then run the same command again. A folder takes one run at a time.';
  // Some systems say "busy" of a network folder that cannot be locked at all.
  const unknown = 'If there is no other run, check that the file system of that folder supports locks.';
  const [who, hint] = holder === undefined ? ['Another run', `${wait} ${unknown}`] : [`Another run (${holder})`, wait];
  return new JobError('DESTINATION_LOCKED', `${who} is writing to ${folder}.`, { endsRun: true, hint });
}
