import { command } from '../command-line.ts';
import type { Destination, StoredObject } from '../destination/destination.ts';
import type { JobError } from '../errors.ts';
import { agreeing, count, printableName } from '../format.ts';
import type { Hour } from '../hours.ts';
import { hourOfKey, readKey } from '../landing/keys.ts';
import { nothingLanded } from '../landing/listing.ts';
import { crcHex, keysIn, MANIFESTS, type Manifest, manifestKey } from '../landing/manifest.ts';

/** Where what is stored and its manifest disagree. */
export interface Difference {
  readonly kind:
    | 'missing'
    | 'size'
    | 'checksum'
    | 'content'
    | 'events'
    | 'counts'
    | 'unsealed'
    | 'manifest'
    | 'nothing';
  /** Undefined for what is outside of the hours' folders. */
  readonly hour: Hour | undefined;
  readonly key: string;
  /** A whole sentence. */
  readonly message: string;
  /** Where landing the hour again does not help. */
  readonly hint?: string | undefined;
}

/** An object as its manifest has it, whichever folder it is in. `lines` are events or, in quarantine/, bad lines. */
export interface Named {
  readonly key: string;
  readonly bytes: number;
  readonly crc32: string;
  readonly lines: number;
}

export function namedIn({ objects, quarantine }: Manifest): Named[] {
  return [...objects.map(({ events, ...rest }) => ({ ...rest, lines: events })), ...quarantine];
}

/** A manifest against the listing of its hour's folders, as far as it names what is there. */
export function compareListing(hour: Hour, manifest: Manifest, stored: readonly StoredObject[]): Difference[] {
  const there = new Map(stored.map((object) => [object.key, object]));
  const named = namedIn(manifest);
  const differences = compareCounts(hour, manifest);
  for (const { key, bytes } of named) {
    const object = there.get(key);
    if (object === undefined) {
      differences.push({ kind: 'missing', hour, key, message: `${key} is not there, though its hour is sealed.` });
    } else if (object.bytes !== bytes) {
      differences.push(sizeDifference(hour, { key, bytes }, object.bytes));
    }
  }
  return differences;
}

export function sizeDifference(hour: Hour, { key, bytes }: Pick<Named, 'key' | 'bytes'>, found: number): Difference {
  const message = `${key} has ${count(found, 'byte')}; ${count(bytes, 'byte')} ${agreeing(bytes, 'has', 'have')} landed.`;
  return { kind: 'size', hour, key, message };
}

/** What lies in an hour's folders and its manifest does not name. */
export function unnamedIn(manifest: Manifest | undefined, stored: readonly StoredObject[]): StoredObject[] {
  const named = new Set(manifest === undefined ? [] : keysIn(manifest));
  return stored.filter(({ key }) => !named.has(key));
}

/** The sums of a manifest against its own list, and its status against both. */
function compareCounts(hour: Hour, manifest: Manifest): Difference[] {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
  const facts = [
    ['events', manifest.events, sum(manifest.objects.map(({ events }) => events))],
    ['bytes', manifest.bytes, sum(manifest.objects.map(({ bytes }) => bytes))],
    ['quarantined', manifest.quarantined, sum(manifest.quarantine.map(({ lines }) => lines))],
  ] as const;
  const key = manifestKey(hour);
  const differences = facts
    .filter(([, said, counted]) => said !== counted)
    .map(
      ([what, said, counted]): Difference => ({
        kind: 'counts',
        hour,
        key,
        message: `${key} says ${what}: ${said}; of its objects it is ${counted}.`,
      }),
    );
  const isEmpty = manifest.objects.length + manifest.quarantine.length === 0;
  if (isEmpty !== (manifest.status === 'empty')) {
    const message = `${key} says ${manifest.status}, and names ${isEmpty ? 'no objects' : 'objects'}.`;
    differences.push({ kind: 'counts', hour, key, message });
  }
  return differences;
}

export function manifestDifference(hour: Hour, { message, hint, code }: JobError): Difference {
  // A landing writes an unreadable one anew. It must not touch what a newer program or another project has there.
  const lands = code === 'MANIFEST_UNREADABLE';
  return { kind: 'manifest', hour, key: manifestKey(hour), message, ...(lands ? {} : { hint }) };
}

export function nothingDifference(destination: Destination): Difference {
  const message = nothingLanded(destination);
  return {
    kind: 'nothing',
    hour: undefined,
    key: MANIFESTS,
    message,
    hint: 'Look at DESTINATION, S3_BUCKET and S3_PREFIX.',
  };
}

/** A landing that goes on writes objects before its manifest names them: only what has lain so long is left over. */
const LANDING_MS = 3_600_000;

/**
 * An object that no manifest names, once it is sure that none will: undefined while a landing may be under way. `manifest`
 * is that of the object's hour.
 */
export function unnamedDifference(
  { key, modifiedAt }: StoredObject,
  { manifest, now }: { readonly manifest: Manifest | undefined; readonly now: Date },
): Difference | undefined {
  const hour = hourOfKey(key);
  const name = readKey(key);
  if (name === undefined) {
    const message = `${printableName(key)} is no object of this program. Who reads the folder reads it too.`;
    return { kind: 'unsealed', hour, key, message, hint: 'Look at it, and move it out of this prefix.' };
  }
  const isOld = now.getTime() - modifiedAt.getTime() > LANDING_MS;
  const isPast = manifest !== undefined && name.generation <= manifest.generation;
  if (!isOld && !isPast) return undefined;
  const message = `${key} is named by no manifest: a landing was not finished, or its deletion failed.`;
  return {
    kind: 'unsealed',
    hour,
    key,
    message,
    hint: `\`${command('verify --sweep')}\` deletes it once it is a day old.`,
  };
}

export function checksumDifference(hour: Hour, named: Named, crc32: number): Difference | undefined {
  const found = crcHex(crc32);
  if (found === named.crc32) return undefined;
  const message = `${named.key} has CRC-32 ${found}; ${named.crc32} has landed.`;
  return { kind: 'checksum', hour, key: named.key, message };
}

/** Those that landing the hour again mends. */
export function repairable(differences: readonly Difference[]): Set<Hour> {
  const hours = new Set<Hour>();
  for (const { hour, hint } of differences) if (hour !== undefined && hint === undefined) hours.add(hour);
  for (const { hour, kind, hint } of differences) {
    if (hour !== undefined && kind === 'manifest' && hint !== undefined) hours.delete(hour);
  }
  return hours;
}
