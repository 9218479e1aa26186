import { createHash, hash } from 'node:crypto';
import zlib from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Content, Miscounted } from '../destination.ts';
import { checked, UploadBody } from './body.ts';
import type { Send } from './bucket.ts';
import { ContentFailure, isWrongDigest } from './errors.ts';
import { lackOfArrival, proved, type Told } from './proof.ts';

/** S3 takes up to 5 GiB in one PUT. Parts are held in memory. */
const MULTIPART = { aboveBytes: 5 * 2 ** 30, partBytes: 8 * 2 ** 20 };

/** S3's highest number of parts in one object. */
const MOST_PARTS = 10_000;

interface Upload {
  readonly send: Send;
  /** Where it goes, its type and encryption. */
  readonly target: PutObjectCommandInput;
  readonly content: Content;
  /** Whether the store is told checksums. Otherwise ETags prove what arrived, where they are MD5s. */
  readonly checksums: boolean;
  readonly signal: AbortSignal;
  readonly multipart?: typeof MULTIPART;
}

/** Uploads once; the caller repeats it. Throws ContentFailure where the content fails, or is not what it announced. */
export async function upload(given: Upload): Promise<Told> {
  const { content, multipart = MULTIPART } = given;
  try {
    return await (content.bytes > multipart.aboveBytes ? putInParts(given, multipart.partBytes) : putWhole(given));
  } catch (error) {
    if (isWrongDigest(error)) await recount(content);
    throw error;
  }
}

/** Whose fault is a wrong checksum? Throws ContentFailure where it is the content's. */
async function recount(content: Content): Promise<void> {
  try {
    const { bytes, crc32 } = await content.count();
    if (bytes !== content.bytes || crc32 !== content.crc32) throw new Miscounted();
  } catch (cause) {
    throw new ContentFailure('the content failed', { cause });
  }
}

/** Sends a content as one PUT. It is closed when this ends, in whatever way it ends. */
async function putWhole({ send, target, content, checksums, signal }: Upload): Promise<Told> {
  const ChecksumCRC32 = checksums ? encodeCrc32(content.crc32) : undefined;
  const md5 = checksums ? undefined : createHash('md5');
  const body = new UploadBody(checked(content, !checksums), md5);
  const early = new AbortController();
  try {
    const command = new PutObjectCommand({ ...target, Body: body, ContentLength: content.bytes, ChecksumCRC32 });
    const sending = send(command, { abortSignal: AbortSignal.any([signal, early.signal]) });
    return await proved(sending, (answer) => {
      if (!body.sent) return 'it came before the object was sent';
      return lackOfArrival(answer, { crc32: ChecksumCRC32, md5: md5?.digest('hex') });
    });
  } catch (error) {
    throw body.failure ?? error;
  } finally {
    // A request that was answered too early would wait for the rest of its body.
    if (!body.sent) early.abort();
    await body.close();
  }
}

/**
 * Sends a content that is too large for one PUT, in one part after the other, from one reading. S3 checks the CRC-32 of
 * the whole. A part is held in memory, so that the SDK can send it again. A failed upload is aborted: no parts stay.
 */
async function putInParts({ send, target, content, checksums }: Upload, partBytes: number): Promise<Told> {
  const size = Math.max(partBytes, Math.ceil(content.bytes / MOST_PARTS));
  const algorithm = checksums ? ({ ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const) : {};
  const { UploadId } = await proved(send(new CreateMultipartUploadCommand({ ...target, ...algorithm })), (answer) =>
    answer.UploadId ? undefined : 'it has no UploadId',
  );
  const upload = { Bucket: target.Bucket, Key: target.Key, UploadId };
  try {
    const Parts: CompletedPart[] = [];
    const md5s = createHash('md5');
    for await (const part of partsOf(checked(content, !checksums), content.bytes, size)) {
      const PartNumber = Parts.length + 1;
      const ChecksumCRC32 = checksums ? encodeCrc32(zlib.crc32(part)) : undefined;
      const md5 = checksums ? undefined : hash('md5', part);
      const command = new UploadPartCommand({ ...upload, PartNumber, Body: part, ChecksumCRC32 });
      const { ETag } = await proved(send(command), (answer) => lackOfArrival(answer, { crc32: ChecksumCRC32, md5 }));
      if (md5 !== undefined) md5s.update(md5, 'hex');
      Parts.push({ PartNumber, ETag, ChecksumCRC32 });
    }
    const crc32 = encodeCrc32(content.crc32);
    const whole = { ChecksumType: 'FULL_OBJECT', ChecksumCRC32: crc32, MpuObjectSize: content.bytes } as const;
    const input = { ...upload, MultipartUpload: { Parts }, ...(checksums ? whole : {}) };
    const sent = checksums ? { crc32 } : { md5: `${md5s.digest('hex')}-${Parts.length}` };
    return await proved(send(new CompleteMultipartUploadCommand(input)), (answer) => lackOfArrival(answer, sent));
  } catch (error) {
    // Under a signal of its own: an interrupted run leaves no parts either, if it has the time.
    const abort = send(new AbortMultipartUploadCommand(upload), { abortSignal: AbortSignal.timeout(60_000) });
    await abort.catch(() => undefined);
    throw error;
  }
}

/**
 * The same bytes in pieces of `size`, the last one shorter. Each has memory of its own: a request that was answered too
 * early may still read the one before.
 */
async function* partsOf(chunks: AsyncIterable<Buffer>, bytes: number, size: number): AsyncGenerator<Buffer> {
  let left = bytes;
  let part = Buffer.allocUnsafeSlow(Math.min(size, left));
  let filled = 0;
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length; ) {
      const copied = chunk.copy(part, filled, taken);
      taken += copied;
      filled += copied;
      if (filled < part.length) continue;
      yield part;
      left -= filled;
      part = Buffer.allocUnsafeSlow(Math.min(size, left));
      filled = 0;
    }
  }
}

/** As S3 writes a CRC-32: base64 of its four bytes, the highest first. */
export const encodeCrc32 = (crc32: number) =>
  Buffer.from(crc32.toString(16).padStart(8, '0'), 'hex').toString('base64');
