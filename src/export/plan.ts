import { givenTimes } from '../config/range.ts';
import type { Settings } from '../config/settings.ts';
import {
  formatHour,
  type Hour,
  hoursOf,
  isDatedLater,
  isUnsettled,
  joinHours,
  readyEnd,
  settledFrom,
  type Window,
  windowOf,
  yesterday,
} from '../hours.ts';

/** The flags of `export`. Each beats the variable of the same meaning. */
export interface ExportFlags {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly yesterday?: boolean | undefined;
  readonly lookbackDays?: number | undefined;
  /** `empty`: an answer without events may replace those that have landed. */
  readonly force?: boolean | 'empty' | undefined;
  readonly strict?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Why a run requests an hour. */
export type Reason = 'gap' | 'unsettled' | 'unproved' | 'forced' | 'differs';

export interface Plan {
  readonly range: Window;
  readonly hours: ReadonlyMap<Hour, Reason>;
  /** Disjoint, ascending; together exactly the hours of `hours`. */
  readonly windows: readonly Window[];
  readonly pending: readonly Hour[];
  /** Hours of the range that are sealed and need no request. */
  readonly skipped: number;
}

/**
 * The range of a run: as given, else the last ready hour back over the lookback. Throws a UsageError for times that
 * cannot be read, an end that is not after the start, and flags that contradict each other.
 */
export function rangeOf(flags: ExportFlags, settings: Settings['range'], now: Date): Window {
  const { start, end, lookbackDays } = givenTimes(flags, settings);
  if (flags.yesterday === true) return yesterday(now, settings.timezone);
  const ready = readyEnd(now);
  if (start !== undefined) return end === undefined ? { start, end: Math.max(ready, start) } : windowOf(start, end);
  const last = end ?? ready;
  return { start: Math.min(last, ready) - lookbackDays * 24, end: last };
}

/**
 * Takes every gap of the range, every hour that was adopted without proof, and every hour that was sealed before it could
 * settle and is old enough by now. `force` takes every ready hour. `sealedAt` has the time of each manifest, which is the
 * time of sealing.
 */
export function planHours(input: {
  readonly range: Window;
  readonly now: Date;
  readonly sealedAt: ReadonlyMap<Hour, Date>;
  readonly unproved: ReadonlySet<Hour>;
  readonly settleHours: number;
  readonly requestHours: number;
  readonly force: boolean;
}): Plan {
  const { range, now, sealedAt, unproved, settleHours, requestHours, force } = input;
  const ready = readyEnd(now);
  const hours = new Map<Hour, Reason>();
  for (const hour of hoursOf({ start: range.start, end: Math.min(range.end, ready) })) {
    const sealed = sealedAt.get(hour);
    if (sealed === undefined) hours.set(hour, 'gap');
    else if (force) hours.set(hour, 'forced');
    else if (unproved.has(hour)) hours.set(hour, 'unproved');
    else if (isUnsettled(hour, { sealed, now, settleHours })) {
      const isOldEnough = settledFrom(hour, settleHours) <= now;
      if (isOldEnough || isDatedLater(sealed, now)) hours.set(hour, 'unsettled');
    }
  }
  const pending = hoursOf({ start: Math.max(range.start, ready), end: range.end });
  const skipped = range.end - range.start - hours.size - pending.length;
  return { range, hours, windows: joinHours([...hours.keys()], requestHours), pending, skipped };
}

/** Exactly these hours, whatever their manifests say: their stored objects differ from them. */
export function planRepair(differing: Iterable<Hour>, requestHours: number): Plan {
  const hours = [...differing].sort((a, b) => a - b);
  return {
    range: { start: hours[0] ?? 0, end: (hours.at(-1) ?? -1) + 1 },
    hours: new Map(hours.map((hour) => [hour, 'differs'])),
    windows: joinHours(hours, requestHours),
    pending: [],
    skipped: 0,
  };
}

/** The requests of a plan, for people and for `--dry-run --json`. Times as in manifests, end-exclusive. */
export function plannedRequests({ windows, hours }: Plan) {
  return windows.map((window) => {
    const each = hoursOf(window).map((hour) => ({ hour: formatHour(hour), reason: hours.get(hour) as Reason }));
    const reasons = new Set(each.map(({ reason }) => reason));
    return {
      start: formatHour(window.start),
      end: formatHour(window.end),
      reason: [...reasons].join(', '),
      hours: each,
    };
  });
}
