import { rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import PQueue from 'p-queue';
import type { Settings } from '../config/settings.ts';
import { openDestination } from '../destination/open.ts';
import { JobError, systemCode } from '../errors.ts';
import { count, printableName } from '../format.ts';
import { formatHour } from '../hours.ts';
import { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import { ChangedMeanwhile, FailedUploads } from './failed-uploads.ts';
import { type Folder, type Found, findFiles, openFolder } from './folder.ts';
import { CHANGED, GONE, type InspectOptions, inspect } from './inspect.ts';
import { keep, type MoveCode, type Verdict } from './judge.ts';

export interface ReconcileFlags {
  readonly dir: string;
  readonly dryRun: boolean;
}

export interface ReconcileOptions {
  readonly settings: Settings;
  readonly flags: ReconcileFlags;
  readonly log: Log;
  readonly now: () => Date;
  /** Aborts with the reason to stop, a JobError. */
  readonly signal: AbortSignal;
}

/** What became of each file, or would with `dryRun`. `file` is below `dir`, `to` below `failedUploads`. */
export interface Outcome extends Folder {
  readonly destination: string;
  readonly dryRun: boolean;
  readonly deleted: {
    readonly file: string;
    readonly hour: string;
    readonly key: string;
    /** Of the stored object. */
    readonly bytes: number;
  }[];
  readonly moved: {
    readonly file: string;
    readonly to: string;
    readonly hour: string | null;
    readonly code: MoveCode;
    readonly reason: string;
  }[];
  readonly kept: { readonly file: string; readonly code: string; readonly reason: string }[];
}

export interface Reconciled extends Outcome {
  /** What stopped the run, or the first failure of the destination. */
  readonly failed: JobError | undefined;
}

/** After so many failures in a row the destination counts as down. */
const MOST_FAILURES = 5;

/**
 * Deletes local export files whose content the destination confirms, and moves all others to failed_uploads/. Throws a
 * JobError only before the first file; later failures are in the result.
 */
export async function runReconcile(options: ReconcileOptions): Promise<Reconciled> {
  const { settings, flags, log, signal } = options;
  const { destination: address, s3 } = settings;
  const folder = await openFolder(flags.dir, address, flags.dryRun);
  const found = await Array.fromAsync(findFiles(folder.dir, signal));
  const destination = openDestination(address, { s3, signal, log });
  try {
    log.info(`Comparing ${count(found.length, 'file')} in ${printableName(folder.dir)} with ${destination.name}.`);
    const { id: project } = await PrefixProject.of(destination);
    const { dryRun } = flags;
    const outcome = { ...folder, destination: destination.name, dryRun, deleted: [], moved: [], kept: [] };
    const inspection = { dir: folder.dir, destination, address, project, signal };
    return await new Reconciliation(outcome, inspection, options).run(found);
  } finally {
    await destination.close();
  }
}

class Reconciliation {
  readonly #outcome: Outcome;
  readonly #inspection: InspectOptions;
  readonly #options: ReconcileOptions;
  readonly #failedUploads: FailedUploads;
  readonly #emptied = new Set<string>();
  #failed: JobError | undefined;
  #failures = 0;
  #ended = false;

  constructor(outcome: Outcome, inspection: InspectOptions, options: ReconcileOptions) {
    this.#outcome = outcome;
    this.#inspection = inspection;
    this.#options = options;
    this.#failedUploads = new FailedUploads(outcome.failedUploads, options);
  }

  async run(found: readonly Found[]): Promise<Reconciled> {
    const queue = new PQueue({ concurrency: this.#options.settings.uploadConcurrency });
    try {
      await queue.addAll(found.map((each) => () => this.#reconcile(each)));
    } finally {
      queue.clear();
      await this.#failedUploads.close();
    }
    await this.#removeEmptied();
    const { deleted, moved, kept } = this.#outcome;
    for (const list of [deleted, moved, kept]) list.sort((a, b) => (a.file < b.file ? -1 : 1));
    return { ...this.#outcome, failed: this.#failed };
  }

  async #reconcile({ file, verdict }: Found): Promise<void> {
    try {
      await this.#act(file, verdict ?? (await this.#inspect(file)));
    } catch (error) {
      const { signal } = this.#options;
      await this.#act(file, this.#afterFailure(signal.aborted ? signal.reason : error));
    }
  }

  async #inspect(file: string): Promise<Verdict> {
    if (this.#ended) return keep('NOT_ATTEMPTED', 'the run ended first');
    const verdict = await inspect(file, this.#inspection);
    this.#failures = 0;
    return verdict;
  }

  /** A file stays where anything went wrong with it. Throws what is a defect of this program. */
  #afterFailure(error: unknown): Verdict {
    if (error instanceof ChangedMeanwhile) return CHANGED;
    if (error instanceof JobError) {
      this.#failures++;
      const ends = error.endsRun || this.#failures >= MOST_FAILURES;
      // What stopped the run says more than an earlier failure.
      if (this.#failed === undefined || (ends && !this.#ended)) this.#failed = error;
      this.#ended ||= ends;
      return keep(error.code, error.message);
    }
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT') return GONE;
    return keep('LOCAL', `it cannot be ${this.#options.flags.dryRun ? 'read' : 'moved or deleted'} (${code})`);
  }

  async #act(file: string, verdict: Verdict): Promise<void> {
    const { dir, dryRun, deleted, moved, kept } = this.#outcome;
    const { log } = this.#options;
    if (verdict.kind === 'keep') {
      const { code, reason } = verdict;
      kept.push({ file, code, reason });
      log.debug(`kept ${printableName(file)}: ${reason}`);
      return;
    }
    if (verdict.kind === 'delete') {
      const { key, bytes } = verdict.landed.object;
      if (!dryRun) await unlink(join(dir, file));
      deleted.push({ file, hour: formatHour(verdict.hour), key, bytes });
      log.debug(`deleted ${printableName(file)}: it is stored as ${key}`);
    } else {
      const { code, reason } = verdict;
      const why = { hour: verdict.hour === undefined ? null : formatHour(verdict.hour), code, reason };
      const to = dryRun ? await this.#failedUploads.placeFor(file) : await this.#failedUploads.move(dir, file, why);
      moved.push({ file, to, ...why });
      log.debug(`moved ${printableName(file)}: ${reason}`);
    }
    if (!dryRun) this.#emptied.add(dirname(file));
  }

  /** Removes the folders that are empty now because their files are gone. */
  async #removeEmptied(): Promise<void> {
    for (const emptied of this.#emptied) {
      for (let folder = emptied; folder !== '.'; folder = dirname(folder)) {
        const error = await rmdir(join(this.#outcome.dir, folder)).catch((thrown: unknown) => thrown);
        if (error !== undefined && systemCode(error) !== 'ENOENT') break;
      }
    }
  }
}
