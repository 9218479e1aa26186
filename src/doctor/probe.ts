import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import { contentOf, type Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { type Check, ok, skipped, told, tried, warned } from './check.ts';

/**
 * Beside events/, manifests/ and quarantine/, so that no reader of those ever meets a probe. The documented policies are of
 * the whole prefix, so what is allowed here is allowed there.
 */
export const PROBES = 'doctor/';

/** The store has answered: other rights may be there. After any other failure, each further try would meet the same. */
const REFUSALS = ['ACCESS_DENIED', 'KMS_KEY'];

const CLEAN_UP_MS = 4000;

const ONE_AT_A_TIME = 'Start one run at a time; a schedule must not overlap.';

export interface ProbeOptions {
  /** Ends the probe between two steps; a step under way is let finish. */
  readonly signal: AbortSignal;
  /** Completes what is said of a write. */
  readonly how: string;
  /** What the destination has warned of so far. What a person has asked for it does not warn of. */
  readonly warnings: readonly string[];
  /** A folder swaps under its lock and knows no conditions. */
  readonly conditions: boolean;
  /** The same destination under another signal, for cleaning up after an interruption. */
  readonly reopen: (signal: AbortSignal) => Destination;
  /** Told what stays behind. */
  readonly onLeft: (message: string) => void;
}

/** Tries every right that a run needs on objects of its own, which are gone at the end. Returns whether the destination answers. */
export async function* probe(destination: Destination, options: ProbeOptions): AsyncGenerator<Check, boolean> {
  const { signal, how, warnings, conditions } = options;
  const name = `${PROBES}probe-${randomBytes(8).toString('hex')}`;
  const plain = `${name}.json`;
  const swapped = `${name}.swapped.json`;
  const keys = conditions ? [plain, swapped] : [plain];
  const content = Buffer.from(`{"probe":"${name}"}\n`);
  const full = (key: string) => `${destination.name.replace(/\/$/, '')}/${key}`;
  /** Whether some may be there, and whether one is for sure. */
  let mayStay = true;
  let stands = false;

  try {
    const write = await tried('write', signal, async () => {
      await destination.put(plain, contentOf(content));
      stands = true;
      const said = `${content.length} bytes, ${how}`;
      if (!destination.lacks.has('checksums')) return ok('write', said);
      const proof = 'the length and, where the ETag is an MD5, that MD5 prove an object';
      if (warnings.length === 0) {
        return ok('write', `${said}; without its checksum, as AWS_REQUEST_CHECKSUM_CALCULATION asks: ${proof}`);
      }
      return warned(
        'write',
        `${said}; the store refuses x-amz-checksum-crc32: without it ${proof}`,
        'Set AWS_REQUEST_CHECKSUM_CALCULATION=when_required: then no run tries it first.',
      );
    });
    yield write;
    const answers = stands || REFUSALS.includes(write.code ?? '');
    if (!answers) {
      const others = [...(conditions ? ['conditional write'] : []), 'read', 'list', 'delete'];
      for (const check of others) yield skipped(check, 'not tried: the write got no usable answer');
      return false;
    }

    const onWritten = async (check: string, attempt: () => Promise<Check>) =>
      stands ? await tried(check, signal, attempt) : skipped(check, 'not tried: nothing could be written');
    if (conditions) yield await onWritten('conditional write', () => conditionalWrite(destination, swapped));
    const read = await onWritten('read', () => readBack(destination, plain, content));
    yield read;

    yield await tried('list', signal, async () => {
      const found = await Array.fromAsync(destination.list(PROBES), ({ key }) => key);
      if (!stands || found.includes(plain)) return ok('list', stands ? 'the listing shows the probe' : 'allowed');
      throw new JobError('DESTINATION', `The listing of ${full(PROBES)} does not show ${plain}, written just before.`, {
        hint: 'A run finds by listing what has landed: use a store whose listings are up to date.',
      });
    });

    signal.throwIfAborted();
    mayStay = false;
    yield await tried('delete', signal, async () => {
      try {
        await destination.delete(keys);
      } catch (error) {
        mayStay = signal.aborted;
        if (!stands || mayStay) throw error;
        const { message, ...check } = told('delete', 'failed', error);
        const stay = keys.map(full).join(' and ');
        return { ...check, message: `${message} What was written stays: ${stay}.` };
      }
      if (!stands) return ok('delete', 'allowed');
      const gone = read.status === 'ok' ? await lookForGone(destination, plain, full(plain)) : 'the probe is deleted';
      if (!destination.lacks.has('batch-deletes')) return ok('delete', gone);
      return warned(
        'delete',
        `${gone}; the store refuses to delete many objects in one request`,
        'Nothing to do: a run deletes one by one there.',
      );
    });
    return true;
  } finally {
    if (mayStay) await cleanUp();
  }

  async function cleanUp(): Promise<void> {
    const cleaner = options.reopen(AbortSignal.timeout(CLEAN_UP_MS));
    try {
      await cleaner.delete(keys);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (stands) options.onLeft(`What was written stays: ${keys.map(full).join(' and ')}. ${why}`);
    } finally {
      await cleaner.close();
    }
  }
}

/** What a look at a deleted object tells. S3 answers 403 for an absent one where s3:ListBucket is not allowed. */
async function lookForGone(destination: Destination, key: string, shown: string): Promise<string> {
  try {
    if ((await destination.read(key)) === undefined) return 'the probe is gone';
  } catch (error) {
    if (!(error instanceof JobError) || error.code !== 'ACCESS_DENIED') throw error;
    return 'deleted; without s3:ListBucket the store does not tell that it is gone';
  }
  throw new JobError('DESTINATION', `${shown} was deleted and is still there.`);
}

/** Each condition, once where it holds and once where it must not. */
async function conditionalWrite(destination: Destination, key: string): Promise<Check> {
  const check = 'conditional write';
  const swap = (text: string, from: string | undefined) => destination.swap(key, Buffer.from(text), from);
  const first = await swap('1\n', undefined);
  const version = (await destination.standing(key))?.version;
  const second = await swap('2\n', version);
  if (first === 'lost' || second === 'lost') {
    throw new JobError('DESTINATION', `The store refuses a conditional write of ${key} whose condition holds.`, {
      hint: 'No hour could be sealed there: use a store whose If-None-Match and If-Match work, or one that has none.',
    });
  }
  const ignored = [
    ...((await swap('3\n', undefined)) === 'swapped' ? ['If-None-Match'] : []),
    ...((await swap('4\n', '"00000000000000000000000000000000"')) === 'swapped' ? ['If-Match'] : []),
  ];
  if (destination.lacks.has('conditions')) {
    return warned(
      check,
      'the store refuses If-None-Match and If-Match, or ignores them; a run reads before it writes, and two at once are not safe',
      ONE_AT_A_TIME,
    );
  }
  if (ignored.length > 0) {
    const which = ignored.join(' and ');
    return warned(check, `the store takes ${which} and ignores it; two runs at once are not safe`, ONE_AT_A_TIME);
  }
  return ok(check, 'If-None-Match and If-Match hold');
}

async function readBack(destination: Destination, key: string, content: Buffer): Promise<Check> {
  const found = await destination.read(key);
  const kept = await destination.look(key);
  if (found?.equals(content) !== true || (kept?.crc32 ?? zlib.crc32(content)) !== zlib.crc32(content)) {
    throw new JobError('BAD_DIGEST', `${key} comes back with other bytes than were written.`, {
      hint: 'Something between here and the store changes data: look at proxies and gateways.',
    });
  }
  if (kept?.crc32 !== undefined) return ok('read', 'the same bytes and CRC-32 come back');
  return ok(
    'read',
    'the same bytes come back; the store keeps no CRC-32, so verify needs --deep instead of --checksums',
  );
}
