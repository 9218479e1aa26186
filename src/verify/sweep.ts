import type { Destination, StoredObject } from '../destination/destination.ts';
import { hourOfKey, readKey } from '../landing/keys.ts';
import { readRecord } from '../landing/records.ts';
import { unnamedIn } from './difference.ts';
import { storedIn } from './listing.ts';

/** No run takes so long between an object and the manifest that names it. */
const DAY_MS = 24 * 3_600_000;

/**
 * Deletes this program's objects that no manifest names, once they are a day old, and returns them. Foreign keys stay, and
 * so do the objects of an hour whose manifest cannot be read.
 */
export async function sweep(
  unnamed: readonly StoredObject[],
  { destination, now }: { readonly destination: Destination; readonly now: Date },
): Promise<StoredObject[]> {
  const isSweepable = ({ key, modifiedAt }: StoredObject) =>
    readKey(key) !== undefined && now.getTime() - modifiedAt.getTime() >= DAY_MS;
  const hours = new Set(unnamed.filter(isSweepable).flatMap(({ key }) => hourOfKey(key) ?? []));
  if (hours.size > 0) await destination.lock();
  const swept: StoredObject[] = [];
  for (const hour of hours) {
    const record = await readRecord(hour, destination);
    if (record.manifest === undefined && record.problem !== undefined) continue;
    // Listed after the manifest was read: a run that repeats a killed one rewrites an object before it seals it.
    const left = unnamedIn(record.manifest, await storedIn(hour, destination)).filter(isSweepable);
    await destination.delete(left.map(({ key }) => key));
    swept.push(...left);
  }
  return swept;
}
