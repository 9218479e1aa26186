import { type CommandContext, keepReport } from '../cli/command.ts';
import type { Settings } from '../config/settings.ts';
import { runExport } from '../export/export.ts';
import type { ExportFlags } from '../export/plan.ts';
import { dryRunReport, exportReport, kestraReport, planSummary, summary, windowDone } from '../export/report.ts';
import { count } from '../format.ts';
import { formatWindow } from '../hours.ts';

/** `export`: runs the job and says what came of it, in the form that the reader takes. Resolves to the exit code. */
export async function exportCommand(settings: Settings, flags: ExportFlags, context: CommandContext): Promise<number> {
  const { out, log, now, signal } = context;
  for (const warning of settings.warnings) log.warn(warning);
  const started = performance.now();
  const result = await runExport({
    settings,
    flags,
    log,
    now,
    signal,
    onPlan: (plan, tally) => {
      const { hours, windows, pending, skipped, range } = plan;
      log.info(
        `${formatWindow(range)}: ${count(hours.size, 'hour')} to ask for in ${count(windows.length, 'request')}, ${skipped} sealed before, ${pending.length} not ready yet.`,
        { hours: hours.size, requests: windows.length, skipped, pending: pending.length },
      );
      if (flags.dryRun !== true) out.progress?.start(plan, tally);
    },
    // On a terminal the progress display shows it.
    onWindow: (...done) => (out.progress === undefined ? log.info : log.debug)(...windowDone(...done)),
  });
  out.progress?.stop();

  if (flags.dryRun === true) {
    const report = dryRunReport(result);
    await keepReport(settings.reportFile, report, context);
    if (out.json) out.document(report);
    else out.print(planSummary(report));
    return report.exitCode;
  }
  const { ended } = result.tally;
  const report = exportReport(result, (performance.now() - started) / 1000);
  await keepReport(settings.reportFile, report, context);
  if (ended !== undefined) log.failure(ended);
  const { hours, events, bytes, requests, retries, seconds, exitCode } = report;
  const totals = {
    sealed: hours.sealed.length,
    empty: hours.empty.length,
    failed: hours.failed.length,
    pending: hours.pending.length,
    skipped: hours.skipped,
    events,
    bytes,
    requests,
    retries,
    seconds,
    exitCode,
  };
  if (out.format === 'pretty') {
    out.note(summary(report));
  } else {
    const say = exitCode === 0 ? log.info : log.error;
    say(
      out.format === 'json' ? summary(report).replace(/\n\s*/g, '; ').replace(/ {2,}/g, ' ') : summary(report),
      totals,
    );
  }
  if (out.json) out.document(report);
  else if (out.format === 'kestra') for (const line of kestraReport(report)) out.print(line);
  return exitCode;
}
