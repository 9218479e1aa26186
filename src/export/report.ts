import { agreeing, count, number, size } from '../format.ts';
import { failedLines, formatHour, type Hour, hoursOf, joinedHours, type Window } from '../hours.ts';
import { MANIFESTS } from '../landing/manifest.ts';
import type { Fields } from '../log.ts';
import type { ExportResult } from './export.ts';
import { type Plan, type PlannedRequest, plannedRequests } from './plan.ts';
import type { Tally, Timings } from './tally.ts';

/** The run report, the one document on stdout with `--json`. Hours as `2026-11-20T05`, the range's end left out. */
export interface ExportReport {
  readonly command: 'export';
  readonly destination: string;
  readonly range: { readonly start: string; readonly end: string };
  readonly hours: {
    readonly sealed: readonly string[];
    readonly empty: readonly string[];
    readonly failed: readonly { readonly hour: string; readonly code: string; readonly message: string }[];
    readonly pending: readonly string[];
    readonly skipped: number;
    /** Of the sealed and empty ones: they had landed, and Amplitude's answer is the same, or smaller. */
    readonly unchanged: readonly string[];
    readonly shrunk: readonly string[];
  };
  readonly events: number;
  readonly bytes: number;
  readonly quarantined: number;
  readonly requests: number;
  readonly retries: number;
  readonly downloadedBytes: number;
  readonly seconds: number;
  readonly timings: Timings;
  readonly exitCode: number;
}

export interface DryRunReport {
  readonly command: 'export';
  readonly dryRun: true;
  readonly destination: string;
  readonly range: { readonly start: string; readonly end: string };
  readonly requests: readonly PlannedRequest[];
  readonly hours: { readonly planned: number; readonly pending: readonly string[]; readonly skipped: number };
  readonly exitCode: 0;
}

export function exportReport({ plan, tally, destination }: ExportResult, seconds: number): ExportReport {
  const manifests = [...tally.sealed.values()];
  const sum = (pick: (manifest: (typeof manifests)[number]) => number) =>
    manifests.reduce((total, manifest) => total + pick(manifest), 0);
  const failed = [...tally.failed.values()].sort((a, b) => a.hour - b.hour);
  const { downloadMs, inflateMs, uploadMs } = tally.timings;
  return {
    command: 'export',
    destination,
    range: { start: formatHour(plan.range.start), end: formatHour(plan.range.end) },
    hours: {
      sealed: tally.hours('complete'),
      empty: tally.hours('empty'),
      failed: failed.map(({ hour, code, message }) => ({ hour: formatHour(hour), code, message })),
      pending: plan.pending.map(formatHour),
      skipped: plan.skipped,
      unchanged: sorted(tally.unchanged),
      shrunk: sorted(tally.shrunk),
    },
    events: sum(({ events }) => events),
    bytes: sum(({ bytes }) => bytes),
    quarantined: sum(({ quarantined }) => quarantined),
    requests: tally.requests,
    retries: tally.retries,
    downloadedBytes: tally.downloadedBytes,
    seconds: Number(seconds.toFixed(3)),
    timings: {
      downloadMs: Math.round(downloadMs),
      inflateMs: Math.round(inflateMs),
      uploadMs: Math.round(uploadMs),
    },
    exitCode: tally.exitCode,
  };
}

export function dryRunReport({ plan, destination }: ExportResult): DryRunReport {
  return {
    command: 'export',
    dryRun: true,
    destination,
    range: { start: formatHour(plan.range.start), end: formatHour(plan.range.end) },
    requests: plannedRequests(plan),
    hours: { planned: plan.hours.size, pending: plan.pending.map(formatHour), skipped: plan.skipped },
    exitCode: 0,
  };
}

/** How far a run is, once the answer for a window has landed: a message and its fields. */
export function windowDone(window: Window, plan: Plan, tally: Tally): [string, Fields] {
  const hours = hoursOf(window);
  const manifests = hours.flatMap((hour) => tally.sealed.get(hour) ?? []);
  const events = manifests.reduce((sum, manifest) => sum + manifest.events, 0);
  const bytes = manifests.reduce((sum, manifest) => sum + manifest.bytes, 0);
  const failed = hours.filter((hour) => tally.failed.has(hour)).length;
  const left = plan.hours.size - tally.done;
  const landed = `${count(hours.length, 'hour')}, ${count(events, 'event')}, ${size(bytes)}`;
  const lost = failed === 0 ? '' : `; ${count(failed, 'hour')} of these failed`;
  const are = agreeing(left, 'is', 'are');
  return [
    `${formatHour(window.start)} to ${formatHour(window.end)}: ${landed}${lost}. ${number(left)} of ${count(plan.hours.size, 'hour')} ${are} left.`,
    { hours: hours.length, events, bytes, failed, left, of: plan.hours.size },
  ];
}

/** What Kestra gets: counts and places, no lists that could grow without bound. */
export function kestraReport(report: ExportReport) {
  const { hours, events, bytes, requests, retries, seconds } = report;
  const outputs = {
    start: report.range.start,
    end: report.range.end,
    hoursSealed: hours.sealed.length,
    hoursEmpty: hours.empty.length,
    hoursFailed: hours.failed.length,
    hoursPending: hours.pending.length,
    hoursSkipped: hours.skipped,
    failedHours: joinedHours(hours.failed.map(({ hour }) => hour)),
    events,
    bytes,
    quarantined: report.quarantined,
    manifests: `${report.destination.replace(/\/$/, '')}/${MANIFESTS}`,
    exitCode: report.exitCode,
  };
  const counter = (name: string, value: number) => ({ name, type: 'counter', value });
  const metrics = [
    counter('events', events),
    counter('bytes', bytes),
    counter('requests', requests),
    counter('retries', retries),
    counter('hours.sealed', hours.sealed.length),
    counter('hours.failed', hours.failed.length),
    { name: 'seconds', type: 'timer', value: seconds },
  ];
  return { outputs, metrics };
}

/** The summary for people: what landed, what was empty, what failed and what to do. */
export function summary(report: ExportReport): string {
  const { hours, range } = report;
  const rows: [string, string][] = [
    ['range', `${range.start} to ${range.end} (UTC, the end left out)`],
    ['landed', `${count(hours.sealed.length, 'hour')}, ${count(report.events, 'event')}, ${size(report.bytes)}`],
  ];
  if (hours.empty.length > 0)
    rows.push(['empty', `${count(hours.empty.length, 'hour')} for which Amplitude has no data`]);
  if (hours.unchanged.length > 0)
    rows.push([
      'unchanged',
      `${count(hours.unchanged.length, 'hour')} of these, as ${agreeing(hours.unchanged.length, 'it was', 'they were')}`,
    ]);
  if (hours.shrunk.length > 0) rows.push(['shrunk', `${joinedHours(hours.shrunk)}: the larger landing stays`]);
  if (report.quarantined > 0)
    rows.push([
      'quarantine',
      `${count(report.quarantined, 'line')} that ${agreeing(report.quarantined, 'is no event', 'are no events')}`,
    ]);
  if (hours.skipped > 0) rows.push(['skipped', `${count(hours.skipped, 'hour')} sealed before`]);
  if (hours.pending.length > 0) rows.push(['pending', `${joinedHours(hours.pending)}: not ready at Amplitude yet`]);
  const retried = report.retries === 0 ? '' : `, ${count(report.retries, 'retry', 'retries')}`;
  rows.push([
    'requests',
    `${number(report.requests)}${retried}, ${size(report.downloadedBytes)} downloaded in ${report.seconds.toFixed(1)} s`,
  ]);
  const lines = [report.destination, ...rows.map(([name, text]) => `  ${name.padEnd(10)} ${text}`)];
  if (hours.failed.length > 0) {
    lines.push(`  ${'failed'.padEnd(10)} ${count(hours.failed.length, 'hour')}`, ...failedLines(hours.failed));
    const these = agreeing(hours.failed.length, 'this hour, if it is', 'each of these hours that is');
    lines.push(`  Run the same command again: it asks again for ${these} in its range by then.`);
  }
  return lines.join('\n');
}

/** The plan for people, as `--dry-run` prints it. */
export function planSummary(report: DryRunReport): string {
  const { hours, range, requests } = report;
  const lines = [
    `${report.destination}: ${count(hours.planned, 'hour')} in ${count(requests.length, 'request')}, of ${range.start} to ${range.end}`,
  ];
  for (const request of requests) {
    lines.push(`  request ${request.start} to ${request.end} (${count(request.hours.length, 'hour')})`);
    for (const [reason, of] of Map.groupBy(request.hours, (hour) => hour.reason)) {
      lines.push(`    ${WHY[reason]}: ${joinedHours(of.map(({ hour }) => hour))}`);
    }
  }
  if (hours.skipped > 0) lines.push(`  skipped: ${count(hours.skipped, 'hour')} sealed before`);
  if (hours.pending.length > 0) lines.push(`  pending: ${joinedHours(hours.pending)}, not ready at Amplitude yet`);
  lines.push('Nothing was requested or written.');
  return lines.join('\n');
}

const WHY = {
  gap: 'not landed yet',
  unsettled: 'sealed before it could settle',
  forced: '--force',
  differs: 'what is stored differs',
} as const;

function sorted(hours: ReadonlySet<Hour>): string[] {
  return [...hours].sort((a, b) => a - b).map(formatHour);
}
