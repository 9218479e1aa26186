import { Readable } from 'node:stream';
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { NotS3, statusOf, WrongBytes, WrongDigest } from './errors.ts';

/** What an answer lacks to be S3's, as a part of a sentence; undefined where it lacks nothing. */
type Proof<T> = (answer: T) => string | undefined;

/** What S3 says of an object. */
export interface Told {
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly ChecksumCRC32?: string | undefined;
  readonly ChecksumType?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
}

/**
 * The answer, once it is proved to be S3's. A proxy or a login page says 200 too, and of most pages the SDK makes an
 * answer without content. Throws NotS3.
 */
export async function proved<T>(answer: Promise<T>, proof: Proof<T>): Promise<T> {
  const given = await answer.catch((error: unknown) => {
    // A success that the SDK cannot read.
    if (statusOf(error) === 200) throw new NotS3('it is no XML that can be read', error);
    throw error;
  });
  const lack = proof(given);
  if (lack === undefined) return given;
  // A body that nobody reads would keep its connection for good.
  const { Body } = given as { Body?: unknown };
  if (Body instanceof Readable) Body.destroy();
  throw new NotS3(lack);
}

/** Of an object that is there. A gateway has no ETag for files that did not come through it. */
export const isObject: Proof<Told> = ({ ETag, LastModified }) =>
  !ETag && LastModified === undefined ? 'it has neither ETag nor Last-Modified' : undefined;

/**
 * Of bytes that were sent with the checksum `crc32`, or without one and then of this MD5. A store that sends a checksum
 * back has to send the same. Throws WrongDigest where the ETag is another MD5. S3 documents it as the MD5 of the object,
 * or of the MD5s of its parts, but not under SSE-KMS; other stores have ETags of another form.
 */
export function lackOfArrival(answer: Told, { crc32, md5 }: { crc32?: string | undefined; md5?: string | undefined }) {
  const { ETag = '', ChecksumCRC32 = crc32, ServerSideEncryption = 'AES256' } = answer;
  if (ETag === '') return 'it has no ETag';
  if (crc32 !== undefined && ChecksumCRC32 !== crc32) return `it has the checksum ${ChecksumCRC32}, not ${crc32}`;
  const tag = ETag.replaceAll('"', '').toLowerCase();
  const isMd5 = /^[0-9a-f]{32}(-\d+)?$/.test(tag) && ServerSideEncryption === 'AES256';
  if (md5 === undefined || !isMd5 || tag === md5 || tag.includes('-') !== md5.includes('-')) return undefined;
  throw new WrongDigest(`the ETag is ${tag}, and the MD5 of what was sent ${md5}`);
}

/** The CRC-32 of the whole object; undefined where the store has not told it. */
export function wholeCrc32({ ChecksumCRC32, ChecksumType }: Told): number | undefined {
  // Another program's upload in parts may have a checksum of checksums. That is none of the bytes themselves.
  const isWhole = ChecksumCRC32 && ChecksumType !== 'COMPOSITE' && !/-\d+$/.test(ChecksumCRC32);
  return isWhole ? Buffer.from(ChecksumCRC32, 'base64').readUInt32BE() : undefined;
}

export const isListing: Proof<ListObjectsV2CommandOutput> = (page) => {
  if (page.Name === undefined && page.KeyCount === undefined && page.IsTruncated === undefined) {
    return 'it is not a ListBucketResult';
  }
  const endless = page.IsTruncated === true && page.NextContinuationToken === undefined;
  return endless ? 'it is a partial listing without a continuation token' : undefined;
};

/** The bytes of a body. Throws NotS3 where their number is not the announced one, and WrongBytes. */
export async function* whole(body: AsyncIterable<Buffer>, announced: number | undefined): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    // The SDK compares checksums as it reads, and has neither a type nor a code for one that differs.
    if (!(error instanceof Error) || !/^Checksum mismatch/.test(error.message)) throw error;
    throw new WrongBytes('the checksum differs', { cause: error });
  }
  if (bytes !== (announced ?? bytes)) throw new NotS3(`it has ${bytes} bytes and announces ${announced}`);
}
