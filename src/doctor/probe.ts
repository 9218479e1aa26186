import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import { contentOf, type Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { type Check, ok, skipped, tried, warned } from './check.ts';

/**
 * Beside events/, manifests/ and quarantine/, so that no reader meets a probe. The documented policies cover the whole
 * prefix, so what is allowed here is allowed there.
 */
export const PROBES = 'doctor/';

export const ONE_AT_A_TIME = 'Start one run at a time there; schedules must not overlap.';

/** Answers of a store that may still grant other rights. After any other failure the next request would fail too. */
const REFUSALS = ['ACCESS_DENIED', 'KMS_KEY'];

interface ProbeOptions {
  /** Stops the probe between two steps; the step under way completes. */
  readonly signal: AbortSignal;
  /** How objects are stored, for the message of a write. */
  readonly how: string;
  /** What the destination has warned of so far. It does not warn of what a person has asked for. */
  readonly warnings: readonly string[];
  /** Whether writes have conditions. A folder has a lock instead. */
  readonly conditions: boolean;
}

/** Tries every right that a run needs, on objects of its own that it deletes at the end. */
export class Probe {
  readonly #destination: Destination;
  readonly #options: ProbeOptions;
  readonly #key = `${PROBES}probe-${randomBytes(8).toString('hex')}.json`;
  readonly #swapKey = this.#key.replace('.json', '.swapped.json');
  readonly #content = Buffer.from(`{"probe":"${this.#key}"}\n`);
  readonly keys: readonly string[];
  isWritten = false;
  /** Whether objects may be left, also of a write without an answer. */
  mayStay = false;
  #isReadable = false;

  constructor(destination: Destination, options: ProbeOptions) {
    this.#destination = destination;
    this.#options = options;
    this.keys = options.conditions ? [this.#key, this.#swapKey] : [this.#key];
  }

  /** Returns whether the destination answers. */
  async *checks(): AsyncGenerator<Check, boolean> {
    const { signal, conditions } = this.#options;
    const write = await tried('write', signal, () => this.#write());
    yield write;
    const answers = this.isWritten || REFUSALS.includes(write.code ?? '');
    const steps: [string, needsProbe: boolean, () => Promise<Check>][] = [
      ['read', true, () => this.#read()],
      ['list', false, () => this.#list()],
      ['delete', false, () => this.#delete()],
    ];
    if (conditions) steps.unshift(['conditional write', true, () => this.#writeOnConditions()]);
    for (const [check, needsProbe, attempt] of steps) {
      if (!answers) yield skipped(check, 'not tried: the write got no usable answer');
      else if (needsProbe && !this.isWritten) yield skipped(check, 'not tried: nothing could be written');
      else yield await tried(check, signal, attempt);
    }
    return answers;
  }

  async #write(): Promise<Check> {
    const { how, warnings } = this.#options;
    this.mayStay = true;
    await this.#destination.put(this.#key, contentOf(this.#content));
    this.isWritten = true;
    const written = `${this.#content.length} bytes, ${how}`;
    if (!this.#destination.lacks.has('checksums')) return ok('write', written);
    const instead = 'so a run checks the length, and the ETag where that is an MD5';
    if (warnings.length === 0) {
      return ok('write', `${written}; AWS_REQUEST_CHECKSUM_CALCULATION turns checksums off, ${instead}`);
    }
    return warned(
      'write',
      `${written}; the store refuses x-amz-checksum-crc32, ${instead}`,
      'Set AWS_REQUEST_CHECKSUM_CALCULATION=when_required, so that runs do not try it first.',
    );
  }

  /** Tries each condition where it holds, and where it does not. */
  async #writeOnConditions(): Promise<Check> {
    const check = 'conditional write';
    const key = this.#swapKey;
    const swap = (text: string, from: string | undefined) => this.#destination.swap(key, Buffer.from(text), from);
    const first = await swap('1\n', undefined);
    const version = (await this.#destination.standing(key))?.version;
    const second = await swap('2\n', version);
    if (first === 'lost' || second === 'lost') {
      throw new JobError('DESTINATION', `The store refuses a conditional write of ${key} whose condition holds.`, {
        hint: 'A run could seal no hour there: use a store whose If-None-Match and If-Match work, or one that has none.',
      });
    }
    const ignored: string[] = [];
    if ((await swap('3\n', undefined)) === 'swapped') ignored.push('If-None-Match');
    if ((await swap('4\n', '"00000000000000000000000000000000"')) === 'swapped') ignored.push('If-Match');
    const unsafe = 'two runs at once are not safe';
    if (this.#destination.lacks.has('conditions')) {
      const message = `the store refuses If-None-Match and If-Match, or ignores them; a run reads before it writes, and ${unsafe}`;
      return warned(check, message, ONE_AT_A_TIME);
    }
    if (ignored.length === 0) return ok(check, 'If-None-Match and If-Match hold');
    return warned(check, `the store accepts ${ignored.join(' and ')} but ignores it; ${unsafe}`, ONE_AT_A_TIME);
  }

  async #read(): Promise<Check> {
    const found = await this.#destination.read(this.#key);
    const kept = await this.#destination.look(this.#key);
    const expected = zlib.crc32(this.#content);
    if (found?.equals(this.#content) !== true || (kept?.crc32 ?? expected) !== expected) {
      throw new JobError('BAD_DIGEST', `${this.#key} comes back with other bytes than were written.`, {
        hint: 'Something between here and the store changes data: look at proxies and gateways.',
      });
    }
    this.#isReadable = true;
    if (kept?.crc32 !== undefined) return ok('read', 'the same bytes and CRC-32 come back');
    return ok('read', 'the same bytes come back; the store keeps no CRC-32, so verify needs --deep, not --checksums');
  }

  async #list(): Promise<Check> {
    const keys = await Array.fromAsync(this.#destination.list(PROBES), ({ key }) => key);
    if (!this.isWritten) return ok('list', 'allowed');
    if (keys.includes(this.#key)) return ok('list', 'the listing shows the probe');
    throw new JobError('DESTINATION', `The listing of ${this.#full(PROBES)} does not show the probe ${this.#key}.`, {
      hint: 'A run lists what has landed: use a store whose listings are up to date.',
    });
  }

  async #delete(): Promise<Check> {
    try {
      await this.#destination.delete(this.keys);
    } catch (error) {
      if (!this.isWritten || !(error instanceof JobError)) throw error;
      error.message = `${error.message} ${this.left}`;
      throw error;
    } finally {
      this.mayStay = this.#options.signal.aborted;
    }
    if (!this.isWritten) return ok('delete', 'allowed');
    const gone = this.#isReadable ? await this.#lookForGone() : 'the probe is deleted';
    if (!this.#destination.lacks.has('batch-deletes')) return ok('delete', gone);
    const message = `${gone}; the store refuses to delete many objects in one request`;
    return warned('delete', message, 'Nothing to do: a run deletes one by one there.');
  }

  /** S3 answers 403 for an absent object where s3:ListBucket is not allowed. */
  async #lookForGone(): Promise<string> {
    try {
      if ((await this.#destination.read(this.#key)) === undefined) return 'the probe is gone';
    } catch (error) {
      if (!(error instanceof JobError) || error.code !== 'ACCESS_DENIED') throw error;
      return 'deleted; without s3:ListBucket the store does not say whether it is gone';
    }
    throw new JobError('DESTINATION', `${this.#full(this.#key)} was deleted and is still there.`);
  }

  get left(): string {
    return `The probe stays: ${this.keys.map((key) => this.#full(key)).join(' and ')}.`;
  }

  #full(key: string): string {
    return `${this.#destination.name.replace(/\/$/, '')}/${key}`;
  }
}
