import { type Hour, isUnsettled } from '../hours.ts';
import { type AdoptedSource, isUnproved, type Manifest } from '../landing/manifest.ts';

export type Proof = AdoptedSource['proof'];

export interface Evidence {
  readonly hour: Hour;
  /** Parts that are there, each once or more. */
  readonly parts: readonly number[];
  readonly isMarked: boolean;
  readonly hasStray: boolean;
  /** The manifest of the hour in the source, and its time. */
  readonly sealed: { readonly manifest: Manifest; readonly at: Date } | undefined;
}

/**
 * What shows that an hour is whole. Amplitude counts parts from 0, so where one is missing its mark proves nothing, nor
 * where a file of the hour cannot be adopted. A manifest proves an hour that had settled.
 */
export function proofOf(
  { hour, parts, isMarked, hasStray, sealed }: Evidence,
  { trust, settleHours, now }: { readonly trust: boolean; readonly settleHours: number; readonly now: Date },
): Proof {
  if (sealed !== undefined && !isUnproved(sealed.manifest)) {
    if (!isUnsettled(hour, { sealed: sealed.at, now, settleHours })) return 'manifest';
  }
  if (isMarked && !hasStray && missingPart(parts) === undefined) return 'mark';
  return trust ? 'trust' : 'none';
}

/** The first part that is not there although a later one is. */
export function missingPart(parts: readonly number[]): number | undefined {
  const there = new Set(parts);
  for (let part = 0; part < there.size; part++) if (!there.has(part)) return part;
  return undefined;
}

/** Ranges of hours, in order, that have at most `most` files each; an hour with more is a range of its own. */
export function spansOf(files: ReadonlyMap<Hour, number>, most: number): { start: Hour; end: Hour }[] {
  const spans: { start: Hour; end: Hour }[] = [];
  let filled = 0;
  for (const [hour, count] of [...files].sort(([a], [b]) => a - b)) {
    const last = spans.at(-1);
    if (last === undefined || filled + count > most) {
      spans.push({ start: hour, end: hour + 1 });
      filled = count;
    } else {
      last.end = hour + 1;
      filled += count;
    }
  }
  return spans;
}
