import type { Destination } from '../destination/destination.ts';
import { type Hour, wholeSeconds } from '../hours.ts';
import { TOOL } from '../version.ts';
import { unprovedKey } from './keys.ts';
import { type AdoptedSource, isUnproved, type Manifest, manifestKey, writeManifest } from './manifest.ts';

/** A manifest as it was read, with its version for the swap. */
export interface Read {
  readonly manifest: Manifest;
  readonly version: string;
}

/**
 * Seals an adopted hour again as it is: `source` is what is known of it by now. Resolves to the new manifest, or to
 * undefined where another run was quicker.
 */
export async function reseal(
  hour: Hour,
  { manifest: old, version }: Read,
  source: AdoptedSource,
  { destination, now }: { readonly destination: Destination; readonly now: () => Date },
): Promise<Manifest | undefined> {
  const next = { ...old, generation: old.generation + 1, source, sealedAt: wholeSeconds(now()), tool: TOOL };
  if ((await destination.swap(manifestKey(hour), writeManifest(next), version)) === 'lost') return undefined;
  if (isUnproved(old) && !isUnproved(next)) await destination.delete([unprovedKey(hour)]);
  return next;
}
