import type { Log } from '../../log.ts';
import type { Lack } from '../destination.ts';

const FOUND: Readonly<Record<Lack, string>> = {
  conditions:
    'This store has no conditional writes (If-Match, If-None-Match). Two runs at once are not safe there: start one at a time.',
  checksums:
    'This store does not take x-amz-checksum-crc32. The proof of an object is weaker there: its length and, where the ETag is an MD5, that MD5. With AWS_REQUEST_CHECKSUM_CALCULATION=when_required a run does not try the checksum first.',
  'batch-deletes': 'This store does not take DeleteObjects. Objects are deleted one by one.',
};

const TOLD =
  'AWS_REQUEST_CHECKSUM_CALCULATION leaves x-amz-checksum-crc32 out. The proof of an object is weaker: its length and, where the ETag is an MD5, that MD5.';

/** What the store takes, as far as this run has found out; each lack is said once. */
export class Dialect {
  readonly lacks = new Set<Lack>();
  /** The store has taken an object with its checksum. */
  takesChecksums = false;
  /** AWS itself lacks nothing: what refuses there is something else. */
  readonly isAws: boolean;
  readonly #log: Log;

  constructor(log: Log, isAws: boolean) {
    this.#log = log;
    this.isAws = isAws;
  }

  found(lack: Lack): void {
    if (this.lacks.has(lack)) return;
    this.lacks.add(lack);
    // Nothing is lost by single deletes, so nobody needs to be warned of them at each run.
    const say = lack === 'batch-deletes' ? this.#log.info : this.#log.warn;
    say(FOUND[lack]);
  }

  /** The person said so: no news. */
  toldWithoutChecksums(): void {
    if (this.lacks.has('checksums')) return;
    this.lacks.add('checksums');
    this.#log.info(TOLD);
  }
}
