import { command } from '../command-line.ts';
import { EXIT } from '../errors.ts';
import { agreeing, count, printableName, size } from '../format.ts';
import { formatHour, joinedHours, readHour, readyEnd } from '../hours.ts';
import { fillAll, type Gap, gapsOf } from '../landing/gaps.ts';
import { MOVES, type MoveCode } from './judge.ts';
import type { Outcome, Reconciled } from './reconcile.ts';

/** What `reconcile --json` prints. */
export interface ReconcileReport extends Outcome {
  readonly command: 'reconcile';
  /** Hours of files that have not landed. */
  readonly gaps: readonly Gap[];
  /** Those of them that Amplitude does not serve yet. */
  readonly pending: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  readonly exitCode: number;
}

export function reconcileReport({ failed, ...outcome }: Reconciled, now: Date): ReconcileReport {
  const unlanded = outcome.moved.filter(({ code }) => code === 'NOT_LANDED').flatMap(({ hour }) => hour ?? []);
  const missing = [...new Set(unlanded)].sort().map(readHour);
  const ready = readyEnd(now);
  return {
    command: 'reconcile',
    ...outcome,
    gaps: gapsOf(missing.filter((hour) => hour < ready)),
    pending: missing.filter((hour) => hour >= ready).map(formatHour),
    ...(failed === undefined ? {} : { error: { code: failed.code, message: failed.message, ...hintOf(failed) } }),
    exitCode: failed === undefined ? exitCodeOf(outcome) : failed.exitCode,
  };
}

const hintOf = ({ hint }: { readonly hint: string | undefined }) => (hint === undefined ? {} : { hint });

/** Files with these codes stay on purpose. */
const LEFT_ALONE: readonly string[] = ['LINK', 'NO_FILE', 'PARTIAL', 'VANISHED'];

function exitCodeOf({ moved, kept, dryRun }: Outcome): number {
  if (kept.some(({ code }) => code === 'LOCAL')) return EXIT.failed;
  if (dryRun) return EXIT.done;
  return moved.length > 0 || kept.some(({ code }) => !LEFT_ALONE.includes(code)) ? EXIT.partial : EXIT.done;
}

/** The flags of `verify` that land hours of such files again. */
const REPAIRS: Partial<Record<MoveCode, string>> = {
  STORED_MISSING: '--repair',
  STORED_DIFFERS: '--checksums --repair',
};

/** The summary for people: how many files went where and why, and the commands that land what is missing. */
export function reconcileSummary(report: ReconcileReport): string {
  const { dir, destination, dryRun, deleted, moved, kept, gaps, pending } = report;
  const verb = (done: string) => (dryRun ? `to be ${done}` : done);
  const bytes = deleted.reduce((sum, each) => sum + each.bytes, 0);
  const place = moved.length === 0 ? '' : `, to ${printableName(report.failedUploads)}`;
  const lines = [
    `${printableName(dir)} against ${destination}`,
    `  ${verb('deleted')}: ${count(deleted.length, 'file')} whose content is stored (${size(bytes)}, confirmed by the destination)`,
    `  ${verb('moved')}: ${count(moved.length, 'file')}${place}`,
  ];
  for (const [code, why] of Object.entries(MOVES) as [MoveCode, string][]) {
    const files = moved.filter((file) => file.code === code);
    if (files.length > 0) lines.push(`    ${why}: ${count(files.length, 'file')}`, ...named(files));
    lines.push(...repairLines(code, files));
  }
  if (kept.length > 0) {
    // The log says once what stopped the run. The files that it left name only its code.
    const files = kept.map((file) => (file.reason === report.error?.message ? { ...file, reason: file.code } : file));
    lines.push(`  ${dryRun ? 'to stay' : 'left'} in place: ${count(kept.length, 'file')}`, ...named(files));
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

/** At most so many files are named for each reason. */
const NAMED = 5;

function named(files: readonly { readonly file: string; readonly reason: string }[]): string[] {
  const lines = files
    .slice(0, NAMED)
    .map(({ file, reason }) => `      ${printableName(file)}: ${printableName(reason)}`);
  return files.length > NAMED ? [...lines, `      and ${files.length - NAMED} more; --json lists them all`] : lines;
}

function repairLines(code: MoveCode, files: Outcome['moved']): string[] {
  const hours = [...new Set(files.flatMap(({ hour }) => hour ?? []))].sort();
  const [first, last] = [hours[0], hours.at(-1)];
  const flags = REPAIRS[code];
  if (flags === undefined || first === undefined || last === undefined) return [];
  const next = command(`verify ${flags} --start ${first} --end ${formatHour(readHour(last) + 1)}`);
  return [`      to land ${agreeing(hours.length, 'this hour', 'these hours')} again: ${next}`];
}

/** What Kestra gets: counts and places. */
export function kestraReport({ deleted, moved, kept, gaps, pending, failedUploads, exitCode }: ReconcileReport) {
  const counts = { deleted: deleted.length, moved: moved.length, kept: kept.length, gaps: gaps.length };
  const fill = gaps.length === 0 ? '' : fillAll(gaps);
  const metrics = Object.entries(counts).map(([name, value]) => ({ name: `reconcile.${name}`, type: 'gauge', value }));
  return { outputs: { ...counts, fill, pending: pending.length, failedUploads, exitCode }, metrics };
}
