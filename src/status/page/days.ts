import type { ReportedHour, StatusReport } from '../report.ts';
import type { HourState } from '../state.ts';

/** A calendar day in UTC, the row of the heat map. The first and the last one may be cut by the range. */
export interface Day {
  readonly date: string;
  readonly hours: readonly ReportedHour[];
  /** Hours whose manifest proves it, as far as manifests were read. */
  readonly landed: number;
  readonly objects: number;
  readonly bytes: number;
  /** Null where no manifest of the day was read. */
  readonly events: number | null;
}

/** Hours `from` to `to` of the report, the end left out. */
export interface Month {
  readonly month: string;
  readonly from: number;
  readonly to: number;
}

/** The oldest first. */
export function daysOf({ hours }: StatusReport): Day[] {
  const days = Map.groupBy(hours, ({ hour }) => hour.slice(0, 10));
  return [...days].map(([date, of]) => {
    const known = of.filter(({ events }) => events !== null);
    const sum = (pick: (hour: ReportedHour) => number) => of.reduce((total, hour) => total + pick(hour), 0);
    return {
      date,
      hours: of,
      landed: of.filter(({ state, sealedAt }) => sealedAt !== null && state !== 'unreadable').length,
      objects: sum(({ objects }) => objects),
      bytes: sum(({ bytes }) => bytes),
      events: known.length === 0 ? null : sum(({ events }) => events ?? 0),
    };
  });
}

/** The oldest first. A heat map for each: one for a whole year would be a canvas larger than a phone can hold. */
export function monthsOf({ hours }: StatusReport): Month[] {
  const months: Month[] = [];
  for (const [at, { hour }] of hours.entries()) {
    const month = hour.slice(0, 7);
    if (months.at(-1)?.month === month) months.push({ month, from: months.pop()?.from ?? at, to: at + 1 });
    else months.push({ month, from: at, to: at + 1 });
  }
  return months;
}

/** `missing 03 to 06, 09; pending 22, 23`: the hours of a day that are not complete. */
export function incompleteHours({ hours }: Day): string {
  const runs = new Map<HourState, { first: number; last: number }[]>();
  for (const { hour, state } of hours) {
    if (state === 'complete') continue;
    const at = Number(hour.slice(11));
    const of = runs.get(state) ?? [];
    const last = of.at(-1);
    if (last?.last === at - 1) last.last = at;
    else of.push({ first: at, last: at });
    runs.set(state, of);
  }
  const name = (at: number) => String(at).padStart(2, '0');
  const text = ({ first, last }: { first: number; last: number }) =>
    first === last ? name(first) : `${name(first)} to ${name(last)}`;
  return [...runs].map(([state, of]) => `${state} ${of.map(text).join(', ')}`).join('; ');
}
