import { setTimeout as pause } from 'node:timers/promises';
import { PutObjectCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import type { Log } from '../../log.ts';
import { type Content, contentOf, type Destination, Miscounted } from '../destination.ts';
import { ContentFailure, checksum, sendContent } from './body.ts';
import type { Dialect } from './dialect.ts';
import { isAbsent, isPresent, isTransient, isWrongDigest, refusedFeatures, status } from './faults.ts';
import { putInParts } from './multipart.ts';
import { mustBeThere, mustHaveTag, proved, Sums, took } from './proof.ts';
import { NO_TAG } from './reading.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 20_000;

type PutCondition = Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'>;

export interface WritingOptions {
  readonly bucket: string;
  /** The prefix with its slash, or nothing. */
  readonly folder: string;
  readonly settings: S3Settings;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly dialect: Dialect;
  readonly multipart: { readonly aboveBytes: number; readonly partBytes: number };
  readonly standing: Destination['standing'];
  withClient<T>(what: { action: string; key: string }, send: (s3: S3Client) => Promise<T>): Promise<T>;
  /** The error for people. */
  explain(error: unknown, action: string, key: string, attempts: number): unknown;
}

/** All that is written to a bucket. A store that refuses what AWS takes is written to without it: see Dialect. */
export function writingOf(at: WritingOptions): Pick<Destination, 'put' | 'swap'> {
  const { bucket, folder, settings, signal, log, dialect, multipart } = at;

  /** Resolves to whether the store was told the checksum. */
  async function putOnce(
    key: string,
    content: Content,
    { condition, checksums }: { condition: PutCondition; checksums: boolean },
  ): Promise<boolean> {
    const target: PutObjectCommandInput = {
      Bucket: bucket,
      Key: folder + key,
      ContentType: contentType(key),
      ServerSideEncryption: settings.kmsKeyId === undefined ? settings.sse : 'aws:kms',
      SSEKMSKeyId: settings.kmsKeyId,
    };
    return await at.withClient({ action: 'PutObject', key }, async (s3) => {
      const sums = checksums && !dialect.lacks.has('checksums') ? undefined : new Sums();
      if (content.bytes > multipart.aboveBytes) {
        await putInParts(s3, target, content, { partBytes: multipart.partBytes, sums, signal });
        return sums === undefined;
      }
      const told = sums === undefined ? checksum(content.crc32) : undefined;
      const answer = await sendContent(content, { signal, sums }, (Body, abortSignal) => {
        const input = { ...target, Body, ContentLength: content.bytes, ChecksumCRC32: told, ...condition };
        return proved(s3.send(new PutObjectCommand(input), { abortSignal }), took(told));
      });
      if (sums !== undefined) mustHaveTag(answer, sums.md5());
      if (answer.ChecksumCRC32 === undefined) {
        await mustBeThere(s3, target, content.bytes, signal).catch((error: unknown) => {
          throw status(error) === 403 ? at.explain(error, 'HeadObject', key, 1) : error;
        });
      }
      return sums === undefined;
    });
  }

  /** Repeats an upload until it has arrived. `settled` looks after a failure whether it still has to. */
  async function putAgain<T>(
    key: string,
    content: Content,
    { condition, settled }: { condition: PutCondition; settled: (error: unknown) => Promise<T | undefined> },
  ): Promise<T | undefined> {
    let refusal: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        const told = await putOnce(key, content, { condition, checksums: refusal === undefined });
        if (told) dialect.takesChecksums = true;
        // Others may have been taken with a checksum meanwhile: then it was not that.
        else if (refusedFeatures(refusal, dialect).includes('checksums')) dialect.found('checksums');
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ContentFailure) throw error.cause;
        if (refusal === undefined && refusedFeatures(error, dialect).includes('checksums')) {
          // Whether it is the checksum that the store refuses shows by what it says without one.
          refusal = error;
          attempt--;
          continue;
        }
        const outcome = await settled(error);
        if (outcome !== undefined) return outcome;
        if (isWrongDigest(error)) {
          const counted = await content.count();
          if (counted.bytes !== content.bytes || counted.crc32 !== content.crc32) throw new Miscounted(counted);
        }
        const again = isTransient(error) || isWrongDigest(error);
        if (!again || attempt >= settings.maxAttempts) throw at.explain(error, 'PutObject', key, attempt);
        log.debug(`Upload of ${key} failed (${(error as Error).message}); attempt ${attempt + 1} follows`, { key });
        await backOff(attempt, signal);
      }
    }
  }

  /** What follows the failure of a swap: `undefined` to try again where that may help. */
  async function settleSwap(
    error: unknown,
    { key, content, from }: { key: string; content: Buffer; from: string | undefined },
  ): Promise<'swapped' | 'lost' | undefined> {
    const refused = isPresent(error) || isAbsent(error);
    if (!refused && !isTransient(error)) return undefined;
    // The refusal may be of a repetition, and a lost answer may have been a success.
    const now = await at.standing(key);
    if (now?.content.equals(content) === true) return 'swapped';
    return refused || now?.version !== from ? 'lost' : undefined;
  }

  async function swap(key: string, content: Buffer, from: string | undefined): Promise<'swapped' | 'lost'> {
    if (dialect.lacks.has('conditions') || from?.startsWith(NO_TAG) === true)
      return await swapAfterLook(key, content, from);
    const outcome = await putAgain<'swapped' | 'lost' | 'unconditional'>(key, contentOf(content), {
      condition: from === undefined ? { IfNoneMatch: '*' } : { IfMatch: from },
      settled: async (error) =>
        refusedFeatures(error, dialect).includes('conditions')
          ? 'unconditional'
          : await settleSwap(error, { key, content, from }),
    });
    if (outcome === undefined) await proveConditions(key, content, from === undefined ? 'first' : 'replacement');
    if (outcome !== 'unconditional') return outcome ?? 'swapped';
    const looked = await swapAfterLook(key, content, from);
    // That it was the condition shows by the success without one.
    if (looked === 'swapped') dialect.found('conditions');
    return looked;
  }

  /** Swaps where the store cannot: what another run swaps between the look and the put is lost. */
  async function swapAfterLook(key: string, content: Buffer, from: string | undefined): Promise<'swapped' | 'lost'> {
    if ((await at.standing(key))?.version !== from) return 'lost';
    const settled = (error: unknown) => settleSwap(error, { key, content, from });
    return (await putAgain(key, contentOf(content), { condition: {}, settled })) ?? 'swapped';
  }

  /** Conditions that do not hold for what has just been put. */
  const WRONG = {
    first: { IfNoneMatch: '*' },
    replacement: { IfMatch: '"00000000000000000000000000000000"' },
  } as const;
  const proofs = new Map<keyof typeof WRONG, Promise<boolean>>();

  /**
   * Some stores take a condition and ignore it: two runs at once would overwrite each other without a word. So of each
   * kind a run once puts again what it has just put, on a condition that does not hold.
   */
  async function proveConditions(key: string, content: Buffer, kind: keyof typeof WRONG): Promise<void> {
    if (dialect.isAws) return;
    const proof = proofs.get(kind) ?? isRefused(key, content, WRONG[kind]);
    proofs.set(kind, proof);
    // Where the answer proves nothing, the next swap asks again.
    if (!(await proof)) proofs.delete(kind);
  }

  async function isRefused(key: string, content: Buffer, condition: PutCondition): Promise<boolean> {
    try {
      await putOnce(key, contentOf(content), { condition, checksums: true });
      dialect.found('conditions');
      return true;
    } catch (error) {
      signal.throwIfAborted();
      log.debug(`A condition that does not hold was answered: ${(error as Error).message}`);
      return isPresent(error) || isAbsent(error);
    }
  }

  return {
    swap,
    async put(key, content) {
      await putAgain(key, content, { condition: {}, settled: async () => undefined });
    },
  };
}

export async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  await pause(Math.random() * most, undefined, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
}

function contentType(key: string): string {
  if (key.endsWith('.gz')) return 'application/gzip';
  return key.startsWith('manifests/') ? 'application/json' : 'application/x-ndjson';
}
