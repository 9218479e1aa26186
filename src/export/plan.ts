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
  readonly lookbackDays?: string | number | undefined;
  /** `empty`: also no events in place of those that have landed. */
  readonly force?: boolean | 'empty' | undefined;
  readonly strict?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Why an hour is asked for. */
export type Reason = 'gap' | 'unsettled' | 'forced' | 'differs';

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
 * Takes every gap of the range, and every hour sealed before it could settle that has the age by now; with `force`
 * every ready hour. `sealedAt` has the time of each manifest, which is the time of sealing.
 */
export function planHours(input: {
  readonly range: Window;
  readonly now: Date;
  readonly sealedAt: ReadonlyMap<Hour, Date>;
  readonly settleHours: number;
  readonly requestHours: number;
  readonly force: boolean;
}): Plan {
  const { range, now, sealedAt, settleHours, requestHours, force } = input;
  const ready = readyEnd(now);
  const hours = new Map<Hour, Reason>();
  const pending: Hour[] = [];
  let skipped = 0;
  for (const hour of hoursOf(range)) {
    const sealed = sealedAt.get(hour);
    if (hour >= ready) pending.push(hour);
    else if (sealed === undefined) hours.set(hour, 'gap');
    else if (force) hours.set(hour, 'forced');
    else if (isDatedLater(sealed, now)) hours.set(hour, 'unsettled');
    else if (isUnsettled(hour, { sealed, now, settleHours }) && settledFrom(hour, settleHours) <= now) {
      hours.set(hour, 'unsettled');
    } else skipped++;
  }
  return {
    range,
    hours,
    windows: joinHours([...hours.keys()], requestHours),
    pending,
    skipped,
  };
}

/** Exactly these hours, whatever their manifests say: what is stored was found to differ from them. */
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

/** One request of the plan, for people and for `--dry-run --json`; times as in manifests, the end left out. */
export interface PlannedRequest {
  readonly start: string;
  readonly end: string;
  readonly reason: string;
  readonly hours: readonly { readonly hour: string; readonly reason: Reason }[];
}

export function plannedRequests({ windows, hours }: Plan): PlannedRequest[] {
  return windows.map((window) => {
    const each = hoursOf(window).map((hour) => ({ hour: formatHour(hour), reason: hours.get(hour) as Reason }));
    return {
      start: formatHour(window.start),
      end: formatHour(window.end),
      reason: [...new Set(each.map(({ reason }) => reason))].join(', '),
      hours: each,
    };
  });
}
