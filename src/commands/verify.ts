import { collectEagerly } from '../archive/memory.ts';
import { type CommandContext, defineCommand } from '../cli/command.ts';
import { present } from '../cli/present.ts';
import { givenRange } from '../config/range.ts';
import type { Settings } from '../config/settings.ts';
import { openDestination } from '../destination/open.ts';
import { EXIT } from '../errors.ts';
import { count } from '../format.ts';
import { formatHour, type Hour } from '../hours.ts';
import type { Depth } from '../verify/content.ts';
import { type Difference, repairable } from '../verify/difference.ts';
import {
  failure,
  kestraReport,
  type ReportedRepair,
  reportedDifferences,
  verifyReport,
  verifySummary,
} from '../verify/report.ts';
import { sweep } from '../verify/sweep.ts';
import { type VerifyOptions, verify, verifyHours } from '../verify/verify.ts';

export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'manifests against what is stored; --repair lands again what differs',
  help: `
    Compares every manifest with what is stored: objects and sizes, by listing. Exits 3 where they differ, and where
    nothing has landed. Names the objects that no manifest names.`,
  examples: ['verify --checksums'],
  flags: {
    start: { type: 'text', value: 'T', help: 'as for export; else all that is there' },
    end: { type: 'text', value: 'T', help: 'as for export' },
    checksums: { type: 'boolean', help: 'also the checksum that the store keeps of each object' },
    deep: { type: 'boolean', help: 'read every object back: its checksum and lines' },
    repair: { type: 'boolean', help: 'land again the hours that differ; never makes an hour less' },
    sweep: { type: 'boolean', help: 'delete what no manifest names, once it is a day old' },
    json: { type: 'boolean', help: 'one JSON document on stdout' },
  },
  isWatched: () => true,
  async run(values, context) {
    const { log, now, signal } = context;
    // Looking at what has landed needs no keys of Amplitude.
    const settings = context.settings({ amplitude: values.repair, times: values });
    collectEagerly();
    const started = performance.now();
    const range = givenRange(values, settings.range, now());
    const destination = await openDestination(settings.destination, { s3: settings.s3, signal, log });
    try {
      const options = { destination, range, depth: depthOf(values), now: now() };
      const found = await verify({
        ...options,
        onSealed: (manifests) => log.info(`Comparing ${count(manifests, 'manifest')} with what is stored.`),
      });
      const differing = values.repair ? repairable(found.differences) : new Set<Hour>();
      const repair =
        differing.size > 0 ? await repairHours(differing, found.differences, options, settings, context) : undefined;
      const swept = values.sweep ? new Set((await sweep(found.unsealed, options)).map(({ key }) => key)) : undefined;
      const isLeft = ({ key }: { readonly key: string }) => swept?.has(key) !== true;
      const left = (repair?.report.differences ?? reportedDifferences(found.differences)).filter(isLeft);
      const report = verifyReport(found, {
        destination: destination.name,
        range,
        depth: options.depth,
        repair: repair === undefined ? null : { ...repair.report, differences: left },
        swept: swept === undefined ? null : [...swept],
        requests: { ...destination.requests },
        seconds: (performance.now() - started) / 1000,
        exitCode: repair?.exitCode ?? (left.length > 0 ? EXIT.partial : EXIT.done),
      });
      const differences = found.differences.filter(isLeft);
      const text = verifySummary(report, differences);
      const kestra = kestraReport(report);
      // Before the summary, whose numbers end the log.
      if (report.exitCode === EXIT.partial) log.error(failure(report, differences));
      return await present(report, { text, kestra, failing: kestra.outputs.differingHours }, context);
    } finally {
      await destination.close();
    }
  },
});

function depthOf({ deep, checksums }: { readonly deep: boolean; readonly checksums: boolean }): Depth {
  if (deep) return 'deep';
  return checksums ? 'checksums' : 'listing';
}

/** Lands hours that differ again, and looks at them once more. `exitCode` is there where the repair ended before its time. */
async function repairHours(
  hours: ReadonlySet<Hour>,
  differences: readonly Difference[],
  options: VerifyOptions,
  settings: Settings,
  { log, now, signal }: CommandContext,
): Promise<{ report: ReportedRepair; exitCode: number | undefined }> {
  const { runExport } = await import('../export/export.ts');
  const { windowDone } = await import('../export/report.ts');
  const { tally } = await runExport({
    settings,
    flags: {},
    repair: hours,
    log,
    now,
    signal,
    onPlan: ({ windows }) =>
      log.info(`Landing ${count(hours.size, 'hour')} again in ${count(windows.length, 'request')}.`),
    onWindow: (...done) => log.info(...windowDone(...done)),
  });
  if (tally.ended !== undefined) log.failure(tally.ended);
  const again = await verifyHours(hours, options);
  const notTried = differences.filter(({ hour }) => hour === undefined || !hours.has(hour));
  const report = {
    repaired: [...hours].filter((hour) => tally.sealed.has(hour)).map(formatHour),
    failed: [...tally.failed.values()].map((failure) => ({ ...failure, hour: formatHour(failure.hour) })),
    differences: reportedDifferences([...again.differences, ...notTried]),
  };
  return { report, exitCode: tally.ended?.exitCode };
}
