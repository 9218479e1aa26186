import { type Hour, isUnsettled, readyEnd } from '../hours.ts';
import type { Manifest } from '../landing/manifest.ts';
import type { Stored } from './stored.ts';

export type HourState = 'complete' | 'empty' | 'missing' | 'pending' | 'unsettled' | 'shrunk' | 'unreadable';

export const MEANING: Readonly<Record<HourState, string>> = {
  complete: 'landed and settled',
  empty: 'Amplitude had no data',
  missing: 'not landed, a gap',
  pending: 'not ready at Amplitude yet',
  unsettled: 'landed early; export asks once more',
  shrunk: 'Amplitude held less when asked again; the larger landing stays',
  unreadable: 'its manifest proves nothing',
};

export const STATES = Object.keys(MEANING) as HourState[];

export interface Known {
  readonly now: Date;
  readonly settleHours: number;
  /** The manifest's own time. */
  readonly sealedAt: Date | undefined;
  readonly stored: Stored | undefined;
  /** Undefined where manifests are not read; false where this one cannot be. */
  readonly manifest: Manifest | false | undefined;
}

/**
 * The state of an hour. Without its manifest it is told by listings alone, which know nothing of `shrunk`, and take an hour
 * without objects for empty.
 */
export function stateOf(hour: Hour, { now, settleHours, sealedAt, stored, manifest }: Known): HourState {
  if (sealedAt === undefined) return hour >= readyEnd(now) ? 'pending' : 'missing';
  if (manifest === false) return 'unreadable';
  if (manifest?.shrunk !== undefined) return 'shrunk';
  if (isUnsettled(hour, { sealed: sealedAt, now, settleHours })) return 'unsettled';
  if (manifest !== undefined) return manifest.status;
  return stored !== undefined && stored.objects + stored.quarantine > 0 ? 'complete' : 'empty';
}
