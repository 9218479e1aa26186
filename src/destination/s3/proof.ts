import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import { HeadObjectCommand, type ListObjectsV2CommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { isAbsent, NotS3, status } from './faults.ts';

/** What an answer lacks to be S3's, as a part of a sentence; undefined where it lacks nothing. */
export type Proof<T> = (answer: T) => string | undefined;

/**
 * The answer, once it is proved to be S3's: a proxy, a login page or a web server of somebody else's says 200 too, and
 * the SDK makes an answer without content of most that they send. Throws NotS3 otherwise.
 */
export async function proved<T>(answer: Promise<T>, proof: Proof<T>): Promise<T> {
  let given: T;
  try {
    given = await answer;
  } catch (error) {
    if (status(error) === 200 && /XML parse error|Deserialization error/.test((error as Error).message)) {
      throw new NotS3('it is no XML that can be read', error);
    }
    throw error;
  }
  const lack = proof(given);
  if (lack === undefined) return given;
  // A body that nobody reads would keep its connection for good.
  const { Body } = given as { Body?: unknown };
  if (Body instanceof Readable) Body.destroy();
  throw new NotS3(lack);
}

/** Of an object that is there. A gateway has no ETag of files that came into its folder by themselves. */
export const isObject: Proof<{ ETag?: string | undefined; LastModified?: Date | undefined }> = ({
  ETag,
  LastModified,
}) => (hasTag({ ETag }) && LastModified === undefined ? 'it has neither ETag nor Last-Modified' : undefined);

const hasTag: Proof<{ ETag?: string | undefined }> = ({ ETag }) =>
  ETag === undefined || ETag === '' ? 'it has no ETag' : undefined;

/** Of bytes that were sent: a store that sends a checksum back must have got what has this one. */
export function took(told?: string): Proof<{ ETag?: string | undefined; ChecksumCRC32?: string | undefined }> {
  return ({ ETag, ChecksumCRC32: crc = told }) =>
    hasTag({ ETag }) ?? (told === undefined || crc === told ? undefined : `it has the checksum ${crc}, not ${told}`);
}

/** Sums over all that is sent, where the store is not told a checksum. */
export class Sums {
  crc32 = 0;
  readonly #md5 = createHash('md5');

  add(chunk: Buffer): void {
    this.crc32 = zlib.crc32(chunk, this.crc32);
    this.#md5.update(chunk);
  }

  /** In hexadecimal digits; after that nothing can be added. */
  md5(): string {
    return this.#md5.digest('hex');
  }
}

/**
 * Throws BadDigest where the ETag is an MD5, and another one. S3 documents it as the MD5 of the object, or for parts as
 * that of their MD5s, but not under SSE-KMS; other stores have tags of another form.
 */
export function mustHaveTag(
  {
    ETag = '',
    ServerSideEncryption: sse = 'AES256',
  }: { ETag?: string | undefined; ServerSideEncryption?: string | undefined },
  md5: string,
): void {
  const tag = ETag.replaceAll('"', '').toLowerCase();
  if (!/^[0-9a-f]{32}(-\d+)?$/.test(tag) || tag.includes('-') !== md5.includes('-') || sse !== 'AES256') return;
  if (tag !== md5) {
    throw Object.assign(new Error(`the ETag is ${tag}, and the MD5 of what was sent ${md5}`), { name: 'BadDigest' });
  }
}

/** Asks after an object that was taken without its checksum being sent back, as S3 does. */
export async function mustBeThere(
  s3: S3Client,
  { Bucket, Key }: { Bucket: string | undefined; Key: string | undefined },
  bytes: number,
  abortSignal: AbortSignal,
): Promise<void> {
  try {
    const head = await proved(s3.send(new HeadObjectCommand({ Bucket, Key }), { abortSignal }), isObject);
    if (head.ContentLength !== bytes)
      throw new NotS3(`it confirms ${bytes} bytes, and ${head.ContentLength} are there`);
  } catch (error) {
    throw isAbsent(error) ? new NotS3('it confirms an object that is not there', error) : error;
  }
}

export const isListing: Proof<ListObjectsV2CommandOutput> = (page) => {
  if (page.Name === undefined && page.KeyCount === undefined && page.IsTruncated === undefined) {
    return 'it is no ListBucketResult';
  }
  const endless = page.IsTruncated === true && page.NextContinuationToken === undefined;
  return endless ? 'it is a part of a listing and does not say how to go on' : undefined;
};

/** The bytes of a body; throws NotS3 where they are not as many as were announced. */
export async function* whole(body: AsyncIterable<Buffer>, announced: number | undefined): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    yield chunk;
  }
  mustBeWhole(bytes, announced);
}

export function mustBeWhole(bytes: number, announced = bytes): void {
  if (bytes !== announced) throw new NotS3(`it has ${bytes} bytes and announces ${announced}`);
}
