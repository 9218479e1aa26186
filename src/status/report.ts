import { EXIT } from '../errors.ts';
import { agreeing, count, number, requestCost, size } from '../format.ts';
import { formatHour, type Hour, joinedHours, readHour, startOf } from '../hours.ts';
import { fillAll, fillCommand, type Gap, gapsOf } from '../landing/gaps.ts';
import { type HourState, MEANING, STATES } from './state.ts';
import type { HourStatus, Status } from './status.ts';

/** What `status --json` prints. */
export interface StatusReport extends Omit<Status, 'withEvents'> {
  readonly command: 'status';
  readonly totals: Readonly<Record<HourState, number>> & {
    readonly objects: number;
    readonly bytes: number;
    /** Null where manifests were not read. */
    readonly events: number | null;
    readonly quarantined: number | null;
  };
  readonly firstLanded: string | null;
  readonly lastLanded: string | null;
  readonly gaps: readonly Gap[];
  /** Adopted hours that nothing proves whole, as far as they follow each other. */
  readonly unproved: readonly Gap[];
  readonly seconds: number;
  readonly exitCode: number;
}

interface ReportOptions {
  /** In hours: older gaps are a failure. Undefined: none is. */
  readonly failOnGapsOlderThan: number | undefined;
  readonly seconds: number;
}

export function statusReport(status: Status, { failOnGapsOlderThan: age, seconds }: ReportOptions): StatusReport {
  const { withEvents, hours, problems, warnings, requests, ...facts } = status;
  const sum = (pick: (hour: HourStatus) => number | null | undefined) =>
    hours.reduce((total, hour) => total + (pick(hour) ?? 0), 0);
  const counts = STATES.map((state) => [state, hoursIn(status, state).length]);
  const landed = hours.filter(({ sealedAt }) => sealedAt !== null);
  const fails = failingHours(status, age).length > 0;
  return {
    command: 'status',
    ...facts,
    totals: {
      ...(Object.fromEntries(counts) as Record<HourState, number>),
      objects: sum(({ objects }) => objects),
      bytes: sum(({ bytes }) => bytes),
      events: withEvents ? sum(({ events }) => events) : null,
      quarantined: withEvents ? sum(({ quarantined }) => quarantined) : null,
    },
    firstLanded: landed[0]?.hour ?? null,
    lastLanded: landed.at(-1)?.hour ?? null,
    hours,
    gaps: gapsOf(hoursIn(status, 'missing')),
    unproved: gapsOf(hoursIn(status, 'unproved')),
    problems,
    warnings,
    requests,
    seconds: Number(seconds.toFixed(3)),
    exitCode: fails ? EXIT.partial : EXIT.done,
  };
}

function hoursIn({ hours }: Pick<Status, 'hours'>, state: HourState): Hour[] {
  return hours.filter((hour) => hour.state === state).map(({ hour }) => readHour(hour));
}

/** The hours that make the exit code 3: missing or unreadable for longer than an age, and drops. */
export function failingHours(status: Pick<Status, 'hours' | 'now' | 'drops'>, age: number | undefined): string[] {
  const old = age === undefined ? [] : [...oldHours(status, 'missing', age), ...oldHours(status, 'unreadable', age)];
  return [...new Set([...old.map(formatHour), ...(status.drops ?? []).map(({ hour }) => hour)])];
}

/** Those that ended at least `age` hours ago. */
function oldHours(status: Pick<Status, 'hours' | 'now'>, state: HourState, age: number): Hour[] {
  return hoursIn(status, state).filter((hour) => startOf(hour + 1 + age) <= new Date(status.now));
}

/** At most so many gaps are listed for people. */
const SHOWN = 20;

/** The counts, the gaps and what to do, for people. The calendar stands above it. */
export function statusSummary(report: StatusReport): string {
  const { totals, range, problems } = report;
  const rows: [string, string][] = [['range', `${range.start} to ${range.end} (UTC, end-exclusive)`]];
  if (report.project !== null) rows.push(['project', report.project]);
  for (const state of STATES.filter((state) => totals[state] > 0 || state === 'complete')) {
    rows.push([state, `${count(totals[state], 'hour')}: ${MEANING[state]}`]);
  }
  const events = totals.events === null ? '' : `${count(totals.events, 'event')}, `;
  rows.push(['landed', `${events}${count(totals.objects, 'object')}, ${size(totals.bytes)}`]);
  if (report.firstLanded !== null) rows.push(['first', `${report.firstLanded}, last ${report.lastLanded}`]);
  if (totals.quarantined) rows.push(['quarantine', count(totals.quarantined, 'line')]);
  if (report.drops?.length)
    rows.push(['drops', `${count(report.drops.length, 'hour')} with far fewer events than usual`]);
  rows.push(['cost', `${requestCost(report.requests)}; ${report.seconds.toFixed(1)} s`]);
  return [
    report.destination,
    ...rows.map(([name, text]) => `  ${name.padEnd(10)} ${text}`),
    ...report.warnings,
    ...problems.slice(0, SHOWN).map(({ message, hint }) => `${message} ${hint ?? ''}`.trimEnd()),
    ...(problems.length > SHOWN ? [`and ${count(problems.length - SHOWN, 'more such manifest')}`] : []),
    ...gapLines(report),
    ...unprovedLines(report),
  ].join('\n');
}

function gapLines({ gaps, totals }: StatusReport): string[] {
  if (gaps.length === 0) return totals.unreadable > 0 ? [] : ['No gaps.'];
  const lines = [
    `${count(gaps.length, 'gap')} of ${count(totals.missing, 'hour')}; ${agreeing(gaps.length, 'this fills it', 'each line fills one')}:`,
  ];
  // The newest first: people who miss data look for those.
  const newest = gaps.toReversed().slice(0, SHOWN);
  for (const { command, hours } of newest) lines.push(`  ${command}    # ${count(hours, 'hour')}`);
  if (gaps.length > SHOWN) lines.push(`  and ${number(gaps.length - SHOWN)} more. All at once:`, `  ${fillAll(gaps)}`);
  return lines;
}

function unprovedLines({ unproved }: StatusReport): string[] {
  return unproved.length === 0 ? [] : [`${unprovedSentence(unproved)}:`, `  ${fillAll(unproved)}`];
}

/** Introduces the command that asks for them. An export that runs by itself may not look back that far. */
export function unprovedSentence(unproved: readonly Gap[]): string {
  const hours = unproved.reduce((sum, { hours }) => sum + hours, 0);
  const [are, them] = [agreeing(hours, 'is', 'are'), agreeing(hours, 'it', 'them')];
  return `${count(hours, 'hour')} ${are} adopted without proof; this asks Amplitude for ${them}`;
}

/** What `--fail-on-gaps` fails for, with the command for missing hours. The problem of an unreadable hour has its own. */
export function failure(report: StatusReport, ageHours: number): string | undefined {
  const [missing, unreadable] = [oldHours(report, 'missing', ageHours), oldHours(report, 'unreadable', ageHours)];
  const sentence = (hours: readonly Hour[], state: string) =>
    `${count(hours.length, 'hour')} ${agreeing(hours.length, 'has', 'have')} ${state}: ${joinedHours(hours.map(formatHour))}.`;
  const sentences: string[] = [];
  if (unreadable.length > 0) sentences.push(sentence(unreadable, 'a manifest that proves nothing'));
  if (missing.length > 0) {
    const days = ageHours % 24 === 0 ? count(ageHours / 24, 'day') : count(ageHours, 'hour');
    const fill = fillCommand(formatHour(Math.min(...missing)), formatHour(Math.max(...missing) + 1));
    sentences.push(sentence(missing, ageHours === 0 ? 'not landed' : `not landed for more than ${days}`));
    sentences.push(`To fill ${agreeing(missing.length, 'it', 'them')}: \`${fill}\``);
  }
  return sentences.length === 0 ? undefined : sentences.join(' ');
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
  // A dashboard adds up what has one name. These are not the export's.
  const gauge = (name: string, value: number) => ({ name: `status.${name}`, type: 'gauge', value });
  const metrics = [
    ...STATES.map((state) => gauge(`hours.${state}`, totals[state])),
    gauge('events', totals.events ?? 0),
    gauge('bytes', totals.bytes),
    { name: 'status.seconds', type: 'timer', value: report.seconds },
  ];
  return { outputs, metrics };
}
