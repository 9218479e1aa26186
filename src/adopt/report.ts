import { command } from '../command-line.ts';
import { agreeing, count, number, printableName, requestCost, size } from '../format.ts';
import { failedLines, formatHour, type Hour, joinedHours, type Window } from '../hours.ts';
import type { Outcome } from './outcome.ts';

export interface Facts {
  /** As people write them. */
  readonly source: string;
  readonly destination: string;
  readonly dryRun: boolean;
  /** Undefined: all that is there. */
  readonly range: Window | undefined;
  readonly requests: { readonly listings: number; readonly reads: number; readonly looks: number };
  readonly seconds: number;
}

/** The one document on stdout with `--json`. */
export type AdoptReport = ReturnType<typeof adoptReport>;

export function adoptReport(outcome: Outcome, { range, seconds, ...facts }: Facts) {
  const { adopted, survey, mergedIds, ended } = outcome;
  const { marks, unknown } = survey;
  const amounts = [...survey.projects.events.values(), ...survey.projects.mergedIds.values()];
  const found = amounts.reduce((sum, { files }) => sum + files, 0) + unknown;
  const named = (some: typeof adopted) => sorted(some.map(({ hour }) => hour));
  return {
    command: 'adopt' as const,
    ...facts,
    range: range === undefined ? null : { start: formatHour(range.start), end: formatHour(range.end) },
    project: outcome.project ?? null,
    files: {
      found,
      adopted: outcome.files,
      marks,
      /** Of this program. What they name does not count as found. */
      manifests: survey.sealed.events.size + survey.sealed.mergedIds.size,
      unknown,
      left: outcome.leftFiles,
    },
    hours: {
      adopted: named(adopted.filter(({ isEmpty }) => !isEmpty)),
      empty: named(adopted.filter(({ isEmpty }) => isEmpty)),
      /** Of the adopted and empty ones: nothing proves that they are whole. */
      unproved: named(adopted.filter(({ proof }) => proof === 'none')),
      /** Adopted before without proof. */
      proved: sorted(outcome.proved),
      same: outcome.same,
      failed: [...outcome.failed].sort((a, b) => (a.hour < b.hour ? -1 : 1)),
      pending: sorted(outcome.pending),
      /** The run ended before it came to them. */
      notTried: outcome.planned - outcome.done,
    },
    lastLanded: outcome.newest === undefined ? null : formatHour(outcome.newest),
    left: outcome.left,
    mergedIds: { ...mergedIds },
    events: outcome.events,
    bytes: outcome.bytes,
    quarantined: outcome.quarantined,
    /** Objects that S3 has copied by itself. */
    copied: outcome.copied,
    downloadedBytes: outcome.downloadedBytes,
    seconds: Number(seconds.toFixed(3)),
    ...(ended === undefined ? {} : { error: { code: ended.code, message: ended.message } }),
    exitCode: outcome.exitCode,
  };
}

function sorted(hours: readonly Hour[]): string[] {
  return [...hours].sort((a, b) => a - b).map(formatHour);
}

/** So many files that stay are listed for people. */
const SHOWN = 20;

export function adoptSummary(report: AdoptReport): string {
  const { source, destination, dryRun, range, hours, files, mergedIds, copied, quarantined } = report;
  const { adopted, empty, unproved, proved, same, pending, failed } = hours;
  const landed = `${count(report.events, 'event')}, ${size(report.bytes)}`;
  const manifests = files.manifests === 0 ? '' : `, ${count(files.manifests, 'manifest')}`;
  const found = `${count(files.found, 'file')}, ${count(files.marks, 'mark')} of whole hours${manifests}`;
  const compared = dryRun ? 'landed before, and would be compared' : 'landed before, with the same content';
  const ask = agreeing(unproved.length, 'it is', 'they are');
  const rows: [name: string, isShown: boolean, text: string][] = [
    ['range', range !== null, `${range?.start} to ${range?.end} (UTC, end-exclusive)`],
    ['found', true, found],
    [
      'adopted',
      true,
      `${count(adopted.length, 'hour')} from ${count(files.adopted, 'file')}${dryRun ? '' : `, ${landed}`}`,
    ],
    ['empty', empty.length > 0, `${count(empty.length, 'hour')} without events`],
    [
      'unproved',
      unproved.length > 0,
      `${count(unproved.length, 'hour')} of these: nothing proves that ${ask} whole; export asks Amplitude`,
    ],
    ['proved', proved.length > 0, `${count(proved.length, 'hour')} adopted before without proof`],
    ['same', same > 0, `${count(same, 'hour')} ${compared}`],
    [
      'merged IDs',
      mergedIds.hours > 0,
      `${count(mergedIds.hours, 'hour')}${dryRun ? '' : `, ${count(mergedIds.lines, 'line')}`}`,
    ],
    [
      'quarantine',
      quarantined > 0,
      `${count(quarantined, 'line')} that ${agreeing(quarantined, 'is not an event', 'are not events')}`,
    ],
    ['copied', copied > 0, `${count(copied, 'object')} by S3 itself, not uploaded from here`],
    ['pending', pending.length > 0, `${joinedHours(pending)}: not ready yet, adopt them later`],
    ['left', files.left > 0, `${count(files.left, 'file')}, see below`],
    [
      'requests',
      true,
      `${requestCost(report.requests)}; ${size(report.downloadedBytes)} in ${report.seconds.toFixed(1)} s`,
    ],
    [
      'not tried',
      hours.notTried > 0,
      `${count(hours.notTried, 'hour')}: the run ended first; the same command goes on`,
    ],
    ['failed', failed.length > 0, count(failed.length, 'hour')],
  ];
  const lines = [`${printableName(source)} into ${destination}`];
  for (const [name, isShown, text] of rows) if (isShown) lines.push(`  ${name.padEnd(10)} ${text}`);
  lines.push(...failedLines(failed), ...leftLines(report), ...nextLines(report));
  return lines.join('\n');
}

function leftLines({ left, files }: AdoptReport): string[] {
  const lines = left
    .slice(0, SHOWN)
    .map(({ file, code, reason }) => `  left ${printableName(file)}: ${reason} (${code})`);
  if (files.left > SHOWN) lines.push(`  and ${number(files.left - SHOWN)} more; --json names the first 1,000`);
  return lines;
}

function nextLines({ dryRun, hours: { unproved } }: AdoptReport): string[] {
  if (dryRun) return ['Nothing was written.'];
  const [first, last] = [unproved[0], unproved.at(-1)];
  if (first === undefined || last === undefined) return [];
  const after = formatHour(Date.parse(`${last}:00:00Z`) / 3_600_000 + 1);
  return [`To ask Amplitude for what is not proved: \`${command(`export --start ${first} --end ${after}`)}\``];
}

/** What Kestra gets. */
export function kestraReport({ hours, events, bytes, files, mergedIds, exitCode }: AdoptReport) {
  const outputs = {
    hoursAdopted: hours.adopted.length,
    hoursEmpty: hours.empty.length,
    hoursUnproved: hours.unproved.length,
    hoursProved: hours.proved.length,
    hoursSame: hours.same,
    hoursFailed: hours.failed.length,
    failedHours: joinedHours(hours.failed.map(({ hour }) => hour)),
    filesLeft: files.left,
    mergedIdHours: mergedIds.hours,
    events,
    bytes,
    exitCode,
  };
  return { outputs, metrics: [] };
}
