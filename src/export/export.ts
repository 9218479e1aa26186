import PQueue from 'p-queue';
import { ClockCheck } from '../amplitude/clock.ts';
import type { ExportApiOptions } from '../amplitude/request.ts';
import { MemoryBudget } from '../archive/memory.ts';
import type { Settings } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { JobError } from '../errors.ts';
import { type Hour, hourFolder, hoursOf, LONGEST_REQUEST_HOURS, readHour, type Window } from '../hours.ts';
import { firstLanded, nothingLanded, sealedIn, unprovedIn } from '../landing/listing.ts';
import { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import { agentsFor } from '../network.ts';
import { redaction } from '../redaction.ts';
import { landAnswer } from './answer.ts';
import type { Mode } from './decide.ts';
import { keepAdopted } from './keep.ts';
import { type ExportFlags, type Plan, planHours, planRepair, rangeOf } from './plan.ts';
import { Tally } from './tally.ts';
import { tellFormatChange } from './telling.ts';
import { type Land, WindowRunner } from './windows.ts';

export interface ExportOptions {
  readonly settings: Settings;
  readonly flags: ExportFlags;
  /** Instead of a range: hours whose stored objects differ from their manifests. Their objects are written again. */
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
  /** The newest hour of the range that had landed before. */
  readonly lastLanded?: Hour | undefined;
}

/**
 * The job, from plan to report. Failures of hours are in the tally. Throws a JobError only where there is no plan: a
 * range that cannot be read, a destination that cannot be listed, an interruption before that.
 */
export async function runExport(options: ExportOptions): Promise<ExportResult> {
  const { settings, flags, repair, log, now, signal } = options;
  const isDryRun = flags.dryRun === true;
  const range = repair === undefined ? rangeOf(flags, settings.range, now()) : undefined;
  const tally = new Tally();
  const stopper = new AbortController();
  const stop = (error: JobError) => {
    tally.ended ??= error;
    stopper.abort(error);
  };
  const either = AbortSignal.any([signal, stopper.signal]);
  const destination = await openDestination(settings.destination, { s3: settings.s3, signal: either, log });
  try {
    // Locked before the plan: what another run seals until then is not asked for again.
    if (!isDryRun) await destination.lock();
    else if ((await firstLanded(destination)) === undefined) log.warn(nothingLanded(destination));
    const { plan, lastKept, lastLanded, unproved } = await planFor(options, range, destination);
    options.onPlan(plan, tally);
    if (!isDryRun) await sweepDays(plan, destination);
    if (!isDryRun && plan.windows.length > 0) {
      const api = exportApi(options, tally, either);
      const project = await PrefixProject.of(destination, lastKept);
      const { manifest } = project;
      if (manifest !== undefined && !plan.hours.has(readHour(`${manifest.date}T${manifest.hour}`))) {
        tellFormatChange(manifest, settings.outputFormat, log);
      }
      const landing = {
        destination,
        project,
        rules: { format: settings.outputFormat, strict: flags.strict === true, mode: modeOf(options) },
        unproved,
        uploads: new PQueue({ concurrency: settings.uploadConcurrency }),
        tally,
        log,
        now,
        redact: api.redact,
      };
      const land: Land = (window, archive, requestedAt) => landAnswer(window, archive, requestedAt, landing);
      const onDone = (window: Window) => options.onWindow(window, plan, tally);
      const keep = (hour: Hour) => keepAdopted(hour, landing);
      const runner = new WindowRunner({ api, land, keep, tally, log, onDone, stop });
      await runner.run(plan.windows);
    }
    if (signal.aborted && signal.reason instanceof JobError) tally.ended = signal.reason;
    if (tally.ended !== undefined) nameTheRest(plan, tally, tally.ended);
    return { plan, tally, destination: destination.name, lastLanded };
  } finally {
    await destination.close();
  }
}

function modeOf({ flags: { force = false }, repair }: ExportOptions): Mode {
  if (repair !== undefined) return 'repair';
  if (force === 'empty') return 'force-empty';
  return force ? 'force' : 'export';
}

/** `lastKept` is the hour that was sealed last, of those in the range that this run leaves as they are. */
async function planFor(
  options: ExportOptions,
  range: Window | undefined,
  destination: Destination,
): Promise<{ plan: Plan; lastKept?: Hour | undefined; lastLanded?: Hour | undefined; unproved: ReadonlySet<Hour> }> {
  const { settings, repair, now } = options;
  const { settleHours, requestHours } = settings;
  if (range === undefined) return { plan: planRepair(repair ?? [], requestHours), unproved: new Set() };
  const sealedAt = await sealedIn(range, destination);
  const unproved = await unprovedIn(range, destination);
  const force = modeOf(options) !== 'export';
  const plan = planHours({ range, now: now(), sealedAt, unproved, settleHours, requestHours, force });
  const kept = [...sealedAt].filter(([hour]) => !plan.hours.has(hour));
  const [lastKept] = kept.sort(([, some], [, others]) => Number(others) - Number(some))[0] ?? [];
  return { plan, lastKept, lastLanded: [...sealedAt.keys()].sort((a, b) => b - a)[0], unproved };
}

function exportApi({ settings, now }: ExportOptions, tally: Tally, signal: AbortSignal): ExportApiOptions {
  const { amplitude, archiveMemoryBytes: budgetBytes, workDir } = settings;
  return {
    settings: amplitude,
    signal,
    now,
    clock: new ClockCheck(),
    agents: agentsFor(amplitude.proxyEnv, undefined, amplitude.connectTimeoutMs),
    redact: redaction(settings.secrets),
    keep: { budget: new MemoryBudget(budgetBytes), budgetBytes, workDir },
    onBytes: (bytes) => {
      tally.downloadedBytes += bytes;
    },
  };
}

/**
 * A killed run may leave partial files where no landing comes to sweep them: beside a manifest, or in an hour that
 * another run has sealed.
 */
async function sweepDays({ range, hours }: Plan, destination: Destination): Promise<void> {
  // The range of a repair may be years long, its hours are few.
  const touched = hours.size > 0 && range.end - range.start > LONGEST_REQUEST_HOURS ? hours.keys() : hoursOf(range);
  const days = new Set([...touched].map((hour) => hourFolder(hour).split('/')[0]));
  for (const day of days) {
    for (const top of ['events', 'quarantine', 'manifests']) await destination.sweep(`${top}/${day}`);
  }
}

/** Names the planned hours that were neither sealed nor tried to the end. */
function nameTheRest(plan: Plan, tally: Tally, ended: JobError): void {
  if (ended.code === 'INTERRUPTED') return;
  const error = new JobError('NOT_ATTEMPTED', `Not attempted: the run ended first (${ended.code}).`);
  for (const hour of plan.hours.keys()) {
    if (!tally.failed.has(hour)) tally.fail(hour, error);
  }
}
