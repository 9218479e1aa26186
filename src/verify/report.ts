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
  /** Null: all that is there. */
  readonly range: { readonly start: string; readonly end: string } | null;
  readonly depth: Depth;
  readonly checked: Verification['checked'];
  /** As they were found; with --repair, before it. */
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

export interface ReportedDifference {
  readonly hour: string | null;
  readonly key: string;
  readonly kind: Difference['kind'];
  readonly message: string;
  readonly hint: string | null;
}

export interface ReportedRepair {
  readonly repaired: readonly string[];
  readonly failed: readonly { readonly hour: string; readonly code: string; readonly message: string }[];
  /** Differences that are there after it. */
  readonly differences: readonly ReportedDifference[];
}

export function reportedDifferences(differences: readonly Difference[]): ReportedDifference[] {
  return differences.map(({ hour, key, kind, message, hint }) => ({
    hour: hour === undefined ? null : formatHour(hour),
    key,
    kind,
    message,
    hint: hint ?? null,
  }));
}

export function verifyReport(
  { checked, differences, unsealed }: Verification,
  rest: Pick<VerifyReport, 'destination' | 'depth' | 'repair' | 'swept' | 'requests' | 'seconds' | 'exitCode'> & {
    readonly range: Window | undefined;
  },
): VerifyReport {
  const { range, destination, depth, repair, swept, requests, seconds, exitCode } = rest;
  return {
    command: 'verify',
    destination,
    range: range === undefined ? null : { start: formatHour(range.start), end: formatHour(range.end) },
    depth,
    checked,
    differences: reportedDifferences(differences),
    unsealed: unsealed.map(({ key, bytes, modifiedAt }) => {
      const hour = hourOfKey(key);
      return {
        key,
        hour: hour === undefined ? null : formatHour(hour),
        bytes,
        modifiedAt: modifiedAt.toISOString(),
      };
    }),
    repair,
    swept,
    requests,
    seconds: Number(seconds.toFixed(3)),
    exitCode,
  };
}

const HELD: Readonly<{ [depth in Depth]: string }> = {
  listing: 'sizes',
  checksums: 'sizes and checksums',
  deep: 'every byte read back',
};

/** At most so many differences are listed for people; `--json` has them all. */
const SHOWN = 30;

/** What was held against what, what differs and what to do, for people. */
export function verifySummary(report: VerifyReport, differences: readonly Difference[]): string {
  const { checked, repair } = report;
  const range = report.range === null ? 'all that is there' : `${report.range.start} to ${report.range.end}`;
  const lines = [
    report.destination,
    `  range      ${range}`,
    `  checked    ${count(checked.hours, 'hour')}, ${count(checked.objects, 'object')}, ${size(checked.bytes)}: ${HELD[report.depth]}`,
    `  cost       ${requestCost(report.requests)}; ${report.seconds.toFixed(1)} s`,
  ];
  const told = report.differences.filter(({ kind }) => kind === 'unsealed').length;
  const waiting = report.unsealed.length - told;
  if (differences.length === 0) lines.push('Nothing differs.');
  else lines.push(`${count(differences.length, 'difference')}:`);
  for (const { message, hint } of differences.slice(0, SHOWN)) lines.push(`  ${message} ${hint ?? ''}`.trimEnd());
  if (differences.length > SHOWN) lines.push(`  and ${number(differences.length - SHOWN)} more, see --json`);
  if (waiting > 0) {
    lines.push(
      `${count(waiting, 'object')} that no manifest names yet. A run is landing ${agreeing(waiting, 'it', 'them')} now, or was killed within the hour.`,
    );
  }
  if (report.swept !== null) lines.push(`Swept: ${count(report.swept.length, 'object')} that no manifest named.`);
  if (repair !== null) return [...lines, ...repairLines(repair)].join('\n');
  const hours = [...repairable(differences)].sort((a, b) => a - b);
  if (hours.length > 0) lines.push(...repairCommand(hours));
  return lines.join('\n');
}

function repairCommand(hours: readonly Hour[]): string[] {
  const [first = 0, last = 0] = [hours[0], hours.at(-1)];
  return [
    `Land ${count(hours.length, 'hour')} again (${count(joinHours(hours, 24).length, 'request')}):`,
    `  ${command(`verify --repair --start ${formatHour(first)} --end ${formatHour(last + 1)}`)}`,
  ];
}

function repairLines({ repaired, failed, differences }: ReportedRepair): string[] {
  const lines: string[] = [];
  if (repaired.length > 0) lines.push(`Landed again: ${joinedHours(repaired)}.`);
  if (failed.length > 0) lines.push('Not landed again:', ...failedLines(failed));
  if (differences.length === 0) lines.push('Nothing differs any more.');
  else lines.push(`${count(differences.length, 'difference')} ${agreeing(differences.length, 'is', 'are')} left:`);
  for (const { message, hint } of differences.slice(0, SHOWN)) lines.push(`  ${message} ${hint ?? ''}`.trimEnd());
  return lines;
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
  const gauge = (name: string, value: number) => ({ name, type: 'gauge', value });
  const metrics = [gauge('differences', differences.length), { name: 'seconds', type: 'timer', value: seconds }];
  return { outputs, metrics };
}
