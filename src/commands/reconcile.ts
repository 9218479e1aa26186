import { defineCommand } from '../cli/command.ts';
import { present } from '../cli/present.ts';
import { runReconcile } from '../reconcile/reconcile.ts';
import { kestraReport, reconcileReport, reconcileSummary } from '../reconcile/report.ts';

export const reconcileCommand = defineCommand({
  name: 'reconcile',
  summary: 'local export files against the destination: deletes what is safely there, moves the rest',
  help: `
    For a folder of export files from older scripts: deletes the files whose content the destination confirms, and moves
    all others to failed_uploads/ beside DIR, with the reasons in reasons.jsonl. It never uploads; it says which exports
    land the hours that are missing. Needs no keys of Amplitude.`,
  examples: ['reconcile ./exports --dry-run'],
  argument: { value: 'DIR', help: 'the folder that holds the files', example: './exports --dry-run' },
  flags: {
    dryRun: { type: 'boolean', short: 'n', help: 'print what would be deleted and moved; touch nothing' },
    json: { type: 'boolean', help: 'one JSON document on stdout, the log on stderr' },
  },
  async run({ dryRun }, context) {
    const { log, now, signal } = context;
    const settings = context.settings({ amplitude: false });
    const result = await runReconcile({ settings, flags: { dir: context.argument, dryRun }, log, now, signal });
    const report = reconcileReport(result, now());
    await present(report, { text: reconcileSummary(report), kestra: kestraReport(report) }, context);
    if (result.failed !== undefined) log.failure(result.failed);
    return report.exitCode;
  },
});
