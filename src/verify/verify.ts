import PQueue from 'p-queue';
import type { Destination, StoredObject } from '../destination/destination.ts';
import { type Hour, hourFolder, type Window } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';
import { firstLanded } from '../landing/listing.ts';
import { hourOfManifestKey, MANIFESTS } from '../landing/manifest.ts';
import { type HourRecord, Projects, readRecords } from '../landing/records.ts';
import { compareContent, type Depth } from './content.ts';
import {
  compareListing,
  type Difference,
  manifestDifference,
  type Named,
  namedIn,
  nothingDifference,
  unnamedDifference,
  unnamedIn,
} from './difference.ts';

export interface VerifyOptions {
  readonly destination: Destination;
  /** Undefined: all that is there. */
  readonly range: Window | undefined;
  readonly depth: Depth;
  readonly now: Date;
  /** Told before the part that takes long: how many manifests are held against what is stored. */
  readonly onSealed?: (manifests: number) => void;
}

export interface Verification {
  readonly checked: { hours: number; objects: number; bytes: number };
  readonly differences: readonly Difference[];
  /** Objects in events/ and quarantine/ that no manifest names. */
  readonly unsealed: readonly StoredObject[];
}

/** HEADs are small; reading back is bound by the network. */
const HOURS_AT_ONCE = 16;
const AT_ONCE: Readonly<{ [depth in Depth]: number }> = { listing: 1, checksums: 32, deep: 6 };

/**
 * Holds every manifest against what is stored, hour by hour in one pass over the listings, so that memory does not grow with
 * the objects. Hours that differ are looked at once more, since an export may be replacing them just now.
 *
 * Throws where the destination cannot be listed or read.
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { destination, range, depth } = options;
  const checked = { hours: 0, objects: 0, bytes: 0 };
  const suspects = new Set<Hour>();
  const outside: StoredObject[] = [];
  const projects = new Projects();
  const sealed = new Set<Hour>();
  const bounds = range && { after: MANIFESTS + hourFolder(range.start), before: MANIFESTS + hourFolder(range.end) };
  for await (const object of destination.list(MANIFESTS, bounds)) {
    const hour = hourOfManifestKey(object.key);
    if (hour === undefined) outside.push(object);
    else sealed.add(hour);
  }
  const nothing = sealed.size === 0 && (await firstLanded(destination)) === undefined;
  options.onSealed?.(sealed.size);
  const quarantine = await quarantineByHour(range, destination, outside);
  const stored = new HoursInOrder(destination, range);
  const contents = new PQueue({ concurrency: AT_ONCE[depth] });
  let failed: unknown;

  for await (const record of readRecords(
    [...sealed].sort((a, b) => a - b),
    destination,
  )) {
    const { hour, manifest } = record;
    for await (const [unsealedHour, objects] of stored.before(hour)) {
      if (unsealedHour === undefined) outside.push(...objects);
      else suspects.add(unsealedHour);
    }
    const objects = [...(await stored.of(hour)), ...(quarantine.get(hour) ?? [])];
    quarantine.delete(hour);
    checked.hours++;
    if (manifest === undefined) {
      suspects.add(hour);
      continue;
    }
    projects.add(hour, manifest);
    const named = namedIn(manifest);
    checked.objects += named.length;
    for (const { bytes } of named) checked.bytes += bytes;
    if (compareListing(hour, manifest, objects).length + unnamedIn(manifest, objects).length > 0) suspects.add(hour);
    else if (depth !== 'listing') for (const object of named) await enqueue(hour, object);
    if (failed !== undefined) throw failed;
  }
  for await (const [hour, objects] of stored.before(END_OF_TIME)) {
    if (hour === undefined) outside.push(...objects);
    else suspects.add(hour);
  }
  for (const hour of quarantine.keys()) suspects.add(hour);
  await contents.onIdle();
  if (failed !== undefined) throw failed;

  const { differences, unsealed } = await verifyHours(suspects, options);
  unsealed.push(...outside);
  for (const [hour, problem] of projects.strangers) differences.push(manifestDifference(hour, problem));
  const foreign = outside.map((object) => unnamedDifference(object, { manifest: undefined, now: options.now }));
  differences.push(...foreign.filter((difference) => difference !== undefined));
  if (nothing) differences.push(nothingDifference(destination));
  return { checked, differences, unsealed };

  async function enqueue(hour: Hour, object: Named): Promise<void> {
    await contents.onSizeLessThan(AT_ONCE[depth] * 2);
    void contents.add(async () => {
      try {
        if ((await compareContent(hour, object, destination, depth)).length > 0) suspects.add(hour);
      } catch (error) {
        failed ??= error;
      }
    });
  }
}

/** Hours one by one, as they are now. */
export async function verifyHours(
  hours: Iterable<Hour>,
  options: Pick<VerifyOptions, 'destination' | 'depth' | 'now'>,
): Promise<Found> {
  const queue = new PQueue({ concurrency: HOURS_AT_ONCE });
  const sorted = [...hours].sort((a, b) => a - b);
  const found = await Promise.all(sorted.map((hour) => queue.add(() => verifyHour(hour, options))));
  return {
    differences: found.flatMap(({ differences }) => differences),
    unsealed: found.flatMap(({ unsealed }) => unsealed),
  };
}

interface Found {
  readonly differences: Difference[];
  readonly unsealed: StoredObject[];
}

async function verifyHour(
  hour: Hour,
  { destination, depth, now }: Pick<VerifyOptions, 'destination' | 'depth' | 'now'>,
): Promise<Found> {
  const [record] = (await Array.fromAsync(readRecords([hour], destination))) as [HourRecord];
  const stored: StoredObject[] = [];
  for (const top of ['events/', 'quarantine/']) {
    stored.push(...(await Array.fromAsync(destination.list(`${top}${hourFolder(hour)}/`))));
  }
  const { manifest } = record;
  if (manifest === undefined && record.problem !== undefined) {
    return { differences: [manifestDifference(hour, record.problem)], unsealed: [] };
  }
  const differences = manifest === undefined ? [] : compareListing(hour, manifest, stored);
  const wrong = new Set(differences.map(({ key }) => key));
  for (const object of manifest === undefined ? [] : namedIn(manifest)) {
    if (!wrong.has(object.key)) differences.push(...(await compareContent(hour, object, destination, depth)));
  }
  const unsealed = unnamedIn(manifest, stored);
  for (const object of unsealed) {
    const difference = unnamedDifference(object, { manifest, now });
    if (difference !== undefined) differences.push(difference);
  }
  return { differences, unsealed };
}

/** Far beyond any hour that a key can name. */
const END_OF_TIME = Date.parse('9999-12-31T00:00:00Z') / 3_600_000;

async function quarantineByHour(
  range: Window | undefined,
  destination: Destination,
  outside: StoredObject[],
): Promise<Map<Hour, StoredObject[]>> {
  const found = new Map<Hour, StoredObject[]>();
  const bounds = range && {
    after: `quarantine/${hourFolder(range.start)}`,
    before: `quarantine/${hourFolder(range.end)}`,
  };
  for await (const object of destination.list('quarantine/', bounds)) {
    const hour = hourOfKey(object.key);
    if (hour === undefined) outside.push(object);
    else found.set(hour, [...(found.get(hour) ?? []), object]);
  }
  return found;
}

/** The listing of events/, which is in the order of hours, taken hour by hour. */
class HoursInOrder {
  readonly #objects: AsyncIterator<StoredObject>;
  #next: IteratorResult<StoredObject> | undefined;

  constructor(destination: Destination, range: Window | undefined) {
    const bounds = range && {
      after: `events/${hourFolder(range.start)}`,
      before: `events/${hourFolder(range.end)}`,
    };
    this.#objects = destination.list('events/', bounds)[Symbol.asyncIterator]();
  }

  /** Those before `hour`; undefined for keys that are in no hour's folder. */
  async *before(hour: Hour): AsyncGenerator<[Hour | undefined, StoredObject[]]> {
    for (;;) {
      const object = await this.#peek();
      if (object === undefined) return;
      const at = hourOfKey(object.key);
      if (at !== undefined && at >= hour) return;
      yield [at, at === undefined ? [await this.#take()] : await this.of(at)];
    }
  }

  async of(hour: Hour): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    for (;;) {
      const object = await this.#peek();
      if (object === undefined || hourOfKey(object.key) !== hour) return objects;
      objects.push(await this.#take());
    }
  }

  async #peek(): Promise<StoredObject | undefined> {
    this.#next ??= await this.#objects.next();
    return this.#next.done === true ? undefined : this.#next.value;
  }

  async #take(): Promise<StoredObject> {
    const object = await this.#peek();
    this.#next = undefined;
    return object as StoredObject;
  }
}
