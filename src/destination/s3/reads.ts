import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { JobError, RUN_AGAIN } from '../../errors.ts';
import type { Bucket } from './bucket.ts';
import { ifAbsent, isConditionFailed, isTransient, NotS3, WrongBytes } from './errors.ts';
import { isObject, proved, whole, wholeCrc32 } from './proof.ts';

/** An answer to GetObject. Its body is the object, or the rest of it that was asked for. */
export interface Got {
  readonly ETag: string | undefined;
  readonly bytes: number | undefined;
  /** Of the whole object, where the store has told it. */
  readonly crc32: number | undefined;
  readonly body: AsyncIterable<Buffer>;
}

/** What is left of an object whose body broke off. */
interface Rest {
  readonly from: number;
  readonly total: number;
  readonly ETag: string;
}

/** One request. Undefined where there is no object. Throws a JobError where the store does not send the rest. */
export async function get(bucket: Bucket, key: string, rest?: Rest): Promise<Got | undefined> {
  bucket.requests.reads++;
  const asked = rest === undefined ? {} : { Range: `bytes=${rest.from}-`, IfMatch: rest.ETag };
  const answer = proved(bucket.send(new GetObjectCommand({ ...bucket.target(key), ...asked })), isObject);
  const refused = (error: unknown) => {
    if (rest === undefined) return ifAbsent(error);
    throw isConditionFailed(error) ? brokeOff(bucket, key, rest, 'it was replaced or deleted meanwhile', error) : error;
  };
  const got = await answer.catch(refused);
  if (got?.Body === undefined) return undefined;
  const { Body, ContentLength: bytes, ContentRange, ETag } = got;
  if (rest !== undefined && ContentRange !== `bytes ${rest.from}-${rest.total - 1}/${rest.total}`) {
    if (Body instanceof Readable) Body.destroy();
    throw brokeOff(bucket, key, rest, 'the store does not send the rest alone');
  }
  return { ETag, bytes, crc32: wholeCrc32(got), body: whole(Body as AsyncIterable<Buffer>, bytes) };
}

/** The last bytes of an object, at most `bytes` of them. One request. */
export async function tailOf(bucket: Bucket, key: string, bytes: number): Promise<Buffer | undefined> {
  bucket.requests.reads++;
  const command = new GetObjectCommand({ ...bucket.target(key), Range: `bytes=-${bytes}` });
  const { Body, ContentLength } = (await proved(bucket.send(command), isObject).catch(ifAbsent)) ?? {};
  if (Body === undefined) return undefined;
  const chunks = await Array.fromAsync(whole(Body as AsyncIterable<Buffer>, ContentLength));
  // A store that does not know ranges sends all of it.
  return Buffer.concat(chunks).subarray(-bytes);
}

/**
 * The bytes of an object, which goes on where its body breaks off. The SDK checks the checksum of a body that came in one
 * piece, this one of a body in several. Throws a JobError.
 */
export async function* resumed(first: Got, bucket: Bucket, key: string): AsyncGenerator<Buffer> {
  const { ETag, bytes: total, crc32 } = first;
  let { body } = first;
  let from = 0;
  let counted = 0;
  let cuts = 0;
  const next = async (error: unknown): Promise<AsyncIterable<Buffer>> => {
    cuts++;
    const canGoOn = ETag && total !== undefined && from < total && isTransient(error);
    if (!canGoOn || cuts >= bucket.maxAttempts) throw bucket.explain(error, 'GetObject', key, cuts);
    await bucket.pause(cuts);
    const rest = { from, total, ETag };
    const got = await bucket.request('GetObject', key, () => get(bucket, key, rest));
    if (got === undefined) throw bucket.explain(error, 'GetObject', key, cuts);
    return got.body;
  };
  for (let isOver = false; !isOver; ) {
    try {
      for await (const chunk of body) {
        counted = zlib.crc32(chunk, counted);
        from += chunk.length;
        cuts = 0;
        yield chunk;
      }
      isOver = true;
    } catch (error) {
      body = await next(error);
    }
  }
  const lack = from !== (total ?? from) ? new NotS3(`it has ${from} bytes and announces ${total}`) : undefined;
  const error = counted === (crc32 ?? counted) ? lack : new WrongBytes('the checksum differs');
  if (error !== undefined) throw bucket.explain(error, 'GetObject', key);
}

function brokeOff({ name }: Bucket, key: string, { from, total }: Rest, why: string, cause?: unknown): JobError {
  const what = `GetObject of ${name.replace(/\/$/, '')}/${key} broke off after ${from} of ${total} bytes`;
  return new JobError('DESTINATION', `${what}, and ${why}.`, { cause, hint: `${RUN_AGAIN}.` });
}
