import type { StoredObject } from '../destination.ts';
import type { JobError } from '../errors.ts';
import { formatHour, type Hour } from '../hours.ts';
import { crcHex, type Manifest, manifestKey } from '../manifest.ts';

/** Where what is stored and its manifest disagree. */
export interface Difference {
  readonly kind: 'missing' | 'size' | 'checksum' | 'content' | 'events' | 'counts' | 'unsealed' | 'manifest';
  /** Undefined for an object outside of the hours' folders. */
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

/** A manifest against the listing of its hour's folders. */
export function compareListing(hour: Hour, manifest: Manifest, stored: readonly StoredObject[]): Difference[] {
  const there = new Map(stored.map((object) => [object.key, object]));
  const named = namedIn(manifest);
  const differences = compareCounts(hour, manifest);
  for (const { key, bytes } of named) {
    const object = there.get(key);
    there.delete(key);
    if (object === undefined) {
      differences.push({ kind: 'missing', hour, key, message: `${key} is not there, though its hour is sealed.` });
    } else if (object.bytes !== bytes) {
      const message = `${key} has ${object.bytes} bytes; ${bytes} have landed.`;
      differences.push({ kind: 'size', hour, key, message });
    }
  }
  for (const key of there.keys()) {
    const message = `${key} is not named by the manifest of its hour: who reads the folder counts it too.`;
    differences.push({ kind: 'unsealed', hour, key, message });
  }
  return differences;
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
        message: `${key} says ${what}: ${said}, its objects have ${counted}.`,
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
  // A landing writes an unreadable one anew; it must not touch what a newer program or another project has there.
  const lands = code === 'MANIFEST_UNREADABLE' && !/newer/.test(message);
  return { kind: 'manifest', hour, key: manifestKey(hour), message, ...(lands ? {} : { hint }) };
}

/** An object in a folder of no sealed hour. */
export function unsealedDifference(hour: Hour | undefined, { key }: StoredObject): Difference {
  if (hour === undefined) {
    const message = `${key} is in no hour's folder: this program did not write it.`;
    return { kind: 'unsealed', hour, key, message, hint: 'Look at it, and move it out of this prefix.' };
  }
  const message = `${key} belongs to ${formatHour(hour)}, which is not sealed: its landing was not finished.`;
  return { kind: 'unsealed', hour, key, message };
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
