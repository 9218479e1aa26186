import { setTimeout as pause } from 'node:timers/promises';
import { DeleteObjectsCommand, PutObjectCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3';
import {
  type Content,
  contentOf,
  type Destination,
  type DestinationOptions,
  type Lack,
  Miscounted,
} from './destination.ts';
import { ContentFailure, checksum, sendContent } from './destination-s3/body.ts';
import { MOST_SOCKETS, makeClient } from './destination-s3/client.ts';
import {
  explain,
  isAbsent,
  isPresent,
  isTransient,
  isUnsupportedCondition,
  isWrongDigest,
  NotS3,
  regionOf,
} from './destination-s3/faults.ts';
import { putInParts } from './destination-s3/multipart.ts';
import { mustBeThere, proved, took } from './destination-s3/proof.ts';
import { NO_TAG, readingOf } from './destination-s3/reading.ts';
import { agentsFor } from './network.ts';

/** S3 takes up to 5 GiB in one PUT; parts, which are held in memory, are of 8 MiB. */
const MULTIPART = { aboveBytes: 5 * 2 ** 30, partBytes: 8 * 2 ** 20 };

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 20_000;

/** S3 deletes at most 1,000 keys in one request. */
const DELETE_AT_ONCE = 1000;

const WITHOUT_CONDITIONS =
  'This store does not take If-Match and If-None-Match. Two runs at once are not safe there: start one at a time.';

type PutCondition = Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'>;

/**
 * Hours in a bucket. S3 is told length and CRC-32 of every object beforehand and refuses what arrives otherwise.
 * An upload that fails on the way is repeated here, since only we can open the content again.
 */
export function openS3Destination(
  { bucket, prefix }: { bucket: string; prefix: string },
  { s3: settings, signal, log, multipart = MULTIPART }: DestinationOptions,
): Destination {
  const folder = prefix === '' ? '' : `${prefix}/`;
  const name = `s3://${bucket}/${prefix}`;
  const where = { bucket, name, settings };
  let client: Promise<S3Client> | undefined;

  const agents = agentsFor(settings.proxyEnv, MOST_SOCKETS);
  const inRegion = (region: string | undefined) => makeClient(settings, region, agents);

  /** Sends by `send`; once, a bucket in another region is followed there, unless the region was given. */
  async function withClient<T>(
    what: { action: string; key: string },
    send: (client: S3Client) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    client ??= inRegion(settings.region);
    try {
      return await send(await client);
    } catch (error) {
      signal.throwIfAborted();
      const region = settings.region === undefined ? regionOf(error) : undefined;
      if (region === undefined || region === (await (await client).config.region())) throw error;
      log.debug(`${what.action} ${what.key}: the bucket is in ${region}`);
      client = inRegion(region);
      return await send(await client);
    }
  }

  async function request<T>(
    action: string,
    key: string,
    send: (client: S3Client) => Promise<T>,
    repeat = false,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await withClient({ action, key }, send);
      } catch (error) {
        signal.throwIfAborted();
        // The SDK repeats requests, not the reading of an answer that breaks off midway or is not S3's.
        if (!(repeat || error instanceof NotS3) || !isTransient(error) || attempt >= settings.maxAttempts) {
          throw explain(error, { ...where, action, key });
        }
        await backOff(attempt, signal);
      }
    }
  }

  async function putOnce(key: string, content: Content, condition: PutCondition): Promise<void> {
    const target: PutObjectCommandInput = {
      Bucket: bucket,
      Key: folder + key,
      ContentType: contentType(key),
      ServerSideEncryption: settings.kmsKeyId === undefined ? settings.sse : 'aws:kms',
      SSEKMSKeyId: settings.kmsKeyId,
    };
    await withClient({ action: 'PutObject', key }, async (s3) => {
      if (content.bytes > multipart.aboveBytes) {
        await putInParts(s3, target, content, {
          partBytes: multipart.partBytes,
          signal,
        });
        return;
      }
      const told = checksum(content.crc32);
      const { ChecksumCRC32 } = await sendContent(
        content.open(),
        { bytes: content.bytes, signal },
        (Body, abortSignal) =>
          proved(
            s3.send(
              new PutObjectCommand({
                ...target,
                Body,
                ContentLength: content.bytes,
                ChecksumCRC32: told,
                ...condition,
              }),
              { abortSignal },
            ),
            took(told),
          ),
      );
      if (ChecksumCRC32 === undefined) await mustBeThere(s3, target, content.bytes, signal);
    });
  }

  /** Repeats an upload until it has arrived. `settled` looks after a failure whether it still has to. */
  async function putAgain<T>(
    key: string,
    content: Content,
    { condition, settled }: { condition: PutCondition; settled: (error: unknown) => Promise<T | undefined> },
  ): Promise<T | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        await putOnce(key, content, condition);
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ContentFailure) throw error.cause;
        const outcome = await settled(error);
        if (outcome !== undefined) return outcome;
        if (isWrongDigest(error)) {
          const counted = await content.count();
          if (counted.bytes !== content.bytes || counted.crc32 !== content.crc32) throw new Miscounted(counted);
        }
        const again = isTransient(error) || isWrongDigest(error);
        if (!again || attempt >= settings.maxAttempts) {
          throw explain(error, { ...where, action: 'PutObject', key, attempts: attempt });
        }
        log.debug(`Upload of ${key} failed (${(error as Error).message}); attempt ${attempt + 1} follows`, { key });
        await backOff(attempt, signal);
      }
    }
  }

  const reading = readingOf({
    bucket,
    folder,
    signal,
    request,
    explain: (error, action, key) => {
      signal.throwIfAborted();
      return explain(error, { ...where, action, key });
    },
  });
  const lacks = new Set<Lack>();

  async function swap(key: string, content: Buffer, from: string | undefined): Promise<'swapped' | 'lost'> {
    // Of this swap: others that began before the store refused a condition are under way beside it.
    const conditional = !lacks.has('conditions') && from?.startsWith(NO_TAG) !== true;
    if (!conditional && (await reading.standing(key))?.version !== from) return 'lost';
    const condition = from === undefined ? { IfNoneMatch: '*' } : { IfMatch: from };
    const outcome = await putAgain<'swapped' | 'lost' | 'unconditional'>(key, contentOf(content), {
      condition: conditional ? condition : {},
      settled: async (error) => {
        if (conditional && isUnsupportedCondition(error)) {
          if (!lacks.has('conditions')) log.warn(WITHOUT_CONDITIONS);
          lacks.add('conditions');
          return 'unconditional';
        }
        const refused = isPresent(error) || isAbsent(error);
        if (!refused && !isTransient(error)) return undefined;
        // The refusal may be of a repetition, and a lost answer may have been a success.
        const now = await reading.standing(key);
        if (now?.content.equals(content) === true) return 'swapped';
        return refused || now?.version !== from ? 'lost' : undefined;
      },
    });
    return outcome === 'unconditional' ? await swap(key, content, from) : (outcome ?? 'swapped');
  }

  return {
    name,
    ...reading,
    lacks,
    swap,
    // What a run swaps, it swaps by condition: others need not be kept out.
    async lock() {},
    async put(key, content) {
      await putAgain(key, content, { condition: {}, settled: async () => undefined });
    },
    async delete(keys) {
      for (let from = 0; from < keys.length; from += DELETE_AT_ONCE) {
        const Objects = keys.slice(from, from + DELETE_AT_ONCE).map((key) => ({ Key: folder + key }));
        const [first = ''] = keys.slice(from);
        await request('DeleteObjects', first, async (s3) => {
          const { Errors = [] } = await s3.send(
            new DeleteObjectsCommand({
              Bucket: bucket,
              Delete: { Objects, Quiet: true },
            }),
            { abortSignal: signal },
          );
          const [failed] = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
          if (failed !== undefined)
            throw Object.assign(new Error(failed.Message ?? ''), {
              name: failed.Code ?? 'Error',
            });
        });
      }
    },
    // An unfinished upload is never seen in S3; the bucket's lifecycle rule takes unfinished multipart uploads away.
    async sweep() {},
    async close() {
      await client?.then(
        (s3) => s3.destroy(),
        () => undefined,
      );
    },
  };
}

async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  await pause(Math.random() * most, undefined, { signal });
}

function contentType(key: string): string {
  if (key.endsWith('.gz')) return 'application/gzip';
  return key.startsWith('manifests/') ? 'application/json' : 'application/x-ndjson';
}
