import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type PutObjectCommandInput,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { Content, Destination, Lack, Standing, StoredObject } from './destination.ts';
import { contentOf } from './destination.ts';
import type { DestinationOptions } from './open.ts';
import { Bucket } from './s3/bucket.ts';
import { ConditionFailed, isAbsent, isConditionFailed, isTransient, NotS3 } from './s3/errors.ts';
import { isListing, isObject, proved, whole } from './s3/proof.ts';
import { decodeCrc32, upload } from './s3/upload.ts';

/** S3 deletes at most 1,000 keys in one request. */
const DELETED_AT_ONCE = 1000;

/** Single deletes under way at once. */
const SINGLES_AT_ONCE = 8;

/** Begins the version of an object without ETag: no condition can name that. */
const NO_ETAG = 'no ETag: ';

/** Conditions that do not hold once an object has been written. */
const WRONG = { IfNoneMatch: { IfNoneMatch: '*' }, IfMatch: { IfMatch: '"00000000000000000000000000000000"' } };

type Condition = Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'>;

/** Hours in a bucket. S3 is told length and CRC-32 of every object beforehand, and refuses other bytes. */
export class S3Destination implements Destination {
  readonly name: string;
  readonly lacks: ReadonlySet<Lack>;
  readonly requests = { listings: 0, reads: 0, looks: 0 };
  readonly #bucket: Bucket;
  readonly #options: DestinationOptions;

  constructor(address: { bucket: string; prefix: string }, options: DestinationOptions) {
    this.#options = options;
    this.#bucket = new Bucket(address, options);
    this.name = this.#bucket.name;
    this.lacks = this.#bucket.dialect.lacks;
  }

  /** A swap is conditional, so other runs need not be kept out. */
  async lock(): Promise<void> {}

  /** Nobody sees an unfinished upload, and the bucket's lifecycle rule removes its parts. */
  async sweep(): Promise<void> {}

  async close(): Promise<void> {
    await this.#bucket.close();
  }

  async *list(prefix: string, range: { after?: string; before?: string } = {}): AsyncGenerator<StoredObject> {
    const { Bucket, Key: Prefix } = this.#bucket.target(prefix);
    const StartAfter = range.after && this.#bucket.target(range.after).Key;
    let ContinuationToken: string | undefined;
    do {
      this.requests.listings++;
      const command = new ListObjectsV2Command({ Bucket, Prefix, StartAfter, ContinuationToken });
      const page = await this.#bucket.request('ListObjectsV2', prefix, (s3) =>
        proved(s3.send(command, this.#abortable), isListing),
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

  async standing(key: string): Promise<Standing | undefined> {
    return await this.#bucket.request('GetObject', key, async (s3) => {
      const object = await this.#get(s3, key);
      if (object === undefined) return undefined;
      const content = Buffer.concat(await Array.fromAsync(object.body));
      return { content, version: object.ETag || NO_ETAG + createHash('sha256').update(content).digest('hex') };
    });
  }

  async stream(key: string): Promise<AsyncIterable<Buffer> | undefined> {
    const object = await this.#bucket.request('GetObject', key, (s3) => this.#get(s3, key));
    return object && this.#explained(object.body, key);
  }

  async look(key: string): Promise<{ bytes: number; crc32: number | undefined } | undefined> {
    this.requests.looks++;
    return await this.#head(key);
  }

  async put(key: string, content: Content): Promise<void> {
    await this.#bucket.request('PutObject', key, (s3) =>
      this.#bucket.dialect.adapt(['checksums'], (uses) => this.#putOnce(s3, key, content, uses)),
    );
  }

  async swap(key: string, content: Buffer, from: string | undefined): Promise<'swapped' | 'lost'> {
    return await this.#bucket.request('PutObject', key, async (s3) => {
      try {
        await this.#swapOnce(s3, key, contentOf(content), from);
        return 'swapped';
      } catch (error) {
        const refused = isConditionFailed(error);
        if (!refused && !isTransient(error)) throw error;
        // The refusal may be of a repetition, and an answer that was lost may have been a success.
        const now = await this.standing(key);
        if (now?.content.equals(content) === true) return 'swapped';
        if (refused || now?.version !== from) return 'lost';
        throw error;
      }
    });
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETED_AT_ONCE) {
      const some = keys.slice(from, from + DELETED_AT_ONCE);
      await this.#bucket.request('DeleteObjects', some[0] ?? '', (s3) =>
        this.#bucket.dialect.adapt(['batch-deletes'], (uses) =>
          uses.has('batch-deletes') ? this.#deleteTogether(s3, some) : this.#deleteSingly(some),
        ),
      );
    }
  }

  get #abortable() {
    return { abortSignal: this.#options.signal };
  }

  async #get(
    s3: S3Client,
    key: string,
  ): Promise<{ ETag: string | undefined; body: AsyncIterable<Buffer> } | undefined> {
    this.requests.reads++;
    const answer = s3.send(new GetObjectCommand(this.#bucket.target(key)), this.#abortable);
    const object = await proved(answer, isObject).catch(ifAbsent);
    if (object?.Body === undefined) return undefined;
    return { ETag: object.ETag, body: whole(object.Body as AsyncIterable<Buffer>, object.ContentLength) };
  }

  async *#explained(body: AsyncIterable<Buffer>, key: string): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (error) {
      throw this.#bucket.explain(error, 'GetObject', key);
    }
  }

  async #head(key: string): Promise<{ bytes: number; crc32: number | undefined } | undefined> {
    const command = new HeadObjectCommand({ ...this.#bucket.target(key), ChecksumMode: 'ENABLED' });
    const head = await this.#bucket.request('HeadObject', key, (s3) =>
      proved(s3.send(command, this.#abortable), isObject).catch(ifAbsent),
    );
    if (head === undefined) return undefined;
    const { ChecksumCRC32: crc32, ChecksumType, ContentLength: bytes = 0 } = head;
    // Another program's upload in parts may have a checksum of checksums. That is none of the bytes themselves.
    const isWhole = crc32 !== undefined && ChecksumType !== 'COMPOSITE' && !/-\d+$/.test(crc32);
    return { bytes, crc32: isWhole ? decodeCrc32(crc32) : undefined };
  }

  async #putOnce(
    s3: S3Client,
    key: string,
    content: Content,
    uses: ReadonlySet<Lack>,
    condition: Condition = {},
  ): Promise<void> {
    const { kmsKeyId, sse } = this.#options.s3;
    const target = {
      ...this.#bucket.target(key),
      ...condition,
      ContentType: contentType(key),
      ServerSideEncryption: kmsKeyId === undefined ? sse : 'aws:kms',
      SSEKMSKeyId: kmsKeyId,
    } as const;
    const { ChecksumCRC32 } = await upload({ ...this.#options, s3, target, content, checksums: uses.has('checksums') });
    if (ChecksumCRC32 !== undefined) return;
    // The store did not send the checksum back, as S3 does: the object has to be there.
    const head = await this.#head(key);
    if (head === undefined) throw new NotS3('it confirms an object that is not there');
    if (head.bytes !== content.bytes)
      throw new NotS3(`it confirms ${content.bytes} bytes, and ${head.bytes} are there`);
  }

  async #swapOnce(s3: S3Client, key: string, content: Content, from: string | undefined): Promise<void> {
    const { dialect } = this.#bucket;
    const kind = from === undefined ? 'IfNoneMatch' : 'IfMatch';
    const isNameable = from?.startsWith(NO_ETAG) !== true;
    await dialect.adapt(['checksums', ...(isNameable ? (['conditions'] as const) : [])], async (uses) => {
      if (!uses.has('conditions')) {
        // What another run swaps between this look and the put is lost.
        if ((await this.standing(key))?.version !== from) throw new ConditionFailed();
        return await this.#putOnce(s3, key, content, uses);
      }
      await this.#putOnce(s3, key, content, uses, from === undefined ? { IfNoneMatch: '*' } : { IfMatch: from });
      await dialect.proveCondition(kind, () => this.#putOnce(s3, key, content, uses, WRONG[kind]));
    });
  }

  async #deleteTogether(s3: S3Client, keys: readonly string[]): Promise<void> {
    const { Bucket } = this.#bucket.target('');
    const Objects = keys.map((key) => ({ Key: this.#bucket.target(key).Key }));
    const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects } });
    const { Errors = [] } = await proved(s3.send(command, this.#abortable), ({ Deleted = [], Errors: failed = [] }) =>
      Deleted.length + failed.length < keys.length ? 'it does not name what it deleted' : undefined,
    );
    const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (failed === undefined) return;
    const { Code: name = 'Error', Message = '' } = failed;
    throw new S3ServiceException({ name, message: `${name}, "${Message}"`, $fault: 'client', $metadata: {} });
  }

  async #deleteSingly(keys: readonly string[]): Promise<void> {
    const single = (key: string) =>
      this.#bucket.request('DeleteObject', key, (s3) =>
        s3.send(new DeleteObjectCommand(this.#bucket.target(key)), this.#abortable).catch(ifAbsent),
      );
    for (let from = 0; from < keys.length; from += SINGLES_AT_ONCE) {
      await Promise.all(keys.slice(from, from + SINGLES_AT_ONCE).map(single));
    }
  }
}

function ifAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}

function contentType(key: string): string {
  if (key.endsWith('.gz')) return 'application/gzip';
  return key.startsWith('manifests/') ? 'application/json' : 'application/x-ndjson';
}
