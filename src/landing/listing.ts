import type { Destination } from '../destination/destination.ts';
import { type Hour, hourFolder, type Window } from '../hours.ts';
import { hourOfUnprovedKey, UNPROVED } from './keys.ts';
import { hourOfManifestKey, MANIFESTS } from './manifest.ts';

/** The time of each manifest in the range, by listing alone. */
export async function sealedIn(range: Window, destination: Destination): Promise<Map<Hour, Date>> {
  const sealedAt = new Map<Hour, Date>();
  const bounds = { after: MANIFESTS + hourFolder(range.start), before: MANIFESTS + hourFolder(range.end) };
  for await (const { key, modifiedAt } of destination.list(MANIFESTS, bounds)) {
    const hour = hourOfManifestKey(key);
    if (hour !== undefined) sealedAt.set(hour, modifiedAt);
  }
  return sealedAt;
}

/** The hours in the range that nothing proves to be whole, by their marks. An export asks for them. */
export async function unprovedIn(range: Window, destination: Destination): Promise<Set<Hour>> {
  const hours = new Set<Hour>();
  const bounds = { after: UNPROVED + hourFolder(range.start - 1), before: UNPROVED + hourFolder(range.end) };
  for await (const { key } of destination.list(UNPROVED, bounds)) {
    const hour = hourOfUnprovedKey(key);
    if (hour !== undefined) hours.add(hour);
  }
  return hours;
}

/** The first hour that has a manifest, whatever the range. */
export async function firstLanded(destination: Destination): Promise<Hour | undefined> {
  for await (const { key } of destination.list(MANIFESTS)) {
    const hour = hourOfManifestKey(key);
    if (hour !== undefined) return hour;
  }
  return undefined;
}

/** The warning where no hour has landed. */
export function nothingLanded(destination: Destination): string {
  return `Nothing has landed in ${destination.name}. Is this the right destination?`;
}
