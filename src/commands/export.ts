import { type CommandContext, defineCommand } from '../cli/command.ts';
import { present } from '../cli/present.ts';
import type { Settings } from '../config/settings.ts';
import { runExport } from '../export/export.ts';
import type { ExportFlags, Plan } from '../export/plan.ts';
import {
  dryRunReport,
  type ExportReport,
  exportReport,
  kestraReport,
  planSummary,
  summary,
  windowDone,
} from '../export/report.ts';
import type { Tally } from '../export/tally.ts';
import { count } from '../format.ts';
import { formatWindow, joinedHours, type Window } from '../hours.ts';
import type { Fields } from '../log.ts';

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'the job: lands the hours that are missing; also without the word',
  help: `
    Asks Amplitude's Export API for the hours that have not landed yet, writes every member to the destination and
    seals each hour with a manifest. Run it again, and it asks for what is still missing. A time T is 2026-11-20T05
    (UTC), 2026-11-20 (a day) or 2026-11-20T05:00:00Z. Settings come from the environment; .env.example lists them.`,
  examples: [
    '--dry-run',
    'export --yesterday',
    'export --start 2026-11-01 --end 2026-12-01',
    'export --lookback-days 30',
  ],
  flags: {
    start: { type: 'text', value: 'T', help: 'the first hour; beats EXPORT_START' },
    end: { type: 'text', value: 'T', help: 'the first hour after the range; beats EXPORT_END' },
    yesterday: { type: 'boolean', help: 'the previous day, from midnight to midnight in EXPORT_TIMEZONE' },
    lookbackDays: {
      type: 'whole',
      value: 'N',
      range: [1, 3650],
      example: 30,
      help: 'without --start: how far back to look for gaps; beats LOOKBACK_DAYS and EXPORT_START',
    },
    force: {
      type: 'choice',
      value: 'empty',
      choices: ['smaller', 'empty'],
      bare: 'smaller',
      hint: 'Write --force to take smaller answers, --force=empty to take also an answer without any event.',
      help: 'ask for sealed hours too, and take smaller answers; with =empty, also "no data" for hours that have events',
    },
    strict: { type: 'boolean', help: 'parse every line as JSON; lines that do not parse go to quarantine' },
    dryRun: { type: 'boolean', short: 'n', help: 'print which hours it asks for and why; request and write nothing' },
    json: { type: 'boolean', help: 'one JSON document on stdout, the log on stderr' },
  },
  isForPeople: ({ dryRun }) => dryRun,
  isWatched: ({ dryRun }) => !dryRun,
  run({ force, ...values }, context) {
    const settings = context.settings({ amplitude: true, times: values });
    return exportHours(settings, { ...values, force: force === 'empty' ? force : force !== undefined }, context);
  },
});

/** Runs the job and presents what came of it. Resolves to the exit code. */
export async function exportHours(settings: Settings, flags: ExportFlags, context: CommandContext): Promise<number> {
  const { out, log, now, signal } = context;
  const started = performance.now();
  const isDryRun = flags.dryRun === true;
  const onPlan = (plan: Plan, tally: Tally) => {
    const [hours, requests] = [plan.hours.size, plan.windows.length];
    const [skipped, pending] = [plan.skipped, plan.pending.length];
    log.info(
      `${formatWindow(plan.range)}: ${count(hours, 'hour')} to ask for in ${count(requests, 'request')}, ${skipped} sealed before, ${pending} not ready yet.`,
      { hours, requests, skipped, pending },
    );
    if (!isDryRun) out.progress?.start(hours, tally);
  };
  // On a terminal the progress display shows it.
  const logWindow = out.progress === undefined ? log.info : log.debug;
  const onWindow = (window: Window, plan: Plan, tally: Tally) => logWindow(...windowDone(window, plan, tally));
  const result = await runExport({ settings, flags, log, now, signal, onPlan, onWindow });
  out.progress?.stop();
  if (isDryRun) {
    const report = dryRunReport(result);
    return await present(report, { text: planSummary(report) }, context);
  }
  const report = exportReport(result, (performance.now() - started) / 1000);
  if (result.tally.ended !== undefined) log.failure(result.tally.ended);
  const failing = joinedHours(report.hours.failed.map(({ hour }) => hour));
  const views = {
    text: summary(report),
    fields: numbersOf(report),
    kestra: kestraReport(report),
    inLog: true,
    failing,
  };
  return await present(report, views, context);
}

function numbersOf({ hours, events, bytes, requests, retries, seconds }: ExportReport): Fields {
  const { sealed, empty, failed, pending, skipped } = hours;
  const counts = { sealed: sealed.length, empty: empty.length, failed: failed.length, pending: pending.length };
  return { ...counts, skipped, events, bytes, requests, retries, seconds };
}
