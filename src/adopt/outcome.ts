import { EXIT, type JobError } from '../errors.ts';
import { formatHour, type Hour } from '../hours.ts';
import { describe } from '../log.ts';
import type { Left, Result } from './hour.ts';
import type { Branch } from './names.ts';
import type { Proof } from './proof.ts';
import type { Survey } from './source.ts';

/** So many files that stay are named. */
const MOST_LEFT = 1000;

/** What a run has done so far. */
export class Outcome {
  readonly survey: Survey;
  project: string | undefined;
  readonly adopted: { hour: Hour; isEmpty: boolean; proof: Proof }[] = [];
  readonly proved: Hour[] = [];
  readonly failed: { readonly hour: string; readonly code: string; readonly message: string }[] = [];
  readonly pending: Hour[] = [];
  same = 0;
  /** Hours to adopt or to compare, and those of them that are over. */
  planned = 0;
  done = 0;
  /** Of those that have landed. */
  newest: Hour | undefined;
  files = 0;
  events = 0;
  bytes = 0;
  quarantined = 0;
  /** Objects that S3 has copied by itself, and their bytes. */
  copied = 0;
  copiedBytes = 0;
  /** Read from the source. */
  downloadedBytes = 0;
  readonly mergedIds = { hours: 0, same: 0, lines: 0 };
  /** The first of them. */
  readonly left: Left[] = [];
  leftFiles = 0;
  /** What ended the run early. */
  ended: JobError | undefined;

  constructor(survey: Survey) {
    this.survey = survey;
  }

  get uploadedBytes(): number {
    return this.bytes - this.copiedBytes;
  }

  /** Whether there is no file of an export at all, not even one that has to wait or stay. */
  get isNothing(): boolean {
    const stay = this.leftFiles - this.survey.unknown;
    return this.done === 0 && this.ended === undefined && this.pending.length + stay === 0;
  }

  noteNewest(landed: Iterable<Hour>): void {
    for (const hour of landed) this.newest = Math.max(this.newest ?? hour, hour);
  }

  leave(left: Left): void {
    this.leftFiles++;
    if (this.left.length < MOST_LEFT) this.left.push(left);
  }

  note(hour: Hour, result: Result, branch: Branch): void {
    if (result.kind === 'left') {
      for (const left of result.left) this.leave(left);
      this.fail(hour, result.error);
    } else if (result.kind === 'adopted') this.#count(hour, result, branch);
    else if (branch === 'mergedIds') this.mergedIds.same++;
    else if (result.kind === 'proved') this.proved.push(hour);
    else this.same++;
  }

  fail(hour: Hour, error: JobError): void {
    this.failed.push({ hour: formatHour(hour), code: error.code, message: describe(error) });
  }

  #count(hour: Hour, { landed, proof, files }: Result & { readonly kind: 'adopted' }, branch: Branch): void {
    this.files += files;
    this.bytes += landed.bytes;
    this.quarantined += landed.quarantined;
    if (branch === 'mergedIds') {
      this.mergedIds.hours++;
      this.mergedIds.lines += landed.events;
    } else {
      this.events += landed.events;
      this.adopted.push({ hour, isEmpty: landed.status === 'empty', proof });
      this.noteNewest([hour]);
    }
  }

  get exitCode(): number {
    if (this.ended !== undefined && this.ended.exitCode !== EXIT.failed) return this.ended.exitCode;
    if (this.failed.length === 0 && this.ended === undefined) return EXIT.done;
    const isAnythingThere = this.adopted.length + this.proved.length + this.same + this.mergedIds.hours > 0;
    return isAnythingThere ? EXIT.partial : EXIT.failed;
  }
}
