import { command } from '../command-line.ts';
import type { Destination, StoredObject } from '../destination/destination.ts';
import type { JobError } from '../errors.ts';
import { printableName } from '../format.ts';
import type { Hour } from '../hours.ts';
import { hourOfKey, readKey } from '../landing/keys.ts';
import { nothingLanded } from '../landing/listing.ts';
import { keysIn, MANIFESTS, type Manifest, makeManifest, manifestKey } from '../landing/manifest.ts';
import { compareObject, type Mismatch, namedIn } from '../landing/stored.ts';

/** A point where the destination and its manifests disagree. */
export interface Difference {
  readonly kind: Mismatch['kind'] | 'counts' | 'unsealed' | 'manifest' | 'nothing';
  /** Undefined outside the folders of hours. */
  readonly hour: Hour | undefined;
  readonly key: string;
  readonly message: string;
  /** The next step, where landing the hour again does not help. */
  readonly hint?: string | undefined;
}

/** Compares a manifest with itself and with the listing of its hour's folders. */
export function compareListing(hour: Hour, manifest: Manifest, stored: readonly StoredObject[]): Difference[] {
  const sizes = new Map(stored.map((object) => [object.key, object]));
  const objects = namedIn(manifest).flatMap((named) => {
    const mismatch = compareObject(named, sizes.get(named.key));
    return mismatch === undefined ? [] : { hour, key: named.key, ...mismatch };
  });
  return [...compareSums(hour, manifest), ...objects];
}

function compareSums(hour: Hour, manifest: Manifest): Difference[] {
  const key = manifestKey(hour);
  const right = makeManifest({ ...manifest, hour }, manifest);
  return (['events', 'bytes', 'quarantined', 'status'] as const)
    .filter((field) => manifest[field] !== right[field])
    .map((field) => {
      const message = `${key} says ${field}: ${manifest[field]}; its list of objects says ${right[field]}.`;
      return { kind: 'counts', hour, key, message };
    });
}

/** The objects in an hour's folders that its manifest does not name. */
export function unnamedIn(manifest: Manifest | undefined, stored: readonly StoredObject[]): StoredObject[] {
  const named = new Set(manifest === undefined ? [] : keysIn(manifest));
  return stored.filter(({ key }) => !named.has(key));
}

/** A run writes objects before it seals their hour, so a younger object may still get its manifest. */
const LANDING_MS = 3_600_000;

/** Of objects that no manifest names, those that no run may seal any more. `manifest` is that of their hour. */
export function unnamedDifferences(
  unnamed: readonly StoredObject[],
  { manifest, now }: { readonly manifest: Manifest | undefined; readonly now: Date },
): Difference[] {
  return unnamed.flatMap(({ key, modifiedAt }) => {
    const hour = hourOfKey(key);
    const name = readKey(key);
    if (name === undefined) {
      const message = `${printableName(key)} was not written by this program. Whatever reads this folder reads it too.`;
      return { kind: 'unsealed', hour, key, message, hint: 'Look at it, then move it out of this prefix.' };
    }
    const isOld = now.getTime() - modifiedAt.getTime() > LANDING_MS;
    const isPast = manifest !== undefined && name.generation <= manifest.generation;
    if (!isOld && !isPast) return [];
    const message = `No manifest names ${key}: a run did not finish, or could not delete it.`;
    const hint = `\`${command('verify --sweep')}\` deletes it once it is a day old.`;
    return { kind: 'unsealed', hour, key, message, hint };
  });
}

/** A repair replaces an unreadable manifest. It must not replace that of a newer program or of another project. */
export function manifestDifference(hour: Hour, { message, hint, code }: JobError): Difference {
  const key = manifestKey(hour);
  return { kind: 'manifest', hour, key, message, hint: code === 'MANIFEST_UNREADABLE' ? undefined : hint };
}

export function nothingDifference(destination: Destination): Difference {
  const message = nothingLanded(destination);
  const hint = 'Check DESTINATION, S3_BUCKET and S3_PREFIX.';
  return { kind: 'nothing', hour: undefined, key: MANIFESTS, message, hint };
}

/** The hours that a repair mends by landing them again. */
export function repairable(differences: readonly Difference[]): Set<Hour> {
  const hours = new Set<Hour>();
  for (const { hour, hint } of differences) if (hour !== undefined && hint === undefined) hours.add(hour);
  for (const { hour, hint, kind } of differences) {
    if (hour !== undefined && hint !== undefined && kind === 'manifest') hours.delete(hour);
  }
  return hours;
}
