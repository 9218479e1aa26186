import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemCode } from '../errors.ts';

/** node_exporter is another user, and a service's umask is strict. */
const MODE = 0o644;
/** Writing takes milliseconds: an older one was killed. */
const STALE_MS = 5000;
const POLL_MS = 50;

/**
 * Replaces a file by what `change` makes of its text; '' where there is none. Readers see the old text or the new one. The
 * new text's file is the lock too, so that of two runs that end at once neither undoes what the other wrote.
 */
export async function changeFile(path: string, change: (before: string) => string): Promise<void> {
  // node_exporter reads *.prom only.
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  const file = await openAlone(partial);
  try {
    try {
      await file.chmod(MODE);
      await file.writeFile(change(await readFile(path, 'utf8').catch(ifMissing)));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function openAlone(partial: string) {
  for (;;) {
    try {
      return await open(partial, 'wx');
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const since = await stat(partial).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (since > STALE_MS) await rm(partial, { force: true });
    else await pause(POLL_MS);
  }
}

function ifMissing(error: unknown): string {
  if (systemCode(error) === 'ENOENT') return '';
  throw error;
}
