import { EXIT, JobError } from '../errors.ts';
import type { Hour } from '../hours.ts';
import type { Manifest } from '../landing/manifest.ts';
import { describe } from '../log.ts';

/** Time spent in each stage, added up over all that runs at once, in milliseconds. */
export interface Timings {
  downloadMs: number;
  inflateMs: number;
  uploadMs: number;
}

/** Of an hour that is sealed. All of a manifest would be too much to keep for each hour of a year. */
export type Sealed = Pick<Manifest, 'status' | 'events' | 'bytes' | 'quarantined'>;

/** What a run has done so far; the progress display and the report read it. */
export class Tally {
  readonly sealed = new Map<Hour, Sealed>();
  readonly shrunk = new Set<Hour>();
  readonly unchanged = new Set<Hour>();
  readonly failed = new Map<Hour, { readonly hour: Hour; readonly code: string; readonly message: string }>();
  readonly #messages = new Set<string>();
  /** What ended the run early. */
  ended: JobError | undefined;
  requests = 0;
  retries = 0;
  downloadedBytes = 0;
  uploadedBytes = 0;
  readonly timings: Timings = { downloadMs: 0, inflateMs: 0, uploadMs: 0 };

  /** True where this is the first hour with this error: many hours may have the same. */
  fail(hour: Hour, error: unknown): boolean {
    if (this.sealed.has(hour)) return false;
    const message = describe(error);
    this.failed.set(hour, { hour, code: error instanceof JobError ? error.code : 'INTERNAL', message });
    const isNew = !this.#messages.has(message);
    this.#messages.add(message);
    return isNew;
  }

  get done(): number {
    return this.sealed.size + this.failed.size;
  }

  get exitCode(): number {
    if (this.ended !== undefined && this.ended.exitCode !== EXIT.failed) return this.ended.exitCode;
    if (this.failed.size === 0 && this.ended === undefined) return EXIT.done;
    return this.sealed.size > 0 ? EXIT.partial : EXIT.failed;
  }
}
