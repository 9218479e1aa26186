import { rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { JobError, systemCode } from '../errors.ts';
import { count, printableName } from '../format.ts';
import { formatHour, type Hour } from '../hours.ts';
import { readLocalName } from '../landing/local-name.ts';
import { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import { ChangedMeanwhile, FailedUploads } from './failed-uploads.ts';
import { type Folder, type Found, findFiles, openFolder } from './folder.ts';
import { Judge, unlessChanged } from './judge.ts';
import { keep, type MoveCode, type Verdict } from './verdict.ts';

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

/** What became of each file; with `dryRun`, what would become of it. Paths with `/`, below `dir` or `failedUploads`. */
export interface Reconciled extends Folder {
  readonly destination: string;
  readonly dryRun: boolean;
  readonly deleted: { readonly file: string; readonly hour: Hour; readonly key: string; readonly bytes: number }[];
  readonly moved: {
    readonly file: string;
    readonly to: string;
    readonly hour: Hour | null;
    readonly code: MoveCode;
    readonly reason: string;
  }[];
  readonly kept: { readonly file: string; readonly code: string; readonly reason: string }[];
  /** What stopped the run, or the first failure of the destination. */
  failed: JobError | undefined;
}

/** After so many failures of the destination without an answer in between it is taken for down. */
const MOST_FAILURES = 5;

/**
 * Deletes local export files whose content the destination confirms, and moves all others to failed_uploads/. Throws a
 * JobError only where nothing was begun; whatever happens later is in what it resolves to.
 */
export async function runReconcile(options: ReconcileOptions): Promise<Reconciled> {
  const { settings, flags, log, signal } = options;
  const folder = await openFolder(flags.dir, settings.destination, flags.dryRun);
  const found = await Array.fromAsync(findFiles(folder.dir, signal));
  const destination = openDestination(settings.destination, { s3: settings.s3, signal, log });
  try {
    log.info(`Holding ${count(found.length, 'file')} in ${printableName(folder.dir)} against ${destination.name}.`);
    const { id: project } = await PrefixProject.of(destination);
    return await new Reconciliation(folder, destination, project, options).run(found);
  } finally {
    await destination.close();
  }
}

class Reconciliation {
  readonly #options: ReconcileOptions;
  readonly #judge: Judge;
  readonly #failedUploads: FailedUploads;
  readonly #result: Reconciled;
  readonly #emptied = new Set<string>();
  #failures = 0;
  #ended = false;

  constructor(folder: Folder, destination: Destination, project: string | undefined, options: ReconcileOptions) {
    const { settings, flags, signal, now } = options;
    this.#options = options;
    this.#judge = new Judge({ dir: folder.dir, destination, address: settings.destination, signal, project });
    this.#failedUploads = new FailedUploads(folder.failedUploads, { signal, now });
    const { name } = destination;
    const { dryRun } = flags;
    this.#result = { ...folder, destination: name, dryRun, deleted: [], moved: [], kept: [], failed: undefined };
  }

  async run(found: readonly Found[]): Promise<Reconciled> {
    const files = byHour(found);
    let next = 0;
    const work = async () => {
      while (next < files.length) await this.#file(files[next++] as Found);
    };
    try {
      await Promise.all(Array.from({ length: this.#options.settings.uploadConcurrency }, work));
    } finally {
      next = files.length;
      await this.#failedUploads.close();
    }
    await this.#removeEmptied();
    for (const list of [this.#result.deleted, this.#result.moved, this.#result.kept]) {
      list.sort((a, b) => (a.file < b.file ? -1 : 1));
    }
    return this.#result;
  }

  async #file({ file, verdict }: Found): Promise<void> {
    try {
      if (verdict !== undefined) return await this.#carryOut(file, verdict);
      if (this.#ended) return await this.#carryOut(file, keep('NOT_ATTEMPTED', 'the run ended before'));
      const judged = await this.#judge.judge(file);
      this.#failures = 0;
      await this.#carryOut(file, await unlessChanged(join(this.#result.dir, file), judged));
    } catch (error) {
      await this.#carryOut(file, this.#afterFailure(error));
    }
  }

  /** A file for which anything went wrong stays where it is. Throws what is a defect of this program. */
  #afterFailure(error: unknown): Verdict {
    if (error instanceof ChangedMeanwhile) return keep('CHANGED', 'it changed while it was read');
    if (!(error instanceof JobError)) {
      const code = systemCode(error);
      this.#ended ||= code === undefined;
      if (code === undefined) throw error;
      if (code === 'ENOENT') return keep('VANISHED', 'it is not there any more');
      return keep('LOCAL', `it cannot be ${this.#options.flags.dryRun ? 'read' : 'taken away'} (${code})`);
    }
    this.#failures++;
    const ends = error.endsRun || this.#failures >= MOST_FAILURES;
    if (ends && !this.#ended) this.#result.failed = error;
    this.#result.failed ??= error;
    this.#ended ||= ends;
    return keep(error.code, error.message);
  }

  async #carryOut(file: string, verdict: Verdict): Promise<void> {
    const { dir, dryRun, deleted, moved, kept } = this.#result;
    const { log } = this.#options;
    if (verdict.kind === 'keep') {
      kept.push({ file, code: verdict.code, reason: verdict.reason });
      log.debug(`kept ${printableName(file)}: ${verdict.reason}`);
      return;
    }
    if (verdict.kind === 'safe') {
      const { key, bytes } = verdict.landed.object;
      if (!dryRun) await unlink(join(dir, file));
      deleted.push({ file, hour: verdict.hour, key, bytes });
      log.debug(`deleted ${printableName(file)}: it is stored as ${key}`);
    } else {
      const { hour = null, code, reason } = verdict;
      const written = { hour: hour === null ? null : formatHour(hour), code, reason };
      const to = dryRun ? await this.#failedUploads.placeFor(file) : await this.#failedUploads.move(dir, file, written);
      moved.push({ file, to, hour, code, reason });
      log.debug(`moved ${printableName(file)}: ${reason}`);
    }
    if (!dryRun) this.#emptied.add(dirname(file));
  }

  /** Folders that something was taken out of, and those above them, go where nothing is left in them. */
  async #removeEmptied(): Promise<void> {
    for (const folder of this.#emptied) {
      for (let at = folder; at !== '.'; at = dirname(at)) {
        if (!(await removed(join(this.#result.dir, at)))) break;
      }
    }
  }
}

async function removed(folder: string): Promise<boolean> {
  return await rmdir(folder).then(
    () => true,
    (error: unknown) => systemCode(error) === 'ENOENT',
  );
}

/** So that each manifest is read once. */
function byHour(found: readonly Found[]): Found[] {
  const hours = new Map(found.map((each) => [each, readLocalName(each.file)?.hour ?? -1]));
  return [...found].sort((a, b) => (hours.get(a) ?? 0) - (hours.get(b) ?? 0));
}
