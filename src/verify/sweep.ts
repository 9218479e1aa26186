import type { Destination, StoredObject } from '../destination/destination.ts';
import { type Hour, hourFolder } from '../hours.ts';
import { readKey } from '../landing/keys.ts';
import { readRecord } from '../landing/records.ts';
import { unnamedIn } from './difference.ts';

/** No landing goes on for so long between an object and the manifest that names it. */
const DAY_MS = 24 * 3_600_000;

/**
 * Deletes objects of this program that no manifest names, once they are a day old. Foreign keys stay, and so does everything
 * in an hour whose manifest cannot be read. Resolves to what is gone.
 *
 * Throws where the destination cannot be listed or changed.
 */
export async function sweep(
  unnamed: readonly StoredObject[],
  { destination, now }: { readonly destination: Destination; readonly now: Date },
): Promise<StoredObject[]> {
  const isOld = ({ modifiedAt }: StoredObject) => now.getTime() - modifiedAt.getTime() >= DAY_MS;
  const hours = new Set<Hour>();
  for (const object of unnamed) {
    const name = readKey(object.key);
    if (name !== undefined && isOld(object)) hours.add(name.hour);
  }
  if (hours.size > 0) await destination.lock();
  const swept: StoredObject[] = [];
  for (const hour of hours) {
    const record = await readRecord(hour, destination);
    if (record.manifest === undefined && record.problem !== undefined) continue;
    // Listed again right before, after the manifest: a run that repeats a killed one writes its names anew, then seals them.
    const objects = await storedOf(hour, destination);
    const old = unnamedIn(record.manifest, objects).filter(
      (object) => readKey(object.key) !== undefined && isOld(object),
    );
    await destination.delete(old.map(({ key }) => key));
    swept.push(...old);
  }
  return swept;
}

async function storedOf(hour: Hour, destination: Destination): Promise<StoredObject[]> {
  const events = await Array.fromAsync(destination.list(`events/${hourFolder(hour)}/`));
  const quarantine = await Array.fromAsync(destination.list(`quarantine/${hourFolder(hour)}/`));
  return [...events, ...quarantine];
}
