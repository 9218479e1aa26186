import type { Destination, StoredObject } from '../destination/destination.ts';
import { type Hour, hourFolder, type Window } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';
import { type readRecord, readRecords } from '../landing/records.ts';

const FOLDERS = ['events/', 'quarantine/'];

/** Lists a folder of hours; without a range, all of it. */
export function listHours(
  folder: string,
  range: Window | undefined,
  destination: Destination,
): AsyncIterable<StoredObject> {
  const bounds = range && { after: folder + hourFolder(range.start), before: folder + hourFolder(range.end) };
  return destination.list(folder, bounds);
}

/** The objects of one hour. */
export async function storedIn(hour: Hour, destination: Destination): Promise<StoredObject[]> {
  const listings = FOLDERS.map((folder) => Array.fromAsync(destination.list(`${folder}${hourFolder(hour)}/`)));
  return (await Promise.all(listings)).flat();
}

interface Stop {
  /** Undefined: outside the folders of hours. */
  readonly hour: Hour | undefined;
  /** Undefined: the hour is not sealed. */
  readonly record?: Awaited<ReturnType<typeof readRecord>>;
  readonly objects: readonly StoredObject[];
}

/** Visits each sealed hour, and whatever else has objects, in one pass so that memory does not grow with the objects. */
export async function* walk(
  sealed: readonly Hour[],
  range: Window | undefined,
  destination: Destination,
): AsyncGenerator<Stop> {
  const listings = FOLDERS.map((folder) => new Listing(listHours(folder, range, destination)));
  const takeUpTo = async (hour: Hour) => {
    const taken = await Promise.all(listings.map((listing) => listing.takeUpTo(hour)));
    return Map.groupBy(taken.flat(), ({ key }) => hourOfKey(key));
  };
  for await (const record of readRecords(sealed, destination)) {
    const byHour = await takeUpTo(record.hour);
    yield { hour: record.hour, record, objects: byHour.get(record.hour) ?? [] };
    byHour.delete(record.hour);
    for (const [hour, objects] of byHour) yield { hour, objects };
  }
  for (const [hour, objects] of await takeUpTo(Number.POSITIVE_INFINITY)) yield { hour, objects };
}

/** A listing in the order of hours, taken piece by piece. */
class Listing {
  readonly #objects: AsyncIterator<StoredObject>;
  #next: IteratorResult<StoredObject> | undefined;

  constructor(objects: AsyncIterable<StoredObject>) {
    this.#objects = objects[Symbol.asyncIterator]();
  }

  async takeUpTo(hour: Hour): Promise<StoredObject[]> {
    const taken: StoredObject[] = [];
    this.#next ??= await this.#objects.next();
    while (this.#next.done !== true && (hourOfKey(this.#next.value.key) ?? hour) <= hour) {
      taken.push(this.#next.value);
      this.#next = await this.#objects.next();
    }
    return taken;
  }
}
