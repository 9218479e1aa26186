import PQueue from 'p-queue';
import type { Destination, StoredObject } from '../destination/destination.ts';
import { type Hour, hourFolder } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';

/** What lies in an hour's folders by the listing alone. */
export interface Stored {
  /** In events/. */
  objects: number;
  bytes: number;
  quarantine: number;
  /** All of them, where they were asked for. */
  readonly files: StoredObject[];
}

/** A page of a listing holds 1,000 keys and names the next one: days are listed beside each other, or a year takes minutes. */
const DAYS_AT_ONCE = 16;

/** What lies in the folders of the sealed hours; days without one are not listed. */
export async function storedIn(
  sealed: Iterable<Hour>,
  destination: Destination,
  keepFiles: boolean,
): Promise<Map<Hour, Stored>> {
  const found = new Map<Hour, Stored>();
  const days = new Set<string>();
  for (const hour of sealed) {
    found.set(hour, { objects: 0, bytes: 0, quarantine: 0, files: [] });
    days.add(dayOf(hour));
  }
  const add = (object: StoredObject, isEvents: boolean) => {
    const hour = hourOfKey(object.key);
    const stored = hour === undefined ? undefined : found.get(hour);
    if (stored === undefined) return;
    if (isEvents) {
      stored.objects++;
      stored.bytes += object.bytes;
    } else stored.quarantine++;
    if (keepFiles) stored.files.push(object);
  };
  const queue = new PQueue({ concurrency: DAYS_AT_ONCE });
  await Promise.all(
    [...days].map((day) =>
      queue.add(async () => {
        for await (const object of destination.list(`events/${day}/`)) add(object, true);
      }),
    ),
  );
  const [first, last] = [Math.min(...found.keys()), Math.max(...found.keys())];
  if (found.size > 0) {
    // Hardly ever holds anything: one listing for the whole range.
    const range = { after: `quarantine/${hourFolder(first)}`, before: `quarantine/${hourFolder(last + 1)}` };
    for await (const object of destination.list('quarantine/', range)) add(object, false);
  }
  return found;
}

function dayOf(hour: Hour): string {
  return hourFolder(hour).split('/')[0] ?? '';
}
