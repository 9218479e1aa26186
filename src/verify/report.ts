import { command } from '../command-line.ts';
import type { Requests } from '../destination/destination.ts';
import { agreeing, count, number, requestCost, size } from '../format.ts';
import { failedLines, formatHour, type Hour, joinedHours, joinHours, type Window } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';
import type { Depth } from './content.ts';
import { type Difference, repairable } from './difference.ts';
import type { Verification } from './verify.ts';

/** What `verify --json` prints. */
export interface VerifyReport {
  readonly command: 'verify';
  readonly destination: string;
  /** Null: everything. */
  readonly range: { readonly start: string; readonly end: string } | null;
  readonly depth: Depth;
  readonly checked: Verification['checked'];
  /** As found; with --repair, before it. */
  readonly differences: readonly ReportedDifference[];
  readonly unsealed: readonly {
    readonly key: string;
    readonly hour: string | null;
    readonly bytes: number;
    readonly modifiedAt: string;
  }[];
  readonly repair: ReportedRepair | null;
  /** Keys that --sweep deleted; null without it. */
  readonly swept: readonly string[] | null;
  readonly requests: Requests;
  readonly seconds: number;
  readonly exitCode: number;
}

export interface ReportedDifference extends Omit<Difference, 'hour' | 'hint'> {
  readonly hour: string | null;
  readonly hint: string | null;
}

export interface ReportedRepair {
  readonly repaired: readonly string[];
  readonly failed: readonly { readonly hour: string; readonly code: string; readonly message: string }[];
  /** What still differs after it. */
  readonly differences: readonly ReportedDifference[];
}

const named = (hour: Hour | undefined) => (hour === undefined ? null : formatHour(hour));

export function reportedDifferences(differences: readonly Difference[]): ReportedDifference[] {
  return differences.map(({ hour, hint = null, ...rest }) => ({ hour: named(hour), ...rest, hint }));
}

export function verifyReport(
  { checked, differences, unsealed }: Verification,
  rest: Pick<VerifyReport, 'destination' | 'depth' | 'repair' | 'swept' | 'requests' | 'seconds' | 'exitCode'> & {
    readonly range: Window | undefined;
  },
): VerifyReport {
  const { range, destination, depth, seconds, ...end } = rest;
  return {
    command: 'verify',
    destination,
    range: range === undefined ? null : { start: formatHour(range.start), end: formatHour(range.end) },
    depth,
    checked,
    differences: reportedDifferences(differences),
    unsealed: unsealed.map(({ key, bytes, modifiedAt }) => {
      return { key, hour: named(hourOfKey(key)), bytes, modifiedAt: modifiedAt.toISOString() };
    }),
    seconds: Number(seconds.toFixed(3)),
    ...end,
  };
}

const COMPARED: Readonly<{ [depth in Depth]: string }> = {
  listing: 'sizes',
  checksums: 'sizes and checksums',
  deep: 'every byte read back',
};

/** The summary for people; `differences` are those that a sweep has left. */
export function verifySummary(report: VerifyReport, differences: readonly Difference[]): string {
  const { range, checked, repair, swept } = report;
  const lines = [
    report.destination,
    `  range      ${range === null ? 'everything' : `${range.start} to ${range.end}`}`,
    `  checked    ${count(checked.hours, 'hour')}, ${count(checked.objects, 'object')}, ${size(checked.bytes)}: ${COMPARED[report.depth]}`,
    `  cost       ${requestCost(report.requests)}; ${report.seconds.toFixed(1)} s`,
  ];
  if (differences.length === 0) lines.push('Nothing differs.');
  else lines.push(`${count(differences.length, 'difference')}:`, ...differenceLines(differences));
  const waiting = report.unsealed.length - report.differences.filter(({ kind }) => kind === 'unsealed').length;
  if (waiting > 0) {
    const them = agreeing(waiting, 'it', 'them');
    lines.push(
      `${count(waiting, 'object')} without a manifest yet: a run is landing ${them} now, or was killed within the last hour.`,
    );
  }
  if (swept !== null) lines.push(`Deleted ${count(swept.length, 'object')} that no manifest named.`);
  return [...lines, ...(repair === null ? repairCommand(differences) : repairLines(repair))].join('\n');
}

/** At most so many differences are listed for people. */
const SHOWN = 30;

function differenceLines(differences: readonly { message: string; hint?: string | null | undefined }[]): string[] {
  const lines = differences.slice(0, SHOWN).map(({ message, hint }) => `  ${message} ${hint ?? ''}`.trimEnd());
  const more = differences.length - SHOWN;
  return more > 0 ? [...lines, `  and ${number(more)} more; --json lists them all`] : lines;
}

function repairCommand(differences: readonly Difference[]): string[] {
  const hours = [...repairable(differences)].sort((a, b) => a - b);
  const [first, last] = [hours[0], hours.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    `To land ${count(hours.length, 'hour')} again (${count(joinHours(hours, 24).length, 'request')}):`,
    `  ${command(`verify --repair --start ${formatHour(first)} --end ${formatHour(last + 1)}`)}`,
  ];
}

function repairLines({ repaired, failed, differences }: ReportedRepair): string[] {
  const lines = repaired.length > 0 ? [`Landed again: ${joinedHours(repaired)}.`] : [];
  if (failed.length > 0) lines.push('Failed to land again:', ...failedLines(failed));
  if (differences.length === 0) return [...lines, 'Nothing differs any more.'];
  const left = `${count(differences.length, 'difference')} ${agreeing(differences.length, 'is', 'are')} left:`;
  return [...lines, left, ...differenceLines(differences)];
}

/** What a run that found differences fails for: the first of them, and what to do. `differences` as for the summary. */
export function failure({ repair }: VerifyReport, differences: readonly Difference[]): string {
  const left = repair?.differences ?? differences;
  const [first] = left;
  const parts = [`${count(left.length, 'difference')}:`, first?.message, first?.hint];
  if (left.length > 1) parts.push(`And ${number(left.length - 1)} more.`);
  const [what, fill] = repair === null ? repairCommand(differences) : [];
  if (what !== undefined && fill !== undefined) parts.push(`${what} \`${fill.trim()}\``);
  return parts.filter((part) => part != null).join(' ');
}

/** What Kestra gets. */
export function kestraReport(report: VerifyReport) {
  const { checked, differences, unsealed, seconds, exitCode } = report;
  const hours = [...new Set(differences.flatMap(({ hour }) => (hour === null ? [] : [hour])))];
  const outputs = {
    hours: checked.hours,
    objects: checked.objects,
    bytes: checked.bytes,
    differences: differences.length,
    differingHours: joinedHours(hours),
    unsealed: unsealed.length,
    repaired: report.repair?.repaired.length ?? 0,
    exitCode,
  };
  const metrics = [
    { name: 'verify.differences', type: 'gauge', value: differences.length },
    { name: 'verify.seconds', type: 'timer', value: seconds },
  ];
  return { outputs, metrics };
}
