import { stat } from 'node:fs/promises';
import PQueue from 'p-queue';
import { type Place, runAdopt } from '../adopt/adopt.ts';
import type { Landed } from '../adopt/hour.ts';
import { type Branch, MERGED_IDS } from '../adopt/names.ts';
import { adoptReport, adoptSummary, kestraReport } from '../adopt/report.ts';
import { Source } from '../adopt/source.ts';
import { collectEagerly } from '../archive/memory.ts';
import { type CommandContext, defineCommand } from '../cli/command.ts';
import { present } from '../cli/present.ts';
import { readDestination } from '../config/address.ts';
import { givenRange } from '../config/range.ts';
import { readFlag } from '../config/readers.ts';
import type { DestinationAddress, Settings } from '../config/settings.ts';
import { contentOf, type Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { JobError, UsageError } from '../errors.ts';
import { HourLanding } from '../export/hour.ts';
import { Tally } from '../export/tally.ts';
import { formatWindow, hourOf, joinedHours, type Window } from '../hours.ts';
import { unprovedKey } from '../landing/keys.ts';
import { unprovedIn } from '../landing/listing.ts';
import { PrefixProject } from '../landing/project.ts';

export const adoptCommand = defineCommand({
  name: 'adopt',
  summary: "takes over what Amplitude's own export or older scripts left",
  help: `
    Lands the files below SOURCE as an export would: reads, checks and counts each file, writes it to the destination and
    seals its hour. SOURCE is a folder or an s3:// prefix, filled by Amplitude's own S3 export, by scripts, or by this
    program; it may be the destination itself. SOURCE is never changed. Amplitude's _complete mark proves that an hour is
    whole. An hour without proof lands too: status shows it as unproved, and export asks Amplitude for it. Needs no keys of
    Amplitude.`,
  examples: [
    'adopt s3://my-bucket/amplitude-export --dry-run',
    'adopt ./python-import --start 2026-01-01 --end 2026-02-01',
  ],
  argument: {
    value: 'SOURCE',
    help: 'a folder or an s3:// prefix',
    example: 's3://my-bucket/amplitude-export --dry-run',
  },
  flags: {
    start: { type: 'text', value: 'T', help: 'as for export; else all that is there' },
    end: { type: 'text', value: 'T', help: 'as for export' },
    lookbackDays: {
      type: 'whole',
      value: 'N',
      range: [1, 3650],
      example: 2,
      help: 'instead of --start: the last N days',
    },
    trust: { type: 'boolean', help: 'take hours as whole although nothing proves it; export does not ask for them' },
    strict: { type: 'boolean', help: 'parse every line as JSON; lines that do not parse go to quarantine' },
    dryRun: { type: 'boolean', short: 'n', help: 'print what would be adopted, by listing; write nothing' },
    json: { type: 'boolean', help: 'one JSON document on stdout, the log on stderr' },
  },
  isWatched: ({ dryRun }) => !dryRun,
  async run(values, context) {
    const { trust, strict, dryRun } = values;
    const { out, log, now, signal } = context;
    collectEagerly();
    const started = performance.now();
    const settings = context.settings({ amplitude: false, times: values });
    const range = givenRange(values, settings.range, now());
    const from = readFlag('SOURCE', context.argument, readDestination, 's3://my-bucket/amplitude-export');
    const opened: Destination[] = [];
    const open = async (address: DestinationAddress, setting?: string) => {
      const named = setting === undefined ? {} : { setting };
      const destination = await openDestination(address, { s3: settings.s3, signal, log, ...named });
      opened.push(destination);
      return destination;
    };
    try {
      await mustBeFolder(from);
      const source = new Source(await open(from, 'SOURCE'), from, settings.destination);
      const destination = await open(settings.destination);
      if (!dryRun) await destination.lock();
      const place = async (branch: Branch) => {
        const to = branch === 'events' ? destination : await open(below(settings.destination, MERGED_IDS));
        return await placeIn(to, { branch, strict, settings }, context);
      };
      const outcome = await runAdopt({
        source,
        range: range ?? { start: 0, end: hourOf(now()) + 1 },
        trust,
        strict,
        dryRun,
        settleHours: settings.settleHours,
        format: settings.outputFormat,
        atOnce: settings.uploadConcurrency,
        open: place,
        log,
        now,
        signal,
        onPlan: (hours, counts) => {
          if (!dryRun) out.progress?.start(hours, counts);
        },
      });
      out.progress?.stop();
      if (outcome.isNothing) throw nothing(source.name, outcome.project, range);
      const report = adoptReport(outcome, {
        source: source.name,
        destination: destination.name,
        dryRun,
        range,
        requests: sumOf(opened),
        seconds: (performance.now() - started) / 1000,
      });
      if (outcome.ended !== undefined) log.failure(outcome.ended);
      const views = { text: adoptSummary(report), kestra: kestraReport(report), inLog: !dryRun };
      const failing = joinedHours(report.hours.failed.map(({ hour }) => hour));
      return await present(report, { ...views, failing }, context);
    } finally {
      for (const destination of opened.reverse()) await destination.close();
    }
  },
});

/** Hours land there as those of an export do. */
async function placeIn(
  destination: Destination,
  { branch, strict, settings }: { readonly branch: Branch; readonly strict: boolean; readonly settings: Settings },
  { log, now }: CommandContext,
): Promise<Place> {
  const project = await PrefixProject.of(destination);
  const uploads = new PQueue({ concurrency: settings.uploadConcurrency });
  const rules = { format: settings.outputFormat, strict, mode: 'adopt' } as const;
  // Marks of hours that a killed run has marked and not sealed.
  const unproved = await unprovedIn({ start: 0, end: hourOf(now()) + 1 }, destination);
  return {
    destination,
    project,
    async land(hour, members, origin, isSealed) {
      const tally = new Tally();
      const options = { destination, project, rules, unproved, uploads, tally, log, now };
      const landing = new HourLanding(hour, members, origin, options);
      await landing.prepare(isSealed);
      // Before the manifest: a run that dies in between leaves no hour that looks proved. Amplitude serves no merged IDs.
      if (origin.source?.proof === 'none' && branch === 'events') {
        await destination.put(unprovedKey(hour), contentOf(Buffer.alloc(0)));
      }
      await landing.seal();
      return tally.sealed.get(hour) as Landed;
    },
  };
}

async function mustBeFolder(from: DestinationAddress): Promise<void> {
  if (from.kind === 's3') return;
  const info = await stat(from.folder).catch(() => undefined);
  if (info?.isDirectory()) return;
  const why = info === undefined ? 'which is not there' : 'which is no folder';
  throw new UsageError(`SOURCE is ${from.folder}, ${why}.`, 'Name a folder that exists, or s3://bucket/prefix.');
}

function below(address: DestinationAddress, folder: string): DestinationAddress {
  const name = folder.replace(/\/$/, '');
  return address.kind === 's3'
    ? { ...address, prefix: address.prefix === '' ? name : `${address.prefix}/${name}` }
    : { ...address, folder: `${address.folder.replace(/\/$/, '')}/${name}` };
}

function sumOf(destinations: readonly Destination[]) {
  const requests = { listings: 0, reads: 0, looks: 0 };
  for (const { requests: some } of destinations) {
    requests.listings += some.listings;
    requests.reads += some.reads;
    requests.looks += some.looks;
  }
  return requests;
}

function nothing(source: string, project: string | undefined, range: Window | undefined): JobError {
  const what = project === undefined ? 'no export file' : `no hour of project ${project}`;
  const where = range === undefined ? '' : ` in ${formatWindow(range)}`;
  return new JobError('ADOPT_NOTHING', `${source} has ${what} that could be adopted${where}.`, {
    hint: 'Files have names such as 100011471_2026-11-20_5#0.json.gz. Check the folder or prefix, and the range.',
  });
}
