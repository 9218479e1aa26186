import { type Hour, isUnsettled, readyEnd } from '../hours.ts';
import { isUnproved, type Manifest } from '../landing/manifest.ts';
import type { Stored } from './stored.ts';

export type HourState =
  | 'complete'
  | 'empty'
  | 'missing'
  | 'pending'
  | 'unsettled'
  | 'unproved'
  | 'shrunk'
  | 'unreadable';

/** For people; in this order. */
export const MEANING: Readonly<Record<HourState, string>> = {
  complete: 'landed and settled',
  empty: 'Amplitude had no data',
  missing: 'not landed, see below',
  pending: 'not ready at Amplitude yet',
  unsettled: 'sealed early; export asks once more',
  unproved: 'adopted, and nothing proves it whole, see below',
  shrunk: 'Amplitude held less when asked again; the larger landing stays',
  unreadable: 'the manifest proves nothing, see below',
};

export const STATES = Object.keys(MEANING) as HourState[];

export interface Known {
  readonly now: Date;
  readonly settleHours: number;
  /** The manifest's own time. */
  readonly sealedAt: Date | undefined;
  readonly stored: Stored | undefined;
  /** Undefined where it was not read. */
  readonly manifest: Manifest | undefined;
  /** Whether the hour has a mark that nothing proves it to be whole; its manifest says more. */
  readonly isMarked: boolean;
  readonly unreadable: boolean;
}

/** Without its manifest an hour is judged by listings: they do not show `shrunk`, and an hour without objects is empty. */
export function stateOf(hour: Hour, known: Known): HourState {
  const { now, settleHours, sealedAt, stored, manifest, isMarked, unreadable } = known;
  if (sealedAt === undefined) return hour >= readyEnd(now) ? 'pending' : 'missing';
  if (unreadable) return 'unreadable';
  if (manifest?.shrunk !== undefined) return 'shrunk';
  if (manifest === undefined ? isMarked : isUnproved(manifest)) return 'unproved';
  if (isUnsettled(hour, { sealed: sealedAt, now, settleHours })) return 'unsettled';
  if (manifest !== undefined) return manifest.status;
  return stored !== undefined && stored.objects + stored.quarantine > 0 ? 'complete' : 'empty';
}
