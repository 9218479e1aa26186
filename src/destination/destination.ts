import zlib from 'node:zlib';

/** Bytes that can be read more than once, of a length and CRC-32 that are known before the first of them is sent. */
export interface Content {
  readonly bytes: number;
  readonly crc32: number;
  /**
   * Begins anew at each call. A chunk is valid until the next one is asked for: who needs it longer copies it.
   * What it throws ends the write and reaches the caller of `put` as it is.
   */
  open(): AsyncIterable<Buffer>;
  /** Counts what `open` yields. Asked for where a store says that the checksum is wrong. */
  count(): Promise<Count>;
}

export interface Count {
  readonly bytes: number;
  readonly crc32: number;
}

/** Thrown by `put` where the content is not what it announced: `counted` is what it really is. */
export class Miscounted extends Error {
  override name = 'Miscounted';
  readonly counted: Count | undefined;
  constructor(counted?: Count) {
    super('the content has another length or checksum than it announced');
    this.counted = counted;
  }
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
}

/** A small object as it stands, and what tells it from any other state of its key. */
export interface Standing {
  readonly content: Buffer;
  /** S3: the ETag. A folder, or an object without one: a digest of the content. */
  readonly version: string;
}

/** How often a destination was asked, by the kind of request: what a bill or a slow answer is made of. */
export interface Requests {
  listings: number;
  reads: number;
  looks: number;
}

/** What a store may not take, and how a run does without it: see docs, "Stores". */
export type Lack = 'conditions' | 'checksums' | 'batch-deletes';

/**
 * A place where hours land. Keys are relative to it and use `/`. An object is there whole or not at all.
 * Every method throws a JobError that says what to do, and rejects with the signal's reason once that aborts.
 */
export interface Destination {
  /** As people write it: `s3://bucket/prefix` or the folder. */
  readonly name: string;
  /** So far; a folder counts a call as one. */
  readonly requests: Readonly<Requests>;
  /** Found out so far, by requests that the store refused. Each is told once as it is found. */
  readonly lacks: ReadonlySet<Lack>;
  /** Objects whose key begins with `prefix`, in order of their keys, narrowed to those after `after` and before `before`. */
  list(prefix: string, range?: { after?: string; before?: string }): AsyncIterable<StoredObject>;
  /**
   * Keeps other runs out until `close`. A folder needs that, for it cannot swap by itself; in S3 `swap` is enough.
   * Throws a JobError (DESTINATION_LOCKED) that says who holds it.
   */
  lock(): Promise<void>;
  /** A small object whole; undefined where there is none. */
  read(key: string): Promise<Buffer | undefined>;
  /** The same with its version, for `swap`. */
  standing(key: string): Promise<Standing | undefined>;
  /**
   * Size and CRC-32 without the content where the store keeps them; a folder reads the file. No `crc32`: the store has none
   * of the whole object. Undefined where there is no object.
   */
  look(key: string): Promise<{ bytes: number; crc32: number | undefined } | undefined>;
  /** An object's bytes in order, of any size; undefined where there is none. Throws BAD_DIGEST where the store's own checksum differs. */
  stream(key: string): Promise<AsyncIterable<Buffer> | undefined>;
  /** Writes an object; one of that key is replaced. */
  put(key: string, content: Content): Promise<void>;
  /**
   * Writes a small object if what stands is still the version `from`; undefined: if there is none. `lost`: something else
   * stands there now. An answer that is lost on the way is read back before it is judged.
   */
  swap(key: string, content: Buffer, from: string | undefined): Promise<'swapped' | 'lost'>;
  /** Keys that are not there are no error. */
  delete(keys: readonly string[]): Promise<void>;
  /** Takes away what killed runs left unfinished in a folder and those below it, and readers never see. */
  sweep(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** Content that is at hand, for manifests. */
export function contentOf(bytes: Buffer): Content {
  const crc32 = zlib.crc32(bytes);
  return {
    bytes: bytes.length,
    crc32,
    async *open() {
      yield bytes;
    },
    count: async () => ({ bytes: bytes.length, crc32 }),
  };
}
