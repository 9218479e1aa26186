import { createHash } from 'node:crypto';
import zlib from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Content, Miscounted } from '../destination.ts';
import { ContentFailure, checksum } from './body.ts';
import { mustBeThere, mustHaveTag, proved, type Sums, took } from './proof.ts';

interface Options {
  readonly partBytes: number;
  /** For a store that is told no checksums: filled with the whole content. */
  readonly sums: Sums | undefined;
  readonly signal: AbortSignal;
}

/** S3's highest number of parts in one object. */
const MOST_PARTS = 10_000;

/**
 * Uploads in parts what is too large for one PUT, one part after the other from one reading of the content, and lets S3
 * check the CRC-32 of the whole (`ChecksumType: FULL_OBJECT`), or with `sums` holds its ETags against them. A part is
 * held in memory, so that the SDK can send it again. What fails is aborted, so that no parts stay behind.
 */
export async function putInParts(
  s3: S3Client,
  target: PutObjectCommandInput,
  content: Content,
  { partBytes, sums, signal }: Options,
): Promise<void> {
  const { Bucket, Key } = target;
  const size = Math.max(partBytes, Math.ceil(content.bytes / MOST_PARTS));
  const created = await proved(
    s3.send(
      new CreateMultipartUploadCommand({
        ...target,
        ...(sums === undefined ? { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } : {}),
      }),
      { abortSignal: signal },
    ),
    ({ UploadId }) => (UploadId === undefined || UploadId === '' ? 'it has no UploadId' : undefined),
  );
  const upload = { Bucket, Key, UploadId: created.UploadId };
  try {
    const Parts: CompletedPart[] = [];
    const tags = createHash('md5');
    for await (const part of partsOf(content, size)) {
      const PartNumber = Parts.length + 1;
      const ChecksumCRC32 = sums === undefined ? checksum(zlib.crc32(part)) : undefined;
      const answer = await proved(
        s3.send(new UploadPartCommand({ ...upload, PartNumber, Body: part, ChecksumCRC32 }), { abortSignal: signal }),
        took(ChecksumCRC32),
      );
      if (sums !== undefined) {
        sums.add(part);
        const md5 = createHash('md5').update(part).digest();
        tags.update(md5);
        mustHaveTag(answer, md5.toString('hex'));
      }
      Parts.push({ PartNumber, ETag: answer.ETag, ChecksumCRC32 });
    }
    if (sums !== undefined && sums.crc32 !== content.crc32) throw new ContentFailure(new Miscounted());
    const whole = sums === undefined ? checksum(content.crc32) : undefined;
    const answer = await proved(
      s3.send(
        new CompleteMultipartUploadCommand({
          ...upload,
          MultipartUpload: { Parts },
          ...(whole === undefined
            ? {}
            : { ChecksumType: 'FULL_OBJECT', ChecksumCRC32: whole, MpuObjectSize: content.bytes }),
        }),
        { abortSignal: signal },
      ),
      took(whole),
    );
    if (sums !== undefined) mustHaveTag(answer, `${tags.digest('hex')}-${Parts.length}`);
    if (answer.ChecksumCRC32 === undefined) await mustBeThere(s3, target, content.bytes, signal);
  } catch (error) {
    // Not bound to the signal: also an interrupted run leaves no parts behind, if it has the time.
    await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

/**
 * The content in pieces of `size` bytes, the last one shorter. Each has memory of its own: a request that was answered
 * too early may still read the one before.
 */
async function* partsOf(content: Content, size: number): AsyncGenerator<Buffer> {
  let left = content.bytes;
  const room = () => Buffer.allocUnsafeSlow(Math.min(size, left));
  let part = room();
  let filled = 0;
  try {
    for await (const chunk of content.open()) {
      for (let from = 0; from < chunk.length; ) {
        if (left === 0) throw new Miscounted();
        const copied = chunk.copy(part, filled, from);
        from += copied;
        filled += copied;
        left -= copied;
        // The last part waits for the end of the content, where that proves to be whole or not.
        if (filled < part.length || left === 0) continue;
        yield part;
        part = room();
        filled = 0;
      }
    }
    if (left > 0) throw new Miscounted();
  } catch (error) {
    throw new ContentFailure(error);
  }
  if (filled > 0) yield part;
}
