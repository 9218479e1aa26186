import type { Destination, StoredObject } from '../destination/destination.ts';
import { type Hour, hourFolder, type Window } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';

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

/** The listings of events/ and quarantine/, read hour by hour, so that memory does not grow with the objects. */
export class StoredHours {
  readonly #listings: Listing[];

  constructor(range: Window | undefined, destination: Destination) {
    this.#listings = FOLDERS.map((folder) => new Listing(listHours(folder, range, destination)));
  }

  /** All that is listed from the last call up to and including `hour`, by hour. Undefined: outside the hours' folders. */
  async upTo(hour: Hour): Promise<Map<Hour | undefined, StoredObject[]>> {
    const objects = await Promise.all(this.#listings.map((listing) => listing.upTo(hour)));
    return Map.groupBy(objects.flat(), ({ key }) => hourOfKey(key));
  }
}

class Listing {
  readonly #objects: AsyncIterator<StoredObject>;
  #next: IteratorResult<StoredObject> | undefined;

  constructor(objects: AsyncIterable<StoredObject>) {
    this.#objects = objects[Symbol.asyncIterator]();
  }

  async upTo(hour: Hour): Promise<StoredObject[]> {
    const taken: StoredObject[] = [];
    this.#next ??= await this.#objects.next();
    while (this.#next.done !== true && (hourOfKey(this.#next.value.key) ?? hour) <= hour) {
      taken.push(this.#next.value);
      this.#next = await this.#objects.next();
    }
    return taken;
  }
}
