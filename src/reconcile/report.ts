import { command } from '../command-line.ts';
import { EXIT } from '../errors.ts';
import { agreeing, count, printableName, size } from '../format.ts';
import { formatHour, type Hour, joinedHours, readyEnd } from '../hours.ts';
import { fillAll, type Gap, gapsOf } from '../landing/gaps.ts';
import type { Reconciled } from './reconcile.ts';
import type { MoveCode } from './verdict.ts';

/** What `reconcile --json` prints. `file` is below `dir`, `to` below `failedUploads`; hours as `2026-11-20T05`. */
export interface ReconcileReport {
  readonly command: 'reconcile';
  readonly dir: string;
  readonly failedUploads: string;
  readonly destination: string;
  readonly dryRun: boolean;
  readonly deleted: readonly {
    readonly file: string;
    readonly hour: string;
    readonly key: string;
    /** Of the stored object. */
    readonly bytes: number;
  }[];
  readonly moved: readonly {
    readonly file: string;
    readonly to: string;
    readonly hour: string | null;
    readonly code: MoveCode;
    readonly reason: string;
  }[];
  readonly kept: readonly { readonly file: string; readonly code: string; readonly reason: string }[];
  /** Hours of files that have not landed. */
  readonly gaps: readonly Gap[];
  /** Those of them that Amplitude does not serve yet. */
  readonly pending: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  readonly exitCode: number;
}

/** Left alone on purpose: nothing is to be done about them. */
const LEFT_ALONE: readonly string[] = ['LINK', 'NO_FILE', 'PARTIAL', 'VANISHED'];

export function reconcileReport(result: Reconciled, now: Date): ReconcileReport {
  const { dir, failedUploads, destination, dryRun, deleted, moved, kept, failed } = result;
  const ready = readyEnd(now);
  const missing = [
    ...new Set(moved.flatMap(({ hour, code }) => (code === 'NOT_LANDED' && hour !== null ? [hour] : []))),
  ];
  missing.sort((a, b) => a - b);
  return {
    command: 'reconcile',
    dir,
    failedUploads,
    destination,
    dryRun,
    deleted: deleted.map((each) => ({ ...each, hour: formatHour(each.hour) })),
    moved: moved.map((each) => ({ ...each, hour: each.hour === null ? null : formatHour(each.hour) })),
    kept,
    gaps: gapsOf(missing.filter((hour) => hour < ready)),
    pending: missing.filter((hour) => hour >= ready).map(formatHour),
    ...(failed === undefined
      ? {}
      : {
          error: {
            code: failed.code,
            message: failed.message,
            ...(failed.hint === undefined ? {} : { hint: failed.hint }),
          },
        }),
    exitCode: exitCodeOf(result),
  };
}

function exitCodeOf({ moved, kept, failed, dryRun }: Reconciled): number {
  if (failed !== undefined) return failed.exitCode;
  if (kept.some(({ code }) => code === 'LOCAL')) return EXIT.failed;
  if (dryRun) return EXIT.done;
  return moved.length > 0 || kept.some(({ code }) => !LEFT_ALONE.includes(code)) ? EXIT.partial : EXIT.done;
}

const WHY: Readonly<Record<MoveCode, string>> = {
  NOT_AN_EXPORT_FILE: 'no export file by its name',
  NOT_LANDED: 'the hour has not landed',
  SEALED_EMPTY: 'the hour is sealed as empty',
  NOT_IN_MANIFEST: 'the hour has landed without a file of this name',
  ANOTHER_PROJECT: 'of another project than the destination',
  MANIFEST_UNREADABLE: "the hour's manifest cannot be read",
  UNREADABLE: 'the file cannot be read',
  CONTENT_DIFFERS: 'the content differs from what landed',
  STORED_MISSING: 'the stored object is gone',
  STORED_DIFFERS: 'the stored object is not what its manifest says',
};

/** What helps, where it is a command. */
const NEXT: Partial<Record<MoveCode, (start: string, end: string) => string>> = {
  STORED_MISSING: (start, end) => command(`verify --repair --start ${start} --end ${end}`),
  STORED_DIFFERS: (start, end) => command(`verify --checksums --repair --start ${start} --end ${end}`),
};

/** Of each reason, and of what stays, as many files are named. */
const NAMED = 5;

/** The summary for people: how many went where, why, and which commands fill what is missing. */
export function reconcileSummary(report: ReconcileReport): string {
  const { dir, destination, dryRun, deleted, moved, kept, gaps, pending } = report;
  const verb = (done: string) => (dryRun ? `to be ${done}` : done);
  const bytes = deleted.reduce((sum, each) => sum + each.bytes, 0);
  const lines = [
    `${printableName(dir)} against ${destination}`,
    `  ${verb('deleted')}: ${count(deleted.length, 'file')} whose content is stored (${size(bytes)}, confirmed by the destination)`,
    `  ${verb('moved')}: ${count(moved.length, 'file')}${moved.length === 0 ? '' : `, to ${printableName(report.failedUploads)}`}`,
  ];
  for (const [code, files] of grouped(moved)) {
    lines.push(`    ${WHY[code]}: ${count(files.length, 'file')}`, ...named(files));
    const hours = files.flatMap(({ hour }) => (hour === null ? [] : [hour])).sort();
    const [first, last] = [hours[0], hours.at(-1)];
    const next = first === undefined || last === undefined ? undefined : NEXT[code]?.(first, after(last));
    if (next !== undefined)
      lines.push(`      ${agreeing(new Set(hours).size, 'this hour lands', 'these hours land')} again with: ${next}`);
  }
  if (kept.length > 0) {
    // What stopped the run is said once, by the log, and not for each of the files that it left in place.
    const told = kept.map((file) => (file.reason === report.error?.message ? { ...file, reason: file.code } : file));
    lines.push(`  ${dryRun ? 'to be left' : 'left'} in place: ${count(kept.length, 'file')}`, ...named(told));
  }
  if (gaps.length > 0) {
    const missing = gaps.reduce((sum, gap) => sum + gap.hours, 0);
    lines.push(`  ${count(missing, 'missing hour')}; to land ${agreeing(missing, 'it', 'them')}:`);
    for (const gap of gaps) lines.push(`    ${gap.command}`);
  }
  if (pending.length > 0) lines.push(`  not ready at Amplitude yet: ${joinedHours(pending)}`);
  if (dryRun) lines.push('Nothing was deleted or moved.');
  return lines.join('\n');
}

function named(files: readonly { readonly file: string; readonly reason: string }[]): string[] {
  const lines = files
    .slice(0, NAMED)
    .map(({ file, reason }) => `      ${printableName(file)}: ${printableName(reason)}`);
  return files.length > NAMED ? [...lines, `      and ${files.length - NAMED} more; --json lists them all`] : lines;
}

function grouped(moved: ReconcileReport['moved']): [MoveCode, ReconcileReport['moved'][number][]][] {
  const groups = Map.groupBy(moved, ({ code }) => code);
  return (Object.keys(WHY) as MoveCode[]).flatMap((code) => {
    const files = groups.get(code);
    return files === undefined ? [] : [[code, files] as [MoveCode, typeof files]];
  });
}

function after(hour: string): string {
  return formatHour((Date.parse(`${hour}:00Z`) / 3_600_000 + 1) as Hour);
}

/** What Kestra gets: counts and places. */
export function kestraReport({ deleted, moved, kept, gaps, pending, failedUploads, exitCode }: ReconcileReport) {
  const counts = { deleted: deleted.length, moved: moved.length, kept: kept.length, gaps: gaps.length };
  const fill = gaps.length === 0 ? '' : fillAll(gaps);
  const metrics = Object.entries(counts).map(([name, value]) => ({ name, type: 'gauge', value }));
  return { outputs: { ...counts, fill, pending: pending.length, failedUploads, exitCode }, metrics };
}
