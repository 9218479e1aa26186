import PQueue from 'p-queue';
import type { Destination, StoredObject } from '../destination/destination.ts';
import type { Hour, Window } from '../hours.ts';
import { firstLanded } from '../landing/listing.ts';
import { hourOfManifestKey, MANIFESTS } from '../landing/manifest.ts';
import { Projects, readRecord } from '../landing/records.ts';
import { compareObject, lookAt, type Named, namedIn, readBack } from '../landing/stored.ts';
import {
  compareListing,
  type Difference,
  manifestDifference,
  nothingDifference,
  unnamedDifferences,
  unnamedIn,
} from './difference.ts';
import { listHours, storedIn, walk } from './listing.ts';

export type Depth = 'listing' | 'checksums' | 'deep';

export interface VerifyOptions {
  readonly destination: Destination;
  /** Undefined: everything. */
  readonly range: Window | undefined;
  readonly depth: Depth;
  readonly now: Date;
  /** Called with the number of manifests, before the part that takes long. */
  readonly onSealed?: (manifests: number) => void;
}

type HourOptions = Pick<VerifyOptions, 'destination' | 'depth' | 'now'>;

interface Found {
  readonly differences: readonly Difference[];
  /** Objects in events/ and quarantine/ that no manifest names, and foreign keys. */
  readonly unsealed: readonly StoredObject[];
}

export interface Verification extends Found {
  readonly checked: { hours: number; objects: number; bytes: number };
}

const HOURS_AT_ONCE = 16;

/**
 * Compares every manifest with what is stored, hour by hour. It looks at hours that differ once more, since an export may
 * be replacing them. Throws where the destination cannot be listed or read.
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { destination, range, now } = options;
  const { sealed, foreign } = await listManifests(range, destination);
  const isEmpty = sealed.length === 0 && (await firstLanded(destination)) === undefined;
  options.onSealed?.(sealed.length);
  const checked = { hours: sealed.length, objects: 0, bytes: 0 };
  const projects = new Projects();
  const suspects = new Set<Hour>();
  const comparison = new Comparison(options);
  const queue = new PQueue({ concurrency: HOURS_AT_ONCE });
  const failures: unknown[] = [];
  for await (const { hour, record, objects } of walk(sealed, range, destination)) {
    if (hour === undefined) for (const object of objects) foreign.push(object);
    else if (record === undefined) suspects.add(hour);
    else {
      const compare = async () => {
        const { differences, unsealed } = await comparison.compare(record, objects);
        if (differences.length + unsealed.length > 0) suspects.add(hour);
      };
      await queue.onSizeLessThan(HOURS_AT_ONCE);
      queue.add(compare).catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
      if (record.manifest === undefined) continue;
      projects.add(hour, record.manifest);
      for (const { bytes } of namedIn(record.manifest)) {
        checked.objects++;
        checked.bytes += bytes;
      }
    }
  }
  await queue.onIdle();
  if (failures.length > 0) throw failures[0];

  const { differences, unsealed } = await verifyHours(suspects, options);
  return {
    checked,
    differences: [
      ...differences,
      ...[...projects.strangers].map(([hour, problem]) => manifestDifference(hour, problem)),
      ...unnamedDifferences(foreign, { manifest: undefined, now }),
      ...(isEmpty ? [nothingDifference(destination)] : []),
    ],
    unsealed: [...unsealed, ...foreign],
  };
}

async function listManifests(range: Window | undefined, destination: Destination) {
  const sealed: Hour[] = [];
  const foreign: StoredObject[] = [];
  for await (const object of listHours(MANIFESTS, range, destination)) {
    const hour = hourOfManifestKey(object.key);
    if (hour === undefined) foreign.push(object);
    else sealed.push(hour);
  }
  return { sealed, foreign };
}

/** Compares single hours, as they are now. */
export async function verifyHours(hours: Iterable<Hour>, options: HourOptions): Promise<Found> {
  const { destination } = options;
  const comparison = new Comparison(options);
  const queue = new PQueue({ concurrency: HOURS_AT_ONCE });
  const sorted = [...hours].sort((a, b) => a - b);
  const found = await queue.addAll(
    sorted.map((hour) => async () => {
      const record = await readRecord(hour, destination);
      return await comparison.compare(record, await storedIn(hour, destination));
    }),
  );
  return {
    differences: found.flatMap(({ differences }) => differences),
    unsealed: found.flatMap(({ unsealed }) => unsealed),
  };
}

type HourRecord = Awaited<ReturnType<typeof readRecord>>;

/** A checksum is a small request; the network bounds how many objects are read back at once. */
const OBJECTS_AT_ONCE: Readonly<{ [depth in Depth]: number }> = { listing: 1, checksums: 32, deep: 6 };

/** Compares the manifest of an hour with its objects: with the listing, and as deep as asked with their content. */
class Comparison {
  readonly #options: HourOptions;
  readonly #queue: PQueue;

  constructor(options: HourOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: OBJECTS_AT_ONCE[options.depth] });
  }

  async compare(record: HourRecord, stored: readonly StoredObject[]): Promise<Found> {
    const { hour, manifest } = record;
    if (manifest === undefined && record.problem !== undefined) {
      return { differences: [manifestDifference(hour, record.problem)], unsealed: [] };
    }
    const unsealed = unnamedIn(manifest, stored);
    const unnamed = unnamedDifferences(unsealed, { manifest, now: this.#options.now });
    if (manifest === undefined) return { differences: unnamed, unsealed };
    const listed = compareListing(hour, manifest, stored);
    const differing = new Set(listed.map(({ key }) => key));
    const alike = namedIn(manifest).filter(({ key }) => !differing.has(key));
    return { differences: [...listed, ...(await this.#compareContents(hour, alike)), ...unnamed], unsealed };
  }

  async #compareContents(hour: Hour, objects: readonly Named[]): Promise<Difference[]> {
    const { destination, depth } = this.#options;
    if (depth === 'listing') return [];
    const see = depth === 'deep' ? readBack : lookAt;
    const compare = async (named: Named) => {
      const mismatch = compareObject(named, await see(named, destination));
      return mismatch === undefined ? [] : [{ hour, key: named.key, ...mismatch }];
    };
    return (await this.#queue.addAll(objects.map((named) => () => compare(named)))).flat();
  }
}
