import { CopyObjectCommand, type CopyObjectCommandOutput, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { Count } from '../destination.ts';
import type { Bucket } from './bucket.ts';
import { statusOf } from './errors.ts';
import { proved } from './proof.ts';
import { encodeCrc32 } from './upload.ts';

/** S3 copies up to 5 GiB in one request. */
const MOST_BYTES = 5 * 2 ** 30;

interface Copy {
  readonly key: string;
  /** Where it goes, its type and encryption. */
  readonly target: Pick<
    PutObjectCommandInput,
    'Bucket' | 'Key' | 'ContentType' | 'ServerSideEncryption' | 'SSEKMSKeyId'
  >;
  readonly content: Count;
  readonly from: { readonly Bucket: string; readonly Key: string };
  /** When the source was last changed, as far as is known: a later change makes it another object. */
  readonly since: Date | undefined;
  /** The CRC-32 that the store keeps of the new object, for stores that do not say it at once. */
  readonly looked: () => Promise<number | undefined>;
}

/** A store that does not copy, or does not let these keys. */
const REFUSALS = [400, 403, 405, 501];

/** Stores that have refused to copy. */
const refusing = new WeakSet<Bucket>();

/**
 * Has S3 copy an object and compute its CRC-32 anew. False where the store refuses that, or where what it made does not
 * prove to be `content`. A refusal is remembered: a store that cannot copy is asked once.
 */
export async function copyInside(
  bucket: Bucket,
  { key, target, content, from, since, looked }: Copy,
): Promise<boolean> {
  if (refusing.has(bucket) || bucket.dialect.lacks.has('checksums') || content.bytes > MOST_BYTES) return false;
  const command = new CopyObjectCommand({
    ...target,
    CopySource: [from.Bucket, ...from.Key.split('/')].map(encodeURIComponent).join('/'),
    // The header has whole seconds, and so do listings of stores that know more: the end of that second.
    ...(since && { CopySourceIfUnmodifiedSince: new Date(Math.floor(since.getTime() / 1000 + 1) * 1000) }),
    ChecksumAlgorithm: 'CRC32',
    MetadataDirective: 'REPLACE',
    // Without it, S3 asks for the right to read the tags of the source.
    TaggingDirective: 'REPLACE',
  });
  const isCopy = ({ CopyObjectResult: made }: CopyObjectCommandOutput) =>
    made?.ETag ? undefined : 'it is not a CopyObjectResult';
  try {
    const copying = () => proved(bucket.send(command), isCopy);
    const { CopyObjectResult: made } = await bucket.request('CopyObject', key, copying);
    if (made?.ChecksumCRC32 === undefined) return (await looked()) === content.crc32;
    return made.ChecksumCRC32 === encodeCrc32(content.crc32);
  } catch (error) {
    const status = statusOf((error as Error).cause) ?? 0;
    // The source has gone or changed: whoever reads it says so.
    if (status === 404 || status === 412) return false;
    if (!REFUSALS.includes(status)) throw error;
    refusing.add(bucket);
    return false;
  }
}
