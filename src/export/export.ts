import PQueue from 'p-queue';
import { MemoryBudget } from '../archive/memory.ts';
import type { Settings } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { JobError } from '../errors.ts';
import { type Hour, hourFolder, hoursOf, LONGEST_REQUEST_HOURS, type Window } from '../hours.ts';
import { firstLanded, nothingLanded, sealedIn } from '../landing/listing.ts';
import { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import { redaction } from '../redaction.ts';
import type { Mode } from './decide.ts';
import { type ExportFlags, type Plan, planHours, planRepair, rangeOf } from './plan.ts';
import { Tally } from './tally.ts';
import { WindowRunner } from './windows.ts';

export interface ExportOptions {
  readonly settings: Settings;
  readonly flags: ExportFlags;
  /** Instead of a range: hours whose stored objects differ from their manifests. All of them is written anew. */
  readonly repair?: ReadonlySet<Hour>;
  readonly log: Log;
  readonly now: () => Date;
  /** Aborts with the reason to stop, a JobError. */
  readonly signal: AbortSignal;
  /** Called once the plan is known, before the first request. */
  readonly onPlan: (plan: Plan, tally: Tally) => void;
  /** Called for each window whose answer has landed. */
  readonly onWindow: (window: Window, plan: Plan, tally: Tally) => void;
}

export interface ExportResult {
  readonly plan: Plan;
  readonly tally: Tally;
  /** As people write it. */
  readonly destination: string;
}

/**
 * The job, from plan to report. Failures of hours are in the tally; throws a JobError only where there is no plan: a
 * range that cannot be read, a destination that cannot be listed, an interruption before that.
 */
export async function runExport(options: ExportOptions): Promise<ExportResult> {
  const { settings, flags, log, now, signal, repair } = options;
  const range = repair === undefined ? rangeOf(flags, settings.range, now()) : undefined;
  const stopper = new AbortController();
  const either = AbortSignal.any([signal, stopper.signal]);
  const destination = openDestination(settings.destination, { s3: settings.s3, signal: either, log });
  const tally = new Tally();
  const stop = (error: JobError) => {
    tally.ended ??= error;
    stopper.abort(error);
  };
  try {
    // Before the plan: what another run seals until then is not asked for again.
    if (flags.dryRun !== true) await destination.lock();
    if (flags.dryRun === true && (await firstLanded(destination)) === undefined) log.warn(nothingLanded(destination));
    const plan =
      range === undefined
        ? planRepair(repair ?? [], settings.requestHours)
        : planHours({
            range,
            now: now(),
            sealedAt: await sealedIn(range, destination),
            settleHours: settings.settleHours,
            requestHours: settings.requestHours,
            force: flags.force !== undefined && flags.force !== false,
          });
    options.onPlan(plan, tally);
    if (flags.dryRun !== true) await sweepDays(plan, destination);
    if (flags.dryRun !== true && plan.windows.length > 0) {
      const runner = new WindowRunner({
        destination,
        format: settings.outputFormat,
        strict: flags.strict === true,
        mode: repair === undefined ? modeOf(flags) : 'repair',
        members: new PQueue({ concurrency: settings.uploadConcurrency }),
        requests: new PQueue({ concurrency: settings.amplitude.concurrency }),
        tally,
        log,
        now,
        project: await PrefixProject.of(destination),
        amplitude: settings.amplitude,
        redact: redaction(settings.secrets),
        keep: {
          budget: new MemoryBudget(settings.archiveMemoryBytes),
          budgetBytes: settings.archiveMemoryBytes,
          workDir: settings.workDir,
        },
        signal: either,
        onDone: (window) => options.onWindow(window, plan, tally),
        stop,
      });
      await runner.run(plan.windows);
    }
    if (signal.aborted && signal.reason instanceof JobError) tally.ended = signal.reason;
    if (tally.ended !== undefined) nameTheRest(plan, tally, tally.ended);
    return { plan, tally, destination: destination.name };
  } finally {
    await destination.close();
  }
}

function modeOf({ force = false }: ExportFlags): Mode {
  if (force === 'empty') return 'force-empty';
  return force ? 'force' : 'export';
}

/**
 * A run that was killed as it sealed an hour may leave a partial file beside the manifest, one that was killed beside
 * another run may leave some in an hour that is sealed: no landing would come to sweep them.
 */
async function sweepDays({ range, hours }: Plan, destination: Destination): Promise<void> {
  // Of a repair the range may be years long, its hours are few.
  const touched = hours.size > 0 && range.end - range.start > LONGEST_REQUEST_HOURS ? hours.keys() : hoursOf(range);
  const days = new Set([...touched].map((hour) => hourFolder(hour).split('/')[0]));
  for (const day of days) {
    for (const top of ['events', 'quarantine', 'manifests']) await destination.sweep(`${top}/${day}`);
  }
}

/** Hours that were planned and neither sealed nor tried to the end are named too. What ended the run is said once, at its end. */
function nameTheRest(plan: Plan, tally: Tally, ended: JobError): void {
  if (ended.code === 'INTERRUPTED') return;
  const error = new JobError('NOT_ATTEMPTED', `Not attempted: the run ended before (${ended.code}).`);
  for (const window of plan.windows) {
    for (const hour of hoursOf(window)) {
      if (!tally.sealed.has(hour) && !tally.failed.has(hour)) tally.fail(hour, error);
    }
  }
}
