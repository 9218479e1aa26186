import { createHash } from 'node:crypto';
import { HeadObjectCommand, ListObjectsV2Command, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { JobError } from '../errors.ts';
import {
  type Content,
  type Count,
  contentOf,
  type Destination,
  type DestinationOptions,
  type KeyRange,
  type Lack,
  type Requests,
} from './destination.ts';
import { Bucket } from './s3/bucket.ts';
import { copyInside } from './s3/copy.ts';
import { deleteKeys } from './s3/deletes.ts';
import { ConditionFailed, ifAbsent, isConditionFailed, isTransient, NotS3 } from './s3/errors.ts';
import { isListing, isObject, proved, wholeCrc32 } from './s3/proof.ts';
import { get, resumed, tailOf } from './s3/reads.ts';
import { upload } from './s3/upload.ts';

/** Begins the version of an object without ETag: no condition can name that. */
const NO_ETAG = 'no ETag: ';

/** An ETag that no object has. */
const WRONG_ETAG = '"00000000000000000000000000000000"';

type Condition = Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'>;

const standsAt = (version: string | undefined): Condition =>
  version === undefined ? { IfNoneMatch: '*' } : { IfMatch: version };

/** Hours in a bucket. S3 is told length and CRC-32 of every object beforehand, and refuses other bytes. */
export class S3Destination implements Destination {
  readonly name: string;
  readonly lacks: ReadonlySet<Lack>;
  readonly requests: Requests;
  readonly #bucket: Bucket;
  readonly #options: DestinationOptions;

  constructor(address: { bucket: string; prefix: string }, options: DestinationOptions) {
    this.#options = options;
    this.#bucket = new Bucket(address, options);
    this.name = this.#bucket.name;
    this.lacks = this.#bucket.dialect.lacks;
    this.requests = this.#bucket.requests;
  }

  /** A swap is conditional, so other runs need not be kept out. */
  async lock(): Promise<void> {}

  /** Nobody sees an unfinished upload, and the bucket's lifecycle rule removes its parts. */
  async sweep(): Promise<void> {}

  async close(): Promise<void> {
    await this.#bucket.close();
  }

  async *list(prefix: string, range: KeyRange = {}) {
    const { Bucket, Key: Prefix } = this.#bucket.target(prefix);
    let StartAfter = range.after && this.#bucket.target(range.after).Key;
    let ContinuationToken: string | undefined;
    do {
      this.requests.listings++;
      const command = new ListObjectsV2Command({ Bucket, Prefix, StartAfter, ContinuationToken });
      StartAfter = undefined;
      const page = await this.#bucket.request('ListObjectsV2', prefix, () =>
        proved(this.#bucket.send(command), isListing),
      );
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        const key = Key.slice(Prefix.length - prefix.length);
        if (range.before !== undefined && key >= range.before) return;
        yield { key, bytes: Size, modifiedAt: LastModified };
      }
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async read(key: string): Promise<Buffer | undefined> {
    return (await this.standing(key))?.content;
  }

  async standing(key: string) {
    return await this.#bucket.request('GetObject', key, async () => {
      const object = await get(this.#bucket, key);
      if (object === undefined) return undefined;
      const content = Buffer.concat(await Array.fromAsync(object.body));
      return { content, version: object.ETag || NO_ETAG + createHash('sha256').update(content).digest('hex') };
    });
  }

  async stream(key: string): Promise<AsyncIterable<Buffer> | undefined> {
    const object = await this.#bucket.request('GetObject', key, () => get(this.#bucket, key));
    return object && resumed(object, this.#bucket, key);
  }

  async look(key: string) {
    this.requests.looks++;
    return await this.#head(key, { ChecksumMode: 'ENABLED' });
  }

  async tail(key: string, bytes: number): Promise<Buffer | undefined> {
    return await this.#bucket.request('GetObject', key, () => tailOf(this.#bucket, key, bytes));
  }

  async copy(key: string, content: Count, source: Destination, { key: name, since }: { key: string; since?: Date }) {
    if (!(source instanceof S3Destination)) return false;
    const target = this.#writeTo(key);
    const looked = async () => (await this.look(key))?.crc32;
    return await copyInside(this.#bucket, { key, target, content, from: source.#bucket.target(name), since, looked });
  }

  async put(key: string, content: Content): Promise<void> {
    await this.#bucket.request('PutObject', key, () =>
      this.#bucket.dialect.adapt(['checksums'], (uses) => this.#putOnce(key, content, uses)),
    );
  }

  async swap(key: string, content: Buffer, expected: string | undefined): Promise<'swapped' | 'lost'> {
    return await this.#bucket.request('PutObject', key, async () => {
      try {
        await this.#swapOnce(key, contentOf(content), expected);
        return 'swapped';
      } catch (error) {
        const refused = isConditionFailed(error);
        // The look that proves a put explains its own failure.
        const cause = error instanceof JobError ? error.cause : error;
        if (!refused && !isTransient(cause)) throw error;
        // The refusal may be of a repetition, and an answer that was lost may have been a success.
        const now = await this.standing(key);
        if (now?.content.equals(content) === true) return 'swapped';
        if (refused || now?.version !== expected) return 'lost';
        throw error;
      }
    });
  }

  async delete(keys: readonly string[]): Promise<void> {
    await deleteKeys(keys, this.#bucket);
  }

  /** Some stores refuse to be asked for a checksum. */
  async #head(key: string, mode: { ChecksumMode?: 'ENABLED' } = {}) {
    const command = new HeadObjectCommand({ ...this.#bucket.target(key), ...mode });
    const head = await this.#bucket.request('HeadObject', key, () =>
      proved(this.#bucket.send(command), isObject).catch(ifAbsent),
    );
    if (head === undefined) return undefined;
    return { bytes: head.ContentLength ?? 0, crc32: wholeCrc32(head) };
  }

  /** Where an object goes, its type and encryption. */
  #writeTo(key: string) {
    const { kmsKeyId, sse } = this.#options.s3;
    return {
      ...this.#bucket.target(key),
      ContentType: contentType(key),
      ServerSideEncryption: kmsKeyId === undefined ? sse : 'aws:kms',
      SSEKMSKeyId: kmsKeyId,
    } as const;
  }

  async #putOnce(key: string, content: Content, uses: ReadonlySet<Lack>, condition: Condition = {}) {
    const target = { ...this.#writeTo(key), ...condition };
    const { send } = this.#bucket;
    const checksums = uses.has('checksums');
    const { ChecksumCRC32 } = await upload({ ...this.#options, send, target, content, checksums });
    if (ChecksumCRC32 !== undefined) return;
    // The store did not send the checksum back, as S3 does: the object has to be there.
    const bytes = (await this.#head(key))?.bytes;
    if (bytes === undefined) throw new NotS3('it confirms an object that does not exist');
    if (bytes !== content.bytes) throw new NotS3(`it confirms ${content.bytes} bytes, and ${bytes} are there`);
  }

  async #swapOnce(key: string, content: Content, expected: string | undefined): Promise<void> {
    const { dialect } = this.#bucket;
    const features: Lack[] = expected?.startsWith(NO_ETAG) ? ['checksums'] : ['checksums', 'conditions'];
    await dialect.adapt(features, async (uses) => {
      const put = (condition?: Condition) => this.#putOnce(key, content, uses, condition);
      if (uses.has('conditions')) {
        const kind = expected === undefined ? 'If-None-Match' : 'If-Match';
        await put(standsAt(expected));
        await dialect.proveCondition(kind, () => put(standsAt(expected && WRONG_ETAG)));
      } else {
        // What another run swaps between this look and the put is lost.
        if ((await this.standing(key))?.version !== expected) throw new ConditionFailed();
        await put();
      }
    });
  }
}

function contentType(key: string): string {
  if (key.endsWith('.gz')) return 'application/gzip';
  return key.startsWith('manifests/') ? 'application/json' : 'application/x-ndjson';
}
