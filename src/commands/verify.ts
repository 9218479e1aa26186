import { collectEagerly } from '../archive/memory.ts';
import { type CommandContext, keepReport } from '../cli/command.ts';
import { givenTimes } from '../config/range.ts';
import type { Settings } from '../config/settings.ts';
import { openDestination } from '../destination/open.ts';
import { EXIT } from '../errors.ts';
import { runExport } from '../export/export.ts';
import { windowDone } from '../export/report.ts';
import { count } from '../format.ts';
import { formatHour, type Hour, hourOf, type Window, windowOf } from '../hours.ts';
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
import { sweep } from '../verify/sweep.ts';
import { type VerifyOptions, verify, verifyHours } from '../verify/verify.ts';

export interface VerifyFlags {
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly depth: Depth;
  readonly repair: boolean;
  readonly sweep: boolean;
}

/**
 * `verify` compares manifests with what is stored. `--repair` lands hours that differ again, `--sweep` deletes what no manifest
 * names. Resolves to the exit code.
 */
export async function verifyCommand(settings: Settings, flags: VerifyFlags, context: CommandContext): Promise<number> {
  const { out, log, now, signal } = context;
  for (const warning of settings.warnings) log.warn(warning);
  collectEagerly();
  const started = performance.now();
  const range = rangeToVerify(flags, settings, now());
  const destination = openDestination(settings.destination, { s3: settings.s3, signal, log });
  try {
    const options = { destination, range, depth: flags.depth, now: now() };
    const onSealed = (manifests: number) => log.info(`Comparing ${count(manifests, 'manifest')} with what is stored.`);
    const found = await verify({ ...options, onSealed });
    const hours = repairable(found.differences);
    const repair = flags.repair && hours.size > 0 ? await repairHours(hours, found.differences, options) : undefined;
    const swept = flags.sweep ? await sweep(found.unsealed, options) : undefined;
    const gone = new Set(swept?.map(({ key }) => key));
    const left = (repair?.report.differences ?? reportedDifferences(found.differences)).filter(
      ({ key }) => !gone.has(key),
    );
    const report = verifyReport(found, {
      destination: destination.name,
      range,
      depth: flags.depth,
      repair: repair?.report ?? null,
      swept: swept === undefined ? null : [...gone],
      requests: { ...destination.requests },
      seconds: (performance.now() - started) / 1000,
      exitCode: repair?.ended ?? (left.length > 0 ? EXIT.partial : EXIT.done),
    });
    await keepReport(settings.reportFile, report, context);
    tell(
      report,
      found.differences.filter(({ key }) => !gone.has(key)),
    );
    return report.exitCode;
  } finally {
    await destination.close();
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
      onWindow: (...done) => log.info(...windowDone(...done)),
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
  const { start, end } = givenTimes(flags, range);
  if (start === undefined && end === undefined) return undefined;
  return windowOf(start ?? 0, end ?? Math.max(hourOf(now), start ?? 0) + 1);
}
