import { readHour } from '../../hours.ts';
import type { StatusReport } from '../report.ts';
import { STATES } from '../state.ts';
import type { HourRow, PageData } from './browser/data.ts';

/** What the page's script draws from. Numbers only, and short: it is there 8,760 times for a year. */
export function pageData(report: StatusReport): PageData {
  const { hours, totals } = report;
  const metric = totals.events === null ? 'bytes' : 'events';
  return {
    metric,
    states: STATES,
    start: hours[0] === undefined ? 0 : readHour(hours[0].hour),
    top: usualMost(hours.map((hour) => hour[metric] ?? 0)),
    hours: hours.map(({ state, events, objects, bytes, sealedAt, shrunk, quarantined }): HourRow => {
      const row = [STATES.indexOf(state), events, objects, bytes, seconds(sealedAt)] as const;
      if (shrunk === undefined && quarantined === undefined) return row;
      return [...row, quarantined ?? 0, shrunk === undefined ? null : shrunk.events];
    }),
  };
}

function seconds(instant: string | null): number | null {
  return instant === null ? null : Math.floor(Date.parse(instant) / 1000);
}

/** What 19 of 20 hours with events do not exceed: one huge hour must not make all others look alike. */
function usualMost(values: readonly number[]): number {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0;
}
