import { DateTime, IANAZone } from 'luxon';
import { UsageError } from './errors.ts';

/** One UTC clock hour of `server_upload_time`, as whole hours since 1970-01-01T00Z. */
export type Hour = number;

/** A half-open run of hours: `end` is exclusive. */
export interface Window {
  readonly start: Hour;
  readonly end: Hour;
}

const MS = 3_600_000;

/** Amplitude serves an hour whole 2 hours after its end: "8 to 9 PM is available at 11 PM" (Export API documentation). */
const AVAILABILITY_DELAY_HOURS = 2;

/** The API takes at most 365 days in one request (Export API documentation). */
export const LONGEST_REQUEST_HOURS = 365 * 24;

export function hourOf(instant: Date): Hour {
  return Math.floor(instant.getTime() / MS);
}

export function startOf(hour: Hour): Date {
  return new Date(hour * MS);
}

/** `2026-11-20T05:07:09Z` */
export function wholeSeconds(instant: Date): string {
  return `${instant.toISOString().slice(0, 19)}Z`;
}

/** `2026-11-20T05` */
export function formatHour(hour: Hour): string {
  return startOf(hour).toISOString().slice(0, 13);
}

/** Reads what formatHour writes. Throws a RangeError on anything else. */
export function readHour(text: string): Hour {
  const hour = Date.parse(`${text}:00:00Z`) / MS;
  if (!Number.isInteger(hour) || formatHour(hour) !== text) throw new RangeError(`not an hour: ${text}`);
  return hour;
}

/** `2026-11-20T05 to 2026-11-20T08 (3 hours)`; a single hour by its name alone. */
export function formatWindow({ start, end }: Window): string {
  const hours = end - start;
  return hours === 1 ? formatHour(start) : `${formatHour(start)} to ${formatHour(end)} (${hours} hours)`;
}

/** `2026-11-20T05, 2026-11-20T08 to 2026-11-20T11 (3 hours)`; at most a dozen windows. */
export function joinedHours(hours: readonly string[]): string {
  const windows = joinHours(hours.map(readHour).sort((a, b) => a - b));
  const shown = windows.slice(0, 12).map(formatWindow).join(', ');
  return windows.length > 12 ? `${shown} and ${windows.length - 12} more` : shown;
}

/** `{ start: '20261120T00', end: '20261120T23' }`: on the wire, `end` is inclusive. */
export function onTheWire({ start, end }: Window): { start: string; end: string } {
  const wire = (hour: Hour) => formatHour(hour).replaceAll('-', '');
  return { start: wire(start), end: wire(end - 1) };
}

/** `date=2026-11-20/hour=05`, the part of every key that names the hour. */
export function hourFolder(hour: Hour): string {
  return `date=${formatHour(hour).replace('T', '/hour=')}`;
}

/** The first hour that is not ready: H is ready from H+3h on, two hours after its own end. */
export function readyEnd(now: Date): Hour {
  return hourOf(now) - AVAILABILITY_DELAY_HOURS;
}

/** A seal from this instant on makes the hour settled. */
export function settledFrom(hour: Hour, settleHours: number): Date {
  return startOf(hour + 1 + settleHours);
}

/** Clocks that are set by NTP differ less. */
export const CLOCKS_APART_MS = 5 * 60_000;

/** Whether a seal is dated in the future: a clock was wrong, so the date proves nothing. */
export function isDatedLater(sealed: Date, now: Date): boolean {
  return sealed.getTime() - now.getTime() > CLOCKS_APART_MS;
}

/** Whether an hour was sealed before it settled, or by a clock that was ahead. An export asks for it once more. */
export function isUnsettled(
  hour: Hour,
  { sealed, now, settleHours }: { readonly sealed: Date; readonly now: Date; readonly settleHours: number },
): boolean {
  return isDatedLater(sealed, now) || (settleHours > 0 && sealed < settledFrom(hour, settleHours));
}

export function hoursOf({ start, end }: Window): Hour[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
}

/** Joins adjacent hours into windows of at most `most` hours. `hours` ascend without repeats. */
export function joinHours(hours: readonly Hour[], most = Number.POSITIVE_INFINITY): Window[] {
  const windows: { start: Hour; end: Hour }[] = [];
  for (const hour of hours) {
    const last = windows.at(-1);
    if (last?.end === hour && hour - last.start < most) last.end = hour + 1;
    else windows.push({ start: hour, end: hour + 1 });
  }
  return windows;
}

/** Two windows that together cover exactly `window`, which is longer than one hour. */
export function halve({ start, end }: Window): [Window, Window] {
  if (end - start < 2) throw new RangeError('a single hour cannot be halved');
  const middle = start + Math.ceil((end - start) / 2);
  return [
    { start, end: middle },
    { start: middle, end },
  ];
}

/** The hour with the same time of the day in `zone`, whole weeks earlier. Its clocks may have changed in between. */
export function weeksBefore(hour: Hour, weeks: number, zone: string): Hour {
  if (zone === 'UTC') return hour - weeks * 7 * 24;
  return (
    DateTime.fromMillis(hour * MS, { zone })
      .minus({ weeks })
      .toMillis() / MS
  );
}

export function isZone(zone: string): boolean {
  return IANAZone.isValidZone(zone);
}

/** Whether the days of a time zone begin on whole UTC hours, all year round. */
export function zoneHasWholeHours(zone: string): boolean {
  const iana = IANAZone.create(zone);
  const year = new Date().getUTCFullYear();
  return iana.isValid && [0, 3, 6, 9].every((month) => iana.offset(Date.UTC(year, month, 1)) % 60 === 0);
}

const FORMS =
  'Write 2026-11-20T05 (a UTC hour), 2026-11-20 (a day) or 2026-11-20T05:00:00Z (a full hour with its zone).';

/**
 * Reads a time, which must be the start of an hour. `2026-11-20T05` and `20261120T05` are UTC hours. A bare date is
 * midnight in `zone`. An instant needs a zone of its own. Throws a UsageError that names `what`, a flag or variable.
 */
export function readTime(text: string, zone: string, what: string): Hour {
  const refuse = (why: string) => new UsageError(`${what} is "${text}": ${why}.`, FORMS);
  if (/^(\d{4}-\d{2}-\d{2}|\d{8})T\d{2}$/.test(text)) {
    const hour = DateTime.fromISO(`${text}Z`);
    if (!hour.isValid || text.endsWith('24')) throw refuse('there is no such hour');
    return hour.toMillis() / MS;
  }
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const day = DateTime.fromISO(text, { zone });
    if (!day.isValid) throw refuse('there is no such day');
    const midnight = startOfDay(day).toMillis() / MS;
    if (!Number.isInteger(midnight)) throw refuse(`midnight in ${zone} is not on a full UTC hour`);
    return midnight;
  }
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:?\d{2}(:?\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)$/.test(text)) {
    throw refuse('it is not a time that the program knows');
  }
  const instant = DateTime.fromISO(text);
  if (!instant.isValid) throw refuse('there is no such instant');
  if (instant.toMillis() % MS !== 0) throw refuse('it is not on a full UTC hour');
  return instant.toMillis() / MS;
}

/** The window itself. Throws a UsageError if it holds no hour. `names` are the flags or variables of the two times. */
export function windowOf(start: Hour, end: Hour, names?: Readonly<Record<'start' | 'end', string>>): Window {
  if (end > start) return { start, end };
  const [first, last] = names === undefined ? ['', ''] : [` (${names.start})`, ` (${names.end})`];
  throw new UsageError(
    `The end ${formatHour(end)}${last} is not after the start ${formatHour(start)}${first}.`,
    'The end is exclusive: --start 2026-11-20 --end 2026-11-21 is one day.',
  );
}

/** The day before the one that `now` falls into, from its first hour to the next day's in `zone`. */
export function yesterday(now: Date, zone: string): Window {
  const today = startOfDay(DateTime.fromJSDate(now, { zone }));
  const lastOfYesterday = today.minus({ milliseconds: 1 });
  return { start: startOfDay(lastOfYesterday).toMillis() / MS, end: today.toMillis() / MS };
}

/** The first hour of a day. If clocks change at midnight, a day may have no 00:00, or two of them. */
function startOfDay(instant: DateTime): DateTime {
  const start = instant.startOf('day');
  const earlier = start.minus({ hours: 1 });
  return earlier.toISODate() === start.toISODate() ? startOfDay(earlier) : start;
}

/** Which hours failed by which code, a line each. The log has said the whole of it. */
export function failedLines(failed: readonly { readonly hour: string; readonly code: string }[]): string[] {
  const byCode = Map.groupBy(failed, ({ code }) => code);
  return [...byCode].map(([code, those]) => `    ${code}: ${joinedHours(those.map(({ hour }) => hour))}`);
}
