import type { Hash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import zlib from 'node:zlib';
import { type Content, Miscounted } from '../destination.ts';
import { ContentFailure } from './errors.ts';

/**
 * The chunks of a content, never more bytes than announced: S3 would take the rest for the next request. The last chunk
 * waits until the content has ended well, because S3 answers as soon as it has the announced bytes. `countCrc32`: also
 * until the CRC-32 is proved to be the announced one. Throws ContentFailure.
 */
export async function* checked(content: Content, countCrc32: boolean): AsyncGenerator<Buffer> {
  let left = content.bytes;
  let crc32 = 0;
  let last: Buffer | undefined;
  try {
    for await (const chunk of content.open()) {
      if (chunk.length === 0) continue;
      left -= chunk.length;
      if (left < 0) throw new Miscounted();
      if (countCrc32) crc32 = zlib.crc32(chunk, crc32);
      if (left > 0) yield chunk;
      else last = Buffer.from(chunk);
    }
    if (left > 0 || (countCrc32 && crc32 !== content.crc32)) throw new Miscounted();
  } catch (error) {
    throw new ContentFailure('the content failed', { cause: error });
  }
  if (last !== undefined) yield last;
}

/**
 * The body of an upload, as the SDK takes it: a stream that the SDK pipes into its request, and nothing else, as long as
 * length and checksum are given. `pipe` is our own: a chunk is valid until the next one is asked for, and only here it
 * is known when it has left for the kernel.
 */
export class UploadBody extends Readable {
  /** Set where the content threw. The SDK only sees a broken request. */
  failure: unknown;
  /** The content has ended well, and all of it has left for the kernel. */
  sent = false;
  readonly #chunks: AsyncGenerator<Buffer>;
  readonly #md5: Hash | undefined;
  #pumping: Promise<void> | undefined;

  constructor(chunks: AsyncGenerator<Buffer>, md5: Hash | undefined) {
    super();
    this.#chunks = chunks;
    this.#md5 = md5;
  }

  override pipe<T extends NodeJS.WritableStream>(target: T): T {
    this.#pumping = this.#pump(target as unknown as Writable);
    return target;
  }

  override _read(): void {
    this.destroy(new Error('an upload of known length and checksum can only be piped'));
  }

  /** Returns once nobody reads the content any more and it has closed what it had open. */
  async close(): Promise<void> {
    await this.#pumping;
    // Where an upload has failed otherwise, it does not matter how the content ends.
    await this.#chunks.return(undefined).catch(() => undefined);
    this.destroy();
  }

  async #pump(target: Writable): Promise<void> {
    // A request that is closed does not always call back its writes.
    let settle: (error?: Error | null) => void = () => undefined;
    target.once('close', () => settle(closedEarly()));
    try {
      for await (const chunk of this.#chunks) {
        this.#md5?.update(chunk);
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        settle = (error) => (error ? reject(error) : resolve());
        if (target.destroyed) settle(closedEarly());
        else target.write(chunk, settle);
        await promise;
      }
      this.sent = true;
      target.end();
    } catch (error) {
      if (error instanceof ContentFailure) this.failure = error;
      if (!target.destroyed) target.destroy(error as Error);
    }
  }
}

/** Transient, like Node.js's own error of a stream that closes early. */
function closedEarly(): Error {
  return Object.assign(new Error('the request was closed'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}
