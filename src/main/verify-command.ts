import type { Settings } from '../config.ts';
import { openDestination } from '../destination.ts';
import { EXIT, UsageError } from '../errors.ts';
import { runExport } from '../export.ts';
import { formatHour, type Hour, hourOf, readTime, type Window } from '../hours.ts';
import { collectEagerly } from '../memory.ts';
import { count } from '../report.ts';
import type { Depth } from '../verify/content.ts';
import { type Difference, repairable } from '../verify/difference.ts';
import {
  kestraVerify,
  type ReportedRepair,
  reportedDifferences,
  type VerifyReport,
  verifyReport,
  verifySummary,
} from '../verify/report.ts';
import { type VerifyOptions, verify, verifyHours } from '../verify.ts';
import { type CommandContext, keepReport } from './command.ts';

export interface VerifyFlags {
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly depth: Depth;
  readonly repair: boolean;
}

/** `verify`: manifests against what is stored; with `--repair` hours that differ are landed again. Resolves to the exit code. */
export async function verifyCommand(settings: Settings, flags: VerifyFlags, context: CommandContext): Promise<number> {
  const { out, log, now, signal } = context;
  for (const warning of settings.warnings) log.warn(warning);
  collectEagerly();
  const started = performance.now();
  const range = rangeToVerify(flags, settings, now());
  const destination = openDestination(settings.destination, { s3: settings.s3, signal, log });
  try {
    const options = { destination, range, depth: flags.depth, now: now() };
    const found = await verify(options);
    const hours = repairable(found.differences);
    const repair = flags.repair && hours.size > 0 ? await repairHours(hours, found.differences, options) : undefined;
    const left = repair?.report.differences ?? found.differences;
    const report = verifyReport(found, {
      destination: destination.name,
      range,
      depth: flags.depth,
      repair: repair?.report ?? null,
      requests: { ...destination.requests },
      seconds: (performance.now() - started) / 1000,
      exitCode: repair?.ended ?? (left.length > 0 ? EXIT.partial : EXIT.done),
    });
    await keepReport(settings.reportFile, report, context);
    tell(report, found.differences);
    return report.exitCode;
  } finally {
    destination.close();
  }

  async function repairHours(hours: ReadonlySet<Hour>, found: readonly Difference[], options: VerifyOptions) {
    const { tally } = await runExport({
      settings,
      flags: {},
      repair: hours,
      log,
      now,
      signal,
      onPlan: (plan) =>
        log.info(`Landing ${count(hours.size, 'hour')} again in ${count(plan.windows.length, 'request')}.`),
    });
    if (tally.ended !== undefined) log.failure(tally.ended);
    const again = await verifyHours(hours, options);
    const notTried = found.filter(({ hour }) => hour === undefined || !hours.has(hour));
    const report: ReportedRepair = {
      repaired: [...hours].filter((hour) => tally.sealed.has(hour)).map(formatHour),
      failed: [...tally.failed.values()].map(({ hour, code, message }) => ({ hour: formatHour(hour), code, message })),
      differences: reportedDifferences([...again.differences, ...notTried]),
    };
    return { report, ended: tally.ended?.exitCode };
  }

  function tell(report: VerifyReport, differences: readonly Difference[]): void {
    const summary = verifySummary(report, differences);
    if (out.json) out.document(report);
    else if (out.format === 'pretty') out.print(summary);
    else {
      const say = report.exitCode === EXIT.done ? log.info : log.error;
      say(out.format === 'json' ? summary.replace(/\n\s*/g, '; ') : summary, {
        ...report.checked,
        differences: report.differences.length,
        exitCode: report.exitCode,
      });
      if (out.format === 'kestra') for (const line of kestraVerify(report)) out.print(line);
    }
  }
}

/** All that is there, unless a start or an end narrows it. */
function rangeToVerify(flags: VerifyFlags, { range }: Settings, now: Date): Window | undefined {
  const read = (flag: string | undefined, name: string, variable: string | undefined, variableName: string) => {
    if (flag !== undefined) return readTime(flag, range.timezone, name);
    return variable === undefined ? undefined : readTime(variable, range.timezone, variableName);
  };
  const start = read(flags.start, '--start', range.start, 'EXPORT_START');
  const end = read(flags.end, '--end', range.end, 'EXPORT_END');
  if (start === undefined && end === undefined) return undefined;
  const window = { start: start ?? 0, end: end ?? Math.max(hourOf(now), start ?? 0) + 1 };
  if (window.end > window.start) return window;
  throw new UsageError(
    `The end ${formatHour(window.end)} is not after the start ${formatHour(window.start)}.`,
    'The end is left out of the range: --start 2026-11-20 --end 2026-11-21 is one day.',
  );
}
