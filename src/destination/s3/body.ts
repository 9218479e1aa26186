import { Readable, type Writable } from 'node:stream';
import { type Content, Miscounted } from '../destination.ts';
import { NotS3 } from './faults.ts';
import type { Sums } from './proof.ts';

/** What the content itself threw while it was sent; S3 has no part in it. */
export class ContentFailure extends Error {
  constructor(cause: unknown) {
    super('the content failed', { cause });
  }
}

/** As S3 writes a CRC-32: base64 of its four bytes, the highest first. */
export function checksum(crc32: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32 >>> 0);
  return bytes.toString('base64');
}

/** The opposite of checksum. */
export function readChecksum(text: string): number {
  return Buffer.from(text, 'base64').readUInt32BE();
}

/**
 * Sends `content` by `send`, which gives `body` and `signal` to the SDK, and returns the answer once it is proved: the
 * content was read to its end, ended well and left for S3 before S3 answered. With `sums`, which are filled, it also had
 * the CRC-32 that it announced: S3 is not told that. The content is closed when this ends, whichever way.
 */
export async function sendContent<T>(
  content: Content,
  { sums, signal }: { sums: Sums | undefined; signal: AbortSignal },
  send: (body: ContentBody, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const body = new ContentBody(content, sums);
  const over = new AbortController();
  try {
    const answer = await send(body, AbortSignal.any([signal, over.signal]));
    if (!body.sent) throw new NotS3('it came before the object was sent');
    return answer;
  } catch (error) {
    throw body.failure ?? error;
  } finally {
    // A request that was answered too early would wait for the rest of its body.
    if (!body.sent) over.abort();
    await body.close();
  }
}

/**
 * The body of an upload, as the SDK takes it: a stream that the SDK pipes into its request, and does nothing else with
 * as long as length and checksum are given.
 *
 * `pipe` is our own, since a chunk is valid until the next one is asked for, and only here it can be known when it has
 * left for the kernel.
 */
class ContentBody extends Readable {
  /** Set where the content threw; the SDK only sees a broken request. */
  failure: ContentFailure | undefined;
  /** The content has ended well, and all of it has left for the kernel. */
  sent = false;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #sums: Sums | undefined;
  readonly #crc32: number;
  #left: number;
  #pumping: Promise<void> | undefined;

  constructor(content: Content, sums: Sums | undefined) {
    super();
    this.#chunks = content.open()[Symbol.asyncIterator]();
    this.#sums = sums;
    this.#crc32 = content.crc32;
    this.#left = content.bytes;
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
    // The end of the content is of no interest to an upload that has ended otherwise.
    await this.#chunks.return?.().catch(() => undefined);
    this.destroy();
  }

  async #pump(target: Writable): Promise<void> {
    let settle: (error?: Error | null) => void = () => undefined;
    target.once('close', () => settle(closedEarly()));
    const write = (chunk: Buffer) =>
      new Promise<void>((resolve, reject) => {
        settle = (error) => (error == null ? resolve() : reject(error));
        if (target.destroyed) settle(closedEarly());
        else target.write(chunk, settle);
      });
    try {
      for (
        let chunk = await this.#next();
        chunk !== undefined;
        chunk = this.#left > 0 ? await this.#next() : undefined
      ) {
        await write(chunk);
      }
      this.sent = true;
      target.end();
    } catch (error) {
      if (!target.destroyed) target.destroy(error as Error);
    }
  }

  /**
   * The last chunk waits for the end of the content, where that proves to be whole or not: S3 answers as soon as it has
   * the announced bytes.
   */
  async #next(): Promise<Buffer | undefined> {
    try {
      const chunk = await this.#pull();
      if (chunk !== undefined) this.#sums?.add(chunk);
      if (this.#left > 0 || chunk === undefined) return chunk;
      const last = Buffer.from(chunk);
      if ((await this.#pull()) !== undefined) throw new Miscounted();
      if (this.#sums !== undefined && this.#sums.crc32 !== this.#crc32) throw new Miscounted();
      return last;
    } catch (error) {
      this.failure = new ContentFailure(error);
      throw error;
    }
  }

  /** Never more bytes than announced: the rest of a request would be taken for the next one. */
  async #pull(): Promise<Buffer | undefined> {
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done !== true) this.#left -= value.length;
      if (this.#left < 0 || (done === true && this.#left > 0)) throw new Miscounted();
      if (done === true) return undefined;
      if (value.length > 0) return value;
    }
  }
}

/** Transient, like Node.js's own error of a stream that closes early. */
function closedEarly(): Error {
  return Object.assign(new Error('the request was closed'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}
