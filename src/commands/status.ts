import { writeFile } from 'node:fs/promises';
import { collectEagerly } from '../archive/memory.ts';
import { type CommandContext, keepReport } from '../cli/command.ts';
import type { Settings } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { EXIT, JobError } from '../errors.ts';
import { count, printableName } from '../format.ts';
import { calendar } from '../status/calendar.ts';
import { failure, kestraStatus, type StatusReport, statusReport, statusSummary } from '../status/report.ts';
import { type RangeFlags, takeStatus } from '../status/status.ts';

/** From so many manifests on, whoever waits wants to know what for. */
const TAKES_SECONDS = 2000;

export interface StatusFlags extends RangeFlags {
  readonly events: boolean;
  readonly files: boolean;
  readonly html: string | undefined;
  /** In hours; undefined: gaps are no failure. */
  readonly failOnGaps: number | undefined;
}

/** `status`: what has landed, hour by hour, in the form that the reader takes. Resolves to the exit code. */
export async function statusCommand(settings: Settings, flags: StatusFlags, context: CommandContext): Promise<number> {
  const { out, log, now, signal } = context;
  for (const warning of settings.warnings) log.warn(warning);
  collectEagerly();
  const started = performance.now();
  const destination = openDestination(settings.destination, { s3: settings.s3, signal, log });
  const report = await look(destination);
  await keepReport(settings.reportFile, report, context);
  if (flags.html !== undefined) {
    await writePage(flags.html, report);
    log.info(`Wrote ${flags.html}.`);
  }
  const failed = flags.failOnGaps === undefined ? undefined : failure(report, flags.failOnGaps);

  if (out.json) out.document(report);
  else if (out.format === 'pretty') {
    out.printPainted(calendar(report, out.color));
    if (flags.files) for (const line of fileLines(report)) out.print(line);
    out.print(statusSummary(report));
  } else {
    const summary = statusSummary(report);
    log.info(out.format === 'json' ? summary.replace(/\n\s*/g, '; ') : summary, {
      ...report.totals,
      events: report.totals.events ?? undefined,
      quarantined: report.totals.quarantined ?? undefined,
    });
    if (out.format === 'kestra') for (const line of kestraStatus(report)) out.print(line);
  }
  if (failed !== undefined) log.error(failed);
  return report.exitCode;

  async function look(at: Destination) {
    try {
      const status = await takeStatus({
        destination: at,
        flags,
        settings,
        now: now(),
        withEvents: flags.events,
        withFiles: flags.files,
        onReading: (manifests) => {
          if (manifests > TAKES_SECONDS) log.info(`Reading ${count(manifests, 'manifest')}.`);
        },
      });
      return statusReport(status, {
        failOnGapsOlderThan: flags.failOnGaps,
        seconds: (performance.now() - started) / 1000,
      });
    } finally {
      at.close();
    }
  }
}

async function writePage(file: string, report: StatusReport): Promise<void> {
  const { statusPage } = await import('../status/page/page.ts');
  try {
    await writeFile(file, statusPage(report));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new JobError('USAGE', `--html names ${file}, which cannot be written (${code}).`, {
      cause: error,
      exitCode: EXIT.usage,
      hint: 'Name a file in a folder that exists and may be written.',
    });
  }
}

function fileLines(report: StatusReport): string[] {
  return report.hours.flatMap(({ files = [] }) =>
    files.map(
      ({ key, bytes, modifiedAt, crc32 }) =>
        `${modifiedAt.slice(0, 19)}Z ${String(bytes).padStart(12)}  ${crc32 ?? '(unsealed)'}  ${printableName(key)}`,
    ),
  );
}
