import { command } from '../command-line.ts';
import { UsageError } from '../errors.ts';
import { formatHour, type Hour, joinHours, startOf, type Window } from '../hours.ts';

export interface Gap {
  readonly start: string;
  readonly end: string;
  readonly hours: number;
  /** Fills it. */
  readonly command: string;
}

export function gapsOf(missing: readonly Hour[]): Gap[] {
  return joinHours(missing, Number.POSITIVE_INFINITY).map(gapOf);
}

/** What asks for the gaps between two hours, and for nothing there that is sealed and settled. */
export function fillCommand(start: string, end: string): string {
  return command(`export --start ${start} --end ${end}`);
}

/** Fills all of them; there is at least one. */
export function fillAll(gaps: readonly Gap[]): string {
  return fillCommand(gaps[0]?.start ?? '', gaps.at(-1)?.end ?? '');
}

function gapOf(window: Window): Gap {
  const [start, end] = [formatHour(window.start), formatHour(window.end)];
  return {
    start,
    end,
    hours: window.end - window.start,
    command: fillCommand(start, end),
  };
}

const HOURS = { h: 1, d: 24, w: 7 * 24 } as const;

/** The age in `--fail-on-gaps=AGE`, in hours: `36`, `36h`, `2d`, `1w`, or ISO 8601 of these (`PT36H`, `P2D`, `P1W`). */
export function readAge(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  const [, number = '', unit = ''] = /^(?:pt?)?(\d{1,5})([hdw])$/i.exec(text) ?? [];
  const iso = /^p/i.test(text) ? /^(?:pt\d+h|p\d+[dw])$/i.test(text) : true;
  if (number === '' || !iso) {
    throw new UsageError(
      `--fail-on-gaps=${text} is no age.`,
      'Write --fail-on-gaps for any gap, --fail-on-gaps=36h or --fail-on-gaps=2d for those that are older.',
    );
  }
  return Number(number) * HOURS[unit.toLowerCase() as keyof typeof HOURS];
}

/** Those of the hours that ended at least `ageHours` before `now`. */
export function olderThan(hours: readonly Hour[], ageHours: number, now: Date): Hour[] {
  return hours.filter((hour) => startOf(hour + 1 + ageHours) <= now);
}
