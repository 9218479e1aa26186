import PQueue from 'p-queue';
import type { Destination, StoredObject } from '../destination/destination.ts';
import { type Hour, hourFolder } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';

/** What an hour's folders hold, by the listing alone. */
export interface Stored {
  /** In events/. */
  objects: number;
  bytes: number;
  quarantine: number;
  /** All of them, where the caller asks for them. */
  readonly files: StoredObject[];
}

/** A page of a listing holds 1,000 keys and names the next one. One day after the other, a year takes minutes. */
const DAYS_AT_ONCE = 16;

/** What the folders of the sealed hours hold. Days without a sealed hour are not listed. */
export async function storedIn(
  sealed: readonly Hour[],
  destination: Destination,
  keepFiles: boolean,
): Promise<Map<Hour, Stored>> {
  const found = new Map(
    sealed.map((hour): [Hour, Stored] => [hour, { objects: 0, bytes: 0, quarantine: 0, files: [] }]),
  );
  if (found.size === 0) return found;
  const add = async (objects: AsyncIterable<StoredObject>) => {
    for await (const object of objects) {
      const hour = hourOfKey(object.key);
      const stored = hour === undefined ? undefined : found.get(hour);
      if (stored === undefined) continue;
      if (object.key.startsWith('events/')) {
        stored.objects++;
        stored.bytes += object.bytes;
      } else stored.quarantine++;
      if (keepFiles) stored.files.push(object);
    }
  };
  const days = new Set(sealed.map((hour) => hourFolder(hour).split('/')[0]));
  const listings = [...days].map((day) => () => add(destination.list(`events/${day}/`)));
  await new PQueue({ concurrency: DAYS_AT_ONCE }).addAll(listings);
  // Quarantine rarely holds anything: one listing covers the whole range.
  const [first, last] = [Math.min(...sealed), Math.max(...sealed)];
  const range = { after: `quarantine/${hourFolder(first)}`, before: `quarantine/${hourFolder(last + 1)}` };
  await add(destination.list('quarantine/', range));
  return found;
}
