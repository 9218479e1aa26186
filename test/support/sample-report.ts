import { formatHour, type Hour, hourOf, hoursOf, readHour, readyEnd, startOf } from '../../src/hours.ts';
import { type StatusReport, statusReport } from '../../src/status/report.ts';
import type { HourState } from '../../src/status/state.ts';
import type { HourStatus, Status } from '../../src/status/status.ts';

export interface Sample {
  readonly now?: string;
  readonly days?: number;
  readonly destination?: string;
  readonly project?: string;
  readonly withEvents?: boolean;
  readonly warnings?: readonly string[];
  /** What the manifest of an unreadable hour is told to have. */
  readonly message?: string;
  /** Hours of a state other than the usual one: complete, pending where they are not ready, unsettled in the last day. */
  readonly states?: Readonly<Record<string, HourState>> | ((hour: Hour) => HourState | undefined);
}

/** A report as `status` would write it, of days that end with the hour of `now`. */
export function sampleReport(sample: Sample = {}): StatusReport {
  const { days = 30, withEvents = true, states = {} } = sample;
  const now = new Date(sample.now ?? '2026-11-22T09:00:12Z');
  const end = hourOf(now) + 1;
  const range = { start: end - days * 24, end };
  const given =
    typeof states === 'function'
      ? states
      : (hour: Hour) => Object.entries(states).find(([name]) => readHour(name) === hour)?.[1];
  const stateOf = (hour: Hour) => {
    const usual = hour >= end - 26 ? 'unsettled' : 'complete';
    return given(hour) ?? (hour >= readyEnd(now) ? 'pending' : usual);
  };
  const hours = hoursOf(range).map((hour): HourStatus => {
    const state = stateOf(hour);
    const landed = state !== 'missing' && state !== 'pending';
    const events = landed && state !== 'empty' ? eventsOf(hour) : 0;
    const known = withEvents && landed && state !== 'unreadable';
    const sealedAt = new Date(startOf(hour + (state === 'unsettled' ? 3 : 27)).getTime() + 609_000);
    return {
      hour: formatHour(hour),
      state,
      objects: events === 0 ? 0 : 2,
      bytes: events * 1829,
      events: known ? events : null,
      sealedAt: landed ? sealedAt.toISOString() : null,
      ...(known && hour % 97 === 0 ? { quarantined: 3 } : {}),
      ...(state === 'shrunk'
        ? { shrunk: { events: Math.floor(events / 2), at: startOf(hour + 30).toISOString() } }
        : {}),
    };
  });
  const unreadable = hours.filter(({ state }) => state === 'unreadable');
  const { message = 'The manifest is not JSON.' } = sample;
  const status: Status = {
    destination: sample.destination ?? 's3://acme-events/amplitude',
    now: now.toISOString(),
    range: { start: formatHour(range.start), end: formatHour(range.end) },
    project: sample.project ?? '100011471',
    hours,
    problems: unreadable.map(({ hour }) => ({ hour, code: 'MANIFEST_UNREADABLE', message, hint: 'Look at it.' })),
    warnings: sample.warnings ?? [],
    requests: { listings: days, reads: withEvents ? days * 24 : 0, looks: 0 },
    withEvents,
  };
  return statusReport(status, { failOnGapsOlderThan: undefined, seconds: 1.234 });
}

/** People work by day and rest at the weekend; the same hour has the same events in every run. */
function eventsOf(hour: Hour): number {
  const at = startOf(hour);
  const byDay = 1 + Math.sin(((at.getUTCHours() - 7) / 24) * 2 * Math.PI) * 0.85;
  const byWeek = [0, 6].includes(at.getUTCDay()) ? 0.45 : 1;
  const noise = 0.9 + ((hour * 7919) % 100) / 500;
  return Math.max(1, Math.round(12_000 * byDay * byWeek * noise));
}

/** A month in which every state is there. */
export const MIXED: Sample = {
  warnings: ['The clock of this machine may be wrong.'],
  states: (hour) => {
    const [day, h] = [startOf(hour).toISOString().slice(0, 10), startOf(hour).getUTCHours()];
    if (day === '2026-11-20' && h >= 3 && h <= 8) return 'missing';
    if (day === '2026-11-16' && h >= 20) return 'missing';
    if (day === '2026-11-17' && h < 5) return 'missing';
    if (day === '2026-11-11' && h === 13) return 'missing';
    if (day === '2026-11-12' && [2, 15].includes(h)) return 'shrunk';
    if (day === '2026-11-13' && [4, 5].includes(h)) return 'unproved';
    if (day === '2026-11-09' && (h === 4 || h === 5)) return 'unreadable';
    if (['2026-10-31', '2026-11-01'].includes(day) && h < 6) return 'empty';
    return undefined;
  },
};
