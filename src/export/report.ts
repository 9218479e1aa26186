import { EXIT } from '../errors.ts';
import { agreeing, count, number, size } from '../format.ts';
import { failedLines, formatHour, type Hour, hoursOf, joinedHours, type Window } from '../hours.ts';
import { MANIFESTS, type Manifest } from '../landing/manifest.ts';
import type { Fields } from '../log.ts';
import type { ExportResult } from './export.ts';
import { type Plan, plannedRequests } from './plan.ts';
import type { Sealed, Tally } from './tally.ts';

/** The one document on stdout with `--json`. Hours as `2026-11-20T05`; the range is end-exclusive. */
export type ExportReport = ReturnType<typeof exportReport>;

export function exportReport({ plan, tally, destination, lastLanded }: ExportResult, seconds: number) {
  const manifests = [...tally.sealed.values()];
  const sealedAs = (status: Manifest['status']) =>
    named([...tally.sealed.keys()].filter((hour) => tally.sealed.get(hour)?.status === status));
  const failed = [...tally.failed.values()].sort((a, b) => a.hour - b.hour);
  const { downloadMs, inflateMs, uploadMs } = tally.timings;
  return {
    command: 'export' as const,
    destination,
    range: { start: formatHour(plan.range.start), end: formatHour(plan.range.end) },
    hours: {
      sealed: sealedAs('complete'),
      empty: sealedAs('empty'),
      failed: failed.map(({ hour, code, message }) => ({ hour: formatHour(hour), code, message })),
      pending: named(plan.pending),
      skipped: plan.skipped,
      /** Of the sealed and empty hours: those that had landed before, and Amplitude's answer is the same or smaller. */
      unchanged: named(tally.unchanged),
      shrunk: named(tally.shrunk),
    },
    /** The newest hour of the range that has landed, in this run or before. */
    lastLanded:
      [...tally.sealed.keys(), lastLanded ?? []]
        .flat()
        .sort((a, b) => b - a)
        .map(formatHour)[0] ?? null,
    events: sum(manifests, 'events'),
    bytes: sum(manifests, 'bytes'),
    quarantined: sum(manifests, 'quarantined'),
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

export type DryRunReport = ReturnType<typeof dryRunReport>;

export function dryRunReport({ plan, destination }: ExportResult) {
  return {
    command: 'export' as const,
    dryRun: true as const,
    destination,
    range: { start: formatHour(plan.range.start), end: formatHour(plan.range.end) },
    requests: plannedRequests(plan),
    hours: { planned: plan.hours.size, pending: named(plan.pending), skipped: plan.skipped },
    exitCode: 0 as const,
  };
}

/** How far a run is once the answer for a window has landed: a message and its fields. */
export function windowDone(window: Window, plan: Plan, tally: Tally): [string, Fields] {
  const hours = hoursOf(window);
  const manifests = hours.flatMap((hour) => tally.sealed.get(hour) ?? []);
  const [events, bytes] = [sum(manifests, 'events'), sum(manifests, 'bytes')];
  const failed = hours.filter((hour) => tally.failed.has(hour)).length;
  const planned = plan.hours.size;
  const left = planned - tally.done;
  const landed = `${count(hours.length, 'hour')}, ${count(events, 'event')}, ${size(bytes)}`;
  const lost = failed === 0 ? '' : `; ${count(failed, 'hour')} of these failed`;
  const rest = `${number(left)} of ${count(planned, 'hour')} ${agreeing(left, 'is', 'are')} left`;
  return [
    `${formatHour(window.start)} to ${formatHour(window.end)}: ${landed}${lost}. ${rest}.`,
    { hours: hours.length, events, bytes, failed, left, of: planned },
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
    hoursReady: hours.sealed.length + hours.empty.length + hours.failed.length + hours.skipped,
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
  const { hours, range, events, bytes, quarantined, retries } = report;
  const { sealed, empty, unchanged, shrunk, skipped, pending, failed } = hours;
  const asBefore = agreeing(unchanged.length, 'it was', 'they were');
  const noEvents = agreeing(quarantined, 'is not an event', 'are not events');
  const retried = retries === 0 ? '' : `, ${count(retries, 'retry', 'retries')}`;
  const took = `${size(report.downloadedBytes)} downloaded in ${report.seconds.toFixed(1)} s`;
  const rows: [name: string, isShown: boolean, text: string][] = [
    ['range', true, `${range.start} to ${range.end} (UTC, end-exclusive)`],
    ['landed', true, `${count(sealed.length, 'hour')}, ${count(events, 'event')}, ${size(bytes)}`],
    ['empty', empty.length > 0, `${count(empty.length, 'hour')} for which Amplitude has no data`],
    ['unchanged', unchanged.length > 0, `${count(unchanged.length, 'hour')} of these, as ${asBefore}`],
    ['shrunk', shrunk.length > 0, `${joinedHours(shrunk)}: the larger landing stays`],
    ['quarantine', quarantined > 0, `${count(quarantined, 'line')} that ${noEvents}`],
    ['skipped', skipped > 0, `${count(skipped, 'hour')} sealed before`],
    ['pending', pending.length > 0, `${joinedHours(pending)}: not ready at Amplitude yet`],
    ['requests', true, `${number(report.requests)}${retried}, ${took}`],
    ['failed', failed.length > 0, count(failed.length, 'hour')],
  ];
  const shown = rows.filter(([, isShown]) => isShown).map(([name, , text]) => `  ${name.padEnd(10)} ${text}`);
  const lines = [report.destination, ...shown];
  if (failed.length > 0) {
    const these = agreeing(failed.length, 'this hour if it is', 'these hours as far as they are');
    lines.push(
      ...failedLines(failed),
      `  When that is mended, run the same command again: it requests ${these} still in its range.`,
    );
  } else if (report.exitCode !== EXIT.done) {
    lines.push('  The run was stopped. The same command goes on with what is left.');
  }
  return lines.join('\n');
}

const WHY = {
  gap: 'not landed yet',
  unsettled: 'sealed before it could settle',
  unproved: 'adopted without proof that it is whole',
  forced: '--force',
  differs: 'stored objects differ from the manifest',
} as const;

/** The plan for people, as `--dry-run` prints it. */
export function planSummary({ destination, hours, range, requests }: DryRunReport): string {
  const requested = count(requests.length, 'request');
  const lines = [`${destination}: ${count(hours.planned, 'hour')} in ${requested}, of ${range.start} to ${range.end}`];
  for (const request of requests) {
    lines.push(`  request ${request.start} to ${request.end} (${count(request.hours.length, 'hour')})`);
    for (const [reason, same] of Map.groupBy(request.hours, (hour) => hour.reason)) {
      lines.push(`    ${WHY[reason]}: ${joinedHours(same.map(({ hour }) => hour))}`);
    }
  }
  if (hours.skipped > 0) lines.push(`  skipped: ${count(hours.skipped, 'hour')} sealed before`);
  if (hours.pending.length > 0) lines.push(`  pending: ${joinedHours(hours.pending)}, not ready at Amplitude yet`);
  lines.push('Nothing was requested or written.');
  return lines.join('\n');
}

function named(hours: Iterable<Hour>): string[] {
  return [...hours].sort((a, b) => a - b).map(formatHour);
}

function sum(manifests: readonly Sealed[], field: 'events' | 'bytes' | 'quarantined'): number {
  return manifests.reduce((total, manifest) => total + manifest[field], 0);
}
