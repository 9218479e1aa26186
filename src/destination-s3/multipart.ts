import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Content, Miscounted } from '../destination.ts';
import { ContentBody } from './body.ts';

interface Options {
  readonly partBytes: number;
  readonly ifAbsent: boolean;
  readonly signal: AbortSignal;
}

/** S3's highest number of parts in one object. */
const MOST_PARTS = 10_000;

/**
 * Uploads in parts what is too large for one PUT, one part after the other from one reading of the content, and lets S3
 * check the CRC-32 of the whole (`ChecksumType: FULL_OBJECT`). What fails is aborted, so that no parts stay behind.
 */
export async function putInParts(
  s3: S3Client,
  target: PutObjectCommandInput,
  content: Content,
  { partBytes, ifAbsent, signal }: Options,
): Promise<void> {
  const { Bucket, Key } = target;
  const size = Math.max(partBytes, Math.ceil(content.bytes / MOST_PARTS));
  const created = await s3.send(
    new CreateMultipartUploadCommand({
      ...target,
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
    }),
    { abortSignal: signal },
  );
  const upload = { Bucket, Key, UploadId: created.UploadId };
  const chunks = new Cutter(content.open());
  try {
    const Parts: {
      PartNumber: number;
      ETag: string | undefined;
      ChecksumCRC32?: string;
    }[] = [];
    for (let from = 0; from < content.bytes; from += size) {
      const bytes = Math.min(size, content.bytes - from);
      const body = new ContentBody(chunks.take(bytes), bytes);
      const PartNumber = Parts.length + 1;
      try {
        const part = await s3.send(
          new UploadPartCommand({
            ...upload,
            PartNumber,
            Body: body,
            ContentLength: bytes,
            ChecksumAlgorithm: 'CRC32',
          }),
          { abortSignal: signal },
        );
        Parts.push({
          PartNumber,
          ETag: part.ETag,
          ...(part.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: part.ChecksumCRC32 }),
        });
      } catch (error) {
        throw body.failure ?? error;
      }
    }
    if (!(await chunks.isAtEnd())) throw new Miscounted();
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(content.crc32);
    await s3.send(
      new CompleteMultipartUploadCommand({
        ...upload,
        MultipartUpload: { Parts },
        ChecksumType: 'FULL_OBJECT',
        ChecksumCRC32: crc.toString('base64'),
        MpuObjectSize: content.bytes,
        ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
      }),
      { abortSignal: signal },
    );
  } catch (error) {
    // Not bound to the signal: also an interrupted run leaves no parts behind, if it has the time.
    await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  } finally {
    await chunks.close();
  }
}

/** Cuts one run of chunks into parts of given sizes, whatever the chunks' own. */
class Cutter {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer | undefined;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async *take(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      const piece = chunk.subarray(0, left);
      if (piece.length < chunk.length) this.#rest = chunk.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async isAtEnd(): Promise<boolean> {
    const chunk = await this.#next();
    return chunk === undefined || chunk.length === 0;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<Buffer | undefined> {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return rest;
    const { done, value } = await this.#chunks.next();
    return done === true ? undefined : value;
  }
}
