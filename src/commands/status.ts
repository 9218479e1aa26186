import { writeFile } from 'node:fs/promises';
import { collectEagerly } from '../archive/memory.ts';
import { type CommandContext, defineCommand, type Flags, type Values } from '../cli/command.ts';
import { present } from '../cli/present.ts';
import type { Settings } from '../config/settings.ts';
import { openDestination } from '../destination/open.ts';
import { JobError, systemCode, UsageError } from '../errors.ts';
import { count, printableName } from '../format.ts';
import { joinedHours } from '../hours.ts';
import { calendar } from '../status/calendar.ts';
import { dropSentence } from '../status/drops.ts';
import {
  failingHours,
  failure,
  kestraReport,
  type StatusReport,
  statusReport,
  statusSummary,
} from '../status/report.ts';
import { takeStatus } from '../status/status.ts';

/** Reading so many manifests takes seconds, and whoever waits wants to know what for. */
const TAKES_SECONDS = 2000;

const flags = {
  start: { type: 'text', value: 'T', help: 'as for export; else 30 days back, or the first hour that has landed' },
  end: { type: 'text', value: 'T', help: 'as for export; else now' },
  lookbackDays: { type: 'whole', value: 'N', range: [1, 3650], example: 30, help: 'instead of 30 days' },
  all: { type: 'boolean', help: 'also the hours before the first one that has landed' },
  noEvents: { type: 'boolean', help: 'listings only: quicker over a year; knows neither events nor shrunk hours' },
  files: { type: 'boolean', help: 'every object with time, size and checksum' },
  html: { type: 'path', value: 'FILE', help: 'write a page with a heat map, events per hour and the gaps' },
  failOnGaps: {
    type: 'age',
    value: 'AGE',
    bare: '0h',
    hint: 'Write --fail-on-gaps for any gap, --fail-on-gaps=36h or --fail-on-gaps=2d for those that are older.',
    help: 'exit 3 where hours are missing or unreadable; with an age (36h, 2d), only for those that are older',
  },
  alertOnDrop: {
    type: 'ratio',
    value: 'RATIO',
    bare: '1/3',
    hint: 'Write what is left of the usual events: --alert-on-drop=1/2 or --alert-on-drop=0.2; --alert-on-drop alone is 1/3.',
    help: 'exit 3 where an hour has less than RATIO (1/3) of its usual events: the median of the same weekday and hour in the 4 weeks before, from 3 weeks and 100 events on. Looks at hours that landed in the last day; with --start or --end, at all',
  },
  json: { type: 'boolean', help: 'one JSON document on stdout' },
} as const satisfies Flags;

export const statusCommand = defineCommand({
  name: 'status',
  summary: 'what has landed, hour by hour, and the gaps',
  help: `
    What has landed, hour by hour: complete, empty, missing, pending, unsettled, shrunk. Lists the gaps, each with the
    command that fills it. Needs no keys of Amplitude.`,
  examples: ['status --html status.html'],
  flags,
  formerFlags: {
    'since-first':
      'Leave it out: status begins at the first hour that has landed; --all shows the hours before it too.',
  },
  isWatched: () => true,
  run: (values, context) => showStatus(context.settings({ amplitude: false, times: values }), values, context),
});

/** Resolves to the exit code. */
export async function showStatus(
  settings: Settings,
  given: Partial<Values<typeof flags>>,
  context: CommandContext,
): Promise<number> {
  const { out, log, now, signal } = context;
  const { noEvents = false, files: withFiles = false, html, failOnGaps, alertOnDrop } = given;
  if (noEvents && alertOnDrop !== undefined) {
    throw new UsageError('--alert-on-drop needs the events, and --no-events leaves them out: give one of them.');
  }
  collectEagerly();
  const started = performance.now();
  const destination = await openDestination(settings.destination, { s3: settings.s3, signal, log });
  try {
    const status = await takeStatus({
      destination,
      flags: given,
      settings,
      now: now(),
      withEvents: !noEvents,
      withFiles,
      dropsBelow: alertOnDrop,
      onReading: (manifests) => {
        if (manifests > TAKES_SECONDS) log.info(`Reading ${count(manifests, 'manifest')}.`);
      },
    });
    const seconds = (performance.now() - started) / 1000;
    const report = statusReport(status, { failOnGapsOlderThan: failOnGaps, seconds });
    if (html !== undefined) {
      await writePage(html, report);
      log.info(`Wrote ${html}.`);
    }
    const text = [...(withFiles ? fileLines(report) : []), statusSummary(report)].join('\n');
    const painted = `${calendar(report, out.color)}\n`;
    const { events, quarantined, ...totals } = report.totals;
    const fields = { ...totals, events: events ?? undefined, quarantined: quarantined ?? undefined };
    const failing = joinedHours(failingHours(report, failOnGaps));
    await present(report, { text, painted, fields, kestra: kestraReport(report), failing }, context);
    const gaps = failOnGaps === undefined ? undefined : failure(report, failOnGaps);
    for (const failed of [gaps, dropSentence(report.drops)]) if (failed !== undefined) log.error(failed);
    return report.exitCode;
  } finally {
    await destination.close();
  }
}

async function writePage(file: string, report: StatusReport): Promise<void> {
  const { statusPage } = await import('../status/page/page.ts');
  await writeFile(file, statusPage(report)).catch((error: unknown) => {
    throw new JobError(
      'USAGE',
      `--html names ${file}, which cannot be written (${systemCode(error) ?? String(error)}).`,
      {
        cause: error,
        hint: 'Name a file in a folder that exists and may be written.',
      },
    );
  });
}

function fileLines(report: StatusReport): string[] {
  return report.hours.flatMap(({ files = [] }) =>
    files.map(
      ({ key, bytes, modifiedAt, crc32 }) =>
        `${modifiedAt.slice(0, 19)}Z ${String(bytes).padStart(12)}  ${crc32 ?? '(unsealed)'}  ${printableName(key)}`,
    ),
  );
}
