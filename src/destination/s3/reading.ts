import { createHash } from 'node:crypto';
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { Destination, Standing } from '../destination.ts';
import { readChecksum } from './body.ts';
import { isAbsent } from './faults.ts';
import { isListing, isObject, mustBeWhole, proved, whole } from './proof.ts';

/** Begins the version of an object that has no ETag, so that no condition can name it. */
export const NO_TAG = 'no ETag: ';

export interface Bucket {
  readonly bucket: string;
  /** The prefix with its slash, or nothing. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Sends, and throws what people understand; `repeat` also where an answer breaks off midway. */
  request<T>(action: string, key: string, send: (s3: S3Client) => Promise<T>, repeat?: boolean): Promise<T>;
  /** The error for people of one that came while an answer was read. */
  explain(error: unknown, action: string, key: string): unknown;
}

/** All that is asked of a bucket without changing it. */
export function readingOf(
  at: Bucket,
): Pick<Destination, 'requests' | 'list' | 'read' | 'standing' | 'look' | 'stream'> {
  const { bucket: Bucket, folder, signal } = at;
  const requests = { listings: 0, reads: 0, looks: 0 };
  const get = (s3: S3Client, key: string) => {
    requests.reads++;
    const command = new GetObjectCommand({ Bucket, Key: folder + key });
    return ifThere(proved(s3.send(command, { abortSignal: signal }), isObject));
  };

  const standing = (key: string) =>
    at.request(
      'GetObject',
      key,
      async (s3): Promise<Standing | undefined> => {
        const answer = await get(s3, key);
        if (answer?.Body === undefined) return undefined;
        const content = Buffer.from(await answer.Body.transformToByteArray());
        mustBeWhole(content.length, answer.ContentLength);
        return { content, version: answer.ETag || NO_TAG + createHash('sha256').update(content).digest('hex') };
      },
      true,
    );

  return {
    requests,
    async *list(inPrefix, { after, before } = {}) {
      let token: string | undefined;
      do {
        requests.listings++;
        const from = token === undefined ? { StartAfter: after === undefined ? undefined : folder + after } : {};
        const input = { Bucket, Prefix: folder + inPrefix, ContinuationToken: token, ...from };
        const page = await at.request('ListObjectsV2', inPrefix, (s3) =>
          proved(s3.send(new ListObjectsV2Command(input), { abortSignal: signal }), isListing),
        );
        for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
          const key = Key.slice(folder.length);
          if (before !== undefined && key >= before) return;
          yield { key, bytes: Size, modifiedAt: LastModified };
        }
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },
    standing,
    read: async (key) => (await standing(key))?.content,
    look: (key) =>
      at.request('HeadObject', key, async (s3) => {
        requests.looks++;
        const input = { Bucket, Key: folder + key, ChecksumMode: 'ENABLED' as const };
        const head = await ifThere(proved(s3.send(new HeadObjectCommand(input), { abortSignal: signal }), isObject));
        if (head === undefined) return undefined;
        const { ChecksumCRC32: crc32, ChecksumType, ContentLength: bytes = 0 } = head;
        // A checksum of checksums, of an upload in parts by another program, says nothing of the bytes themselves.
        const ofParts = ChecksumType === 'COMPOSITE' || /-\d+$/.test(crc32 ?? '');
        return { bytes, crc32: crc32 === undefined || ofParts ? undefined : readChecksum(crc32) };
      }),
    async stream(key) {
      const answer = await at.request('GetObject', key, (s3) => get(s3, key));
      const body = answer?.Body as AsyncIterable<Buffer> | undefined;
      if (body === undefined) return undefined;
      return explained(whole(body, answer?.ContentLength), (error) => at.explain(error, 'GetObject', key));
    },
  };
}

async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function* explained(body: AsyncIterable<Buffer>, explain: (error: unknown) => unknown): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw explain(error);
  }
}
