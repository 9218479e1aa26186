import type { Requests } from '../destination/destination.ts';
import { EXIT } from '../errors.ts';
import { agreeing, count, number, requestCost, size } from '../format.ts';
import { formatHour, joinedHours } from '../hours.ts';
import { fillAll, fillCommand, type Gap, gapsOf, olderThan } from '../landing/gaps.ts';
import { type HourState, STATES } from './state.ts';
import type { HourStatus, Status } from './status.ts';

/** What `status --json` prints. Hours as `2026-11-20T05`, ends left out, times in UTC. */
export interface StatusReport {
  readonly command: 'status';
  readonly destination: string;
  readonly now: string;
  readonly range: { readonly start: string; readonly end: string };
  /** Null until an hour with events has been read. */
  readonly project: string | null;
  readonly totals: Readonly<Record<HourState, number>> & {
    readonly objects: number;
    readonly bytes: number;
    /** Null where manifests were not read. */
    readonly events: number | null;
    readonly quarantined: number | null;
  };
  readonly firstLanded: string | null;
  readonly lastLanded: string | null;
  readonly hours: readonly ReportedHour[];
  readonly gaps: readonly Gap[];
  /** Manifests that prove nothing. */
  readonly problems: readonly {
    readonly hour: string;
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  }[];
  readonly warnings: readonly string[];
  readonly requests: Requests;
  readonly seconds: number;
  readonly exitCode: number;
}

export interface ReportedHour {
  readonly hour: string;
  readonly state: HourState;
  readonly objects: number;
  readonly bytes: number;
  readonly events: number | null;
  readonly sealedAt: string | null;
  readonly quarantined?: number;
  readonly shrunk?: { readonly events: number; readonly at: string };
  readonly files?: readonly {
    readonly key: string;
    readonly bytes: number;
    readonly modifiedAt: string;
    readonly crc32: string | null;
  }[];
}

export interface StatusReportOptions {
  readonly withFiles: boolean;
  /** Undefined: gaps are no failure. Else those that are older than this many hours. */
  readonly failOnGapsOlderThan: number | undefined;
  readonly seconds: number;
}

export function statusReport(status: Status, options: StatusReportOptions): StatusReport {
  const { hours, now } = status;
  const of = (state: HourState) => hours.filter((hour) => hour.state === state).map(({ hour }) => hour);
  const sum = (pick: (hour: HourStatus) => number | undefined) =>
    hours.reduce((total, hour) => total + (pick(hour) ?? 0), 0);
  const landed = hours.filter(({ sealedAt }) => sealedAt !== undefined).map(({ hour }) => formatHour(hour));
  const unproved = [...of('missing'), ...of('unreadable')];
  const { failOnGapsOlderThan: age } = options;
  const fails = age !== undefined && olderThan(unproved, age, now).length > 0;
  const counts = Object.fromEntries(STATES.map((state) => [state, of(state).length])) as Record<HourState, number>;
  return {
    command: 'status',
    destination: status.destination,
    now: now.toISOString(),
    range: { start: formatHour(status.range.start), end: formatHour(status.range.end) },
    project: status.project ?? null,
    totals: {
      ...counts,
      objects: sum(({ objects }) => objects),
      bytes: sum(({ bytes }) => bytes),
      events: status.withEvents ? sum(({ events }) => events) : null,
      quarantined: status.withEvents ? sum(({ quarantined }) => quarantined) : null,
    },
    firstLanded: landed[0] ?? null,
    lastLanded: landed.at(-1) ?? null,
    hours: hours.map((hour) => reportedHour(hour, options.withFiles)),
    gaps: gapsOf(of('missing')),
    problems: hours.flatMap(({ hour, problem }) =>
      problem === undefined
        ? []
        : [{ hour: formatHour(hour), code: problem.code, message: problem.message, hint: problem.hint ?? null }],
    ),
    warnings: status.warnings,
    requests: status.requests,
    seconds: Number(options.seconds.toFixed(3)),
    exitCode: fails ? EXIT.partial : EXIT.done,
  };
}

function reportedHour(hour: HourStatus, withFiles: boolean): ReportedHour {
  const { events, sealedAt, quarantined = 0, shrunk } = hour;
  return {
    hour: formatHour(hour.hour),
    state: hour.state,
    objects: hour.objects,
    bytes: hour.bytes,
    events: events ?? null,
    sealedAt: sealedAt?.toISOString() ?? null,
    ...(quarantined > 0 ? { quarantined } : {}),
    ...(shrunk === undefined ? {} : { shrunk }),
    ...(withFiles
      ? {
          files: hour.files.map(({ key, bytes, modifiedAt, crc32 }) => ({
            key,
            bytes,
            modifiedAt: modifiedAt.toISOString(),
            crc32: crc32 ?? null,
          })),
        }
      : {}),
  };
}

const MEANING: Readonly<Record<HourState, string>> = {
  complete: '',
  empty: 'Amplitude had no data',
  missing: 'not landed, see below',
  pending: 'not ready at Amplitude yet',
  unsettled: 'sealed early, export asks once more',
  shrunk: 'Amplitude held less when asked again; the larger landing stays',
  unreadable: 'the manifest proves nothing, see below',
};

/** At most so many gaps are listed for people. */
const SHOWN = 20;

/** The counts, gaps and what to do, for people; the calendar stands above it. */
export function statusSummary(report: StatusReport): string {
  const { totals, range } = report;
  const rows: [string, string][] = [['range', `${range.start} to ${range.end} (UTC, the end left out)`]];
  if (report.project !== null) rows.push(['project', report.project]);
  for (const state of STATES) {
    const about = MEANING[state] === '' ? '' : `: ${MEANING[state]}`;
    if (totals[state] > 0 || state === 'complete') rows.push([state, `${count(totals[state], 'hour')}${about}`]);
  }
  const events = totals.events === null ? '' : `${count(totals.events, 'event')}, `;
  rows.push(['landed', `${events}${count(totals.objects, 'object')}, ${size(totals.bytes)}`]);
  if (report.firstLanded !== null) rows.push(['first', `${report.firstLanded}, last ${report.lastLanded}`]);
  if ((totals.quarantined ?? 0) > 0) rows.push(['quarantine', `${count(totals.quarantined ?? 0, 'line')}`]);
  rows.push(['cost', `${requestCost(report.requests)}; ${report.seconds.toFixed(1)} s`]);
  const lines = [report.destination, ...rows.map(([name, text]) => `  ${name.padEnd(10)} ${text}`)];
  for (const warning of report.warnings) lines.push(warning);
  for (const { message, hint } of report.problems.slice(0, SHOWN)) lines.push(`${message} ${hint ?? ''}`.trimEnd());
  if (report.problems.length > SHOWN) lines.push(`and ${count(report.problems.length - SHOWN, 'more such manifest')}`);
  return [...lines, ...gapLines(report)].join('\n');
}

function gapLines({ gaps, totals }: StatusReport): string[] {
  if (gaps.length === 0) {
    if (totals.unreadable > 0) return [];
    return ['No gaps.'];
  }
  const hours = gaps.reduce((total, gap) => total + gap.hours, 0);
  const lines = [
    `${count(gaps.length, 'gap')} of ${count(hours, 'hour')}; ${agreeing(gaps.length, 'this fills it', 'each line fills one')}:`,
  ];
  // The newest first: that is what somebody who misses data looks for.
  const newest = gaps.toReversed();
  for (const gap of newest.slice(0, SHOWN)) lines.push(`  ${gap.command}    # ${count(gap.hours, 'hour')}`);
  if (gaps.length > SHOWN) {
    lines.push(`  and ${number(gaps.length - SHOWN)} more. All at once:`);
    lines.push(`  ${fillAll(gaps)}`);
  }
  return lines;
}

/** What `--fail-on-gaps` fails for: the hours as windows. Of an unreadable one its problem says what to do. */
export function failure(status: Status, report: StatusReport, ageHours: number): string | undefined {
  if (report.exitCode === EXIT.done) return undefined;
  const old = (state: HourState) => {
    const hours = status.hours.filter((hour) => hour.state === state).map(({ hour }) => hour);
    return olderThan(hours, ageHours, status.now);
  };
  const [missing, unreadable] = [old('missing'), old('unreadable')];
  const sentences: string[] = [];
  if (unreadable.length > 0) {
    const have = agreeing(unreadable.length, 'has', 'have');
    sentences.push(
      `${count(unreadable.length, 'hour')} ${have} a manifest that proves nothing: ${joinedHours(unreadable.map(formatHour))}.`,
    );
  }
  if (missing.length > 0) {
    const { length } = missing;
    const days = ageHours % 24 === 0 ? count(ageHours / 24, 'day') : count(ageHours, 'hour');
    const age = ageHours === 0 ? '' : ` for more than ${days}`;
    const fill = fillCommand(formatHour(Math.min(...missing)), formatHour(Math.max(...missing) + 1));
    sentences.push(
      `${count(length, 'hour')} ${agreeing(length, 'has', 'have')} not landed${age}: ${joinedHours(missing.map(formatHour))}. To fill ${agreeing(length, 'it', 'them')}: \`${fill}\``,
    );
  }
  return sentences.join(' ');
}

/** What Kestra gets. */
export function kestraReport(report: StatusReport) {
  const { totals, gaps, range } = report;
  const outputs = {
    start: range.start,
    end: range.end,
    ...Object.fromEntries(STATES.map((state) => [`hours${state[0]?.toUpperCase()}${state.slice(1)}`, totals[state]])),
    events: totals.events ?? 0,
    bytes: totals.bytes,
    gaps: gaps.length,
    fill: gaps.length === 0 ? '' : fillAll(gaps),
    exitCode: report.exitCode,
  };
  const gauge = (name: string, value: number) => ({ name, type: 'gauge', value });
  const metrics = [
    ...STATES.map((state) => gauge(`hours.${state}`, totals[state])),
    gauge('events', totals.events ?? 0),
    gauge('bytes', totals.bytes),
    { name: 'seconds', type: 'timer', value: report.seconds },
  ];
  return { outputs, metrics };
}
