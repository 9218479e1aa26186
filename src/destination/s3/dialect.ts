import type { Log } from '../../log.ts';
import type { Lack } from '../destination.ts';
import { codeOf, foreignText, isConditionFailed, isTransient, isWrongDigest, statusOf } from './errors.ts';

const FOUND = {
  conditions:
    'This store has no conditional writes (If-Match, If-None-Match). Two runs at once are not safe there: start one at a time.',
  checksums:
    'This store does not accept x-amz-checksum-crc32. The proof of an object is weaker there: its length and, where the ETag is an MD5, that MD5. With AWS_REQUEST_CHECKSUM_CALCULATION=when_required a run does not try the checksum first.',
  'batch-deletes': 'This store does not accept DeleteObjects. Objects are deleted one by one.',
};

const TOLD =
  'AWS_REQUEST_CHECKSUM_CALCULATION leaves x-amz-checksum-crc32 out. The proof of an object is weaker: its length and, where the ETag is an MD5, that MD5.';

/** Codes of a 400 that says nothing: it may mean the checksum, which comes first. */
const VAGUE = /^(InvalidArgument|InvalidRequest|BadRequest|ExcessHeaderValues|Unsupported\w*|InvalidHeader\w*)$/;

/** What the store supports, as far as this run knows. Each lack is logged once. */
export class Dialect {
  readonly lacks = new Set<Lack>();
  readonly #log: Log;
  readonly #isAws: boolean;
  #takesChecksums = false;
  readonly #conditionProofs = new Map<string, Promise<boolean>>();

  constructor(log: Log, isAws: boolean) {
    this.#log = log;
    this.#isAws = isAws;
  }

  /**
   * Sends a request that uses `features`. Where a refusal may mean some of them, sends it without each, then without
   * all: the store lacks what was left out of the request that succeeds.
   */
  async adapt<T>(features: readonly Lack[], send: (uses: ReadonlySet<Lack>) => Promise<T>): Promise<T> {
    const known = features.filter((feature) => !this.lacks.has(feature));
    const open = known.filter((feature) => feature !== 'checksums' || !this.#takesChecksums);
    const attempts = [[], ...open.map((feature) => [feature]), ...(open.length > 1 ? [open] : [])];
    const suspected = new Set<Lack>();
    let refusal: unknown;
    for (const leftOut of attempts) {
      if (!leftOut.every((feature) => suspected.has(feature))) continue;
      const uses = new Set(known.filter((feature) => !leftOut.includes(feature)));
      try {
        const answer = await send(uses);
        if (uses.has('checksums')) this.#takesChecksums = true;
        for (const feature of leftOut) this.#found(feature);
        return answer;
      } catch (error) {
        const meant = open.filter((feature) => this.#mayMean(feature, error));
        if (meant.length === 0) throw error;
        for (const feature of meant) suspected.add(feature);
        refusal = error;
      }
    }
    throw refusal;
  }

  /**
   * Some stores take a condition and ignore it: two runs at once would overwrite each other silently. So a run sends
   * each kind of condition once where it does not hold, by `send`, which must be refused.
   */
  async proveCondition(kind: string, send: () => Promise<unknown>): Promise<void> {
    if (this.#isAws) return;
    const isIgnored = () => {
      this.#found('conditions');
      return true;
    };
    const proof = this.#conditionProofs.get(kind) ?? send().then(isIgnored, isConditionFailed);
    this.#conditionProofs.set(kind, proof);
    // Another failure proves nothing: the next swap tries again.
    if (!(await proof)) this.#conditionProofs.delete(kind);
  }

  /** The person has set it, so it is no news. */
  leaveOutChecksums(): void {
    if (!this.lacks.has('checksums')) this.#log.info(TOLD);
    this.lacks.add('checksums');
  }

  /** Stores have no code for it: a 501 may mean any feature, a 400 the one that its sentence names. */
  #mayMean(feature: Lack, error: unknown): boolean {
    if (this.#isAws || isTransient(error) || isWrongDigest(error) || foreignText(error) !== undefined) return false;
    const status = statusOf(error) ?? 0;
    if (feature === 'batch-deletes') return [400, 405, 411, 501].includes(status);
    if (status !== 400 && status !== 501) return false;
    const { message } = error as Error;
    if (/if-(none-)?match/i.test(message)) return feature === 'conditions';
    if (/checksum|crc-?32/i.test(message)) return feature === 'checksums';
    return status === 501 || (feature === 'checksums' && VAGUE.test(codeOf(error) ?? 'BadRequest'));
  }

  #found(lack: Lack): void {
    // Other objects may have been taken with a checksum in the meantime: then it was not that.
    if (this.lacks.has(lack) || (lack === 'checksums' && this.#takesChecksums)) return;
    this.lacks.add(lack);
    // Single deletes lose nothing, so they are no reason to warn at each run.
    const say = lack === 'batch-deletes' ? this.#log.info : this.#log.warn;
    say(FOUND[lack]);
  }
}
