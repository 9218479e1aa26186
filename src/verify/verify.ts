import PQueue from 'p-queue';
import type { Destination, StoredObject } from '../destination/destination.ts';
import type { Hour, Window } from '../hours.ts';
import { firstLanded } from '../landing/listing.ts';
import { hourOfManifestKey, MANIFESTS } from '../landing/manifest.ts';
import { Projects, readRecord } from '../landing/records.ts';
import { namedIn } from '../landing/stored.ts';
import { Contents, type Depth } from './content.ts';
import {
  compareListing,
  type Difference,
  manifestDifference,
  nothingDifference,
  unnamedDifferences,
  unnamedIn,
} from './difference.ts';
import { listHours, storedIn, walk } from './listing.ts';

export interface VerifyOptions {
  readonly destination: Destination;
  /** Undefined: everything. */
  readonly range: Window | undefined;
  readonly depth: Depth;
  readonly now: Date;
  /** Called with the number of manifests, before the part that takes long. */
  readonly onSealed?: (manifests: number) => void;
}

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
 * Compares every manifest with what is stored, hour by hour. Hours that differ are looked at a second time, since an
 * export may be replacing them. Throws where the destination cannot be listed or read.
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { destination, range, depth, now } = options;
  const { sealed, foreign } = await listManifests(range, destination);
  const isEmpty = sealed.length === 0 && (await firstLanded(destination)) === undefined;
  options.onSealed?.(sealed.length);
  const checked = { hours: sealed.length, objects: 0, bytes: 0 };
  const projects = new Projects();
  const suspects = new Set<Hour>();
  const contents = new Contents(destination, depth);
  const queue = new PQueue({ concurrency: HOURS_AT_ONCE });
  const failures: unknown[] = [];
  for await (const { hour, record, objects } of walk(sealed, range, destination)) {
    if (hour === undefined) {
      for (const object of objects) foreign.push(object);
      continue;
    }
    if (record?.manifest === undefined) {
      suspects.add(hour);
      continue;
    }
    const compare = async () => {
      const { differences, unsealed } = await compareHour(record, objects, contents, now);
      if (differences.length + unsealed.length > 0) suspects.add(hour);
    };
    await queue.onSizeLessThan(HOURS_AT_ONCE);
    queue.add(compare).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    projects.add(hour, record.manifest);
    for (const { bytes } of namedIn(record.manifest)) {
      checked.objects++;
      checked.bytes += bytes;
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
  return { sealed: sealed.sort((a, b) => a - b), foreign };
}

/** Compares single hours, as they are now. */
export async function verifyHours(
  hours: Iterable<Hour>,
  { destination, depth, now }: Pick<VerifyOptions, 'destination' | 'depth' | 'now'>,
): Promise<Found> {
  const contents = new Contents(destination, depth);
  const queue = new PQueue({ concurrency: HOURS_AT_ONCE });
  const verifyHour = async (hour: Hour) => {
    const record = await readRecord(hour, destination);
    return await compareHour(record, await storedIn(hour, destination), contents, now);
  };
  const sorted = [...hours].sort((a, b) => a - b);
  const found = await queue.addAll(sorted.map((hour) => () => verifyHour(hour)));
  return {
    differences: found.flatMap(({ differences }) => differences),
    unsealed: found.flatMap(({ unsealed }) => unsealed),
  };
}

/** Compares the manifest of an hour with its objects, as listed and as deep as `contents` looks. */
async function compareHour(
  record: Awaited<ReturnType<typeof readRecord>>,
  stored: readonly StoredObject[],
  contents: Contents,
  now: Date,
): Promise<Found> {
  const { hour, manifest } = record;
  if (manifest === undefined && record.problem !== undefined) {
    return { differences: [manifestDifference(hour, record.problem)], unsealed: [] };
  }
  const unsealed = unnamedIn(manifest, stored);
  const unnamed = unnamedDifferences(unsealed, { manifest, now });
  if (manifest === undefined) return { differences: unnamed, unsealed };
  const listed = compareListing(hour, manifest, stored);
  const differing = new Set(listed.map(({ key }) => key));
  const alike = namedIn(manifest).filter(({ key }) => !differing.has(key));
  return { differences: [...listed, ...(await contents.compare(hour, alike)), ...unnamed], unsealed };
}
