import { type CommandContext, keepReport } from '../cli/command.ts';
import type { Settings } from '../config/settings.ts';
import { JobError } from '../errors.ts';
import { type ReconcileFlags, runReconcile } from '../reconcile/reconcile.ts';
import { reconcileReport, reconcileSummary } from '../reconcile/report.ts';

/** `reconcile`: takes local files away that have landed, and says what became of all. Resolves to the exit code. */
export async function reconcileCommand(
  settings: Settings,
  flags: ReconcileFlags,
  context: CommandContext,
): Promise<number> {
  const { out, log, now, signal } = context;
  for (const warning of settings.warnings) log.warn(warning);
  const result = await runReconcile({ settings, flags, log, now, signal });
  const report = reconcileReport(result, now());
  await keepReport(settings.reportFile, report, context);
  if (out.json) out.document(report);
  else if (out.format === 'pretty') out.print(reconcileSummary(report));
  else {
    const { deleted, moved, kept, gaps, exitCode } = report;
    const totals = { deleted: deleted.length, moved: moved.length, kept: kept.length, gaps: gaps.length, exitCode };
    const say = exitCode === 0 ? log.info : log.error;
    say(reconcileSummary(report), totals);
  }
  const { failed } = result;
  if (failed?.code === 'INTERRUPTED') {
    log.failure(
      new JobError('INTERRUPTED', failed.message, {
        hint: 'Run the same command again: it goes on with what is left in the folder.',
      }),
    );
  } else if (failed !== undefined) log.failure(failed);
  return report.exitCode;
}
