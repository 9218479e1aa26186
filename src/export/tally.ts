import { EXIT, JobError } from '../errors.ts';
import { formatHour, type Hour } from '../hours.ts';
import type { Manifest } from '../landing/manifest.ts';
import { describe } from '../log.ts';

export interface Failure {
  readonly hour: Hour;
  readonly code: string;
  readonly message: string;
}

/** Time spent in each stage, added up over all that runs at once, in milliseconds. */
export interface Timings {
  downloadMs: number;
  inflateMs: number;
  uploadMs: number;
}

/** What a run has done so far; the progress display and the report read it. */
export class Tally {
  readonly sealed = new Map<Hour, Manifest>();
  readonly shrunk = new Set<Hour>();
  readonly unchanged = new Set<Hour>();
  readonly failed = new Map<Hour, Failure>();
  readonly #told = new Set<string>();
  /** What ended the run before its time. */
  ended: JobError | undefined;
  requests = 0;
  retries = 0;
  downloadedBytes = 0;
  uploadedBytes = 0;
  readonly timings: Timings = { downloadMs: 0, inflateMs: 0, uploadMs: 0 };

  seal(hour: Hour, manifest: Manifest): void {
    this.failed.delete(hour);
    this.sealed.set(hour, manifest);
  }

  /** Whether nothing has been told of this error yet: it may be that of many hours. */
  fail(hour: Hour, error: unknown): boolean {
    if (this.sealed.has(hour)) return false;
    const code = error instanceof JobError ? error.code : 'INTERNAL';
    const message = describe(error);
    this.failed.set(hour, { hour, code, message });
    if (this.#told.has(message)) return false;
    this.#told.add(message);
    return true;
  }

  get done(): number {
    return this.sealed.size + this.failed.size;
  }

  get exitCode(): number {
    const code = this.ended?.exitCode ?? EXIT.failed;
    if (this.ended !== undefined && code !== EXIT.failed) return code;
    if (this.failed.size === 0 && this.ended === undefined) return EXIT.done;
    return this.sealed.size > 0 ? EXIT.partial : EXIT.failed;
  }

  hours(which: 'complete' | 'empty'): string[] {
    return [...this.sealed]
      .filter(([, manifest]) => manifest.status === which)
      .map(([hour]) => hour)
      .sort((a, b) => a - b)
      .map(formatHour);
  }
}
