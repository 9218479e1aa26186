import zlib from 'node:zlib';
import type { S3Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';

export interface Count {
  readonly bytes: number;
  readonly crc32: number;
}

/** Bytes that can be read more than once. Their length and CRC-32 are known before the first one is sent. */
export interface Content extends Count {
  /**
   * Starts again at each call. A chunk is valid until the next one is asked for: copy it to keep it longer.
   * What it throws ends the write and reaches the caller of `put` unchanged.
   */
  open(): AsyncIterable<Buffer>;
  /** Counts what `open` yields. Called where a store says that the checksum is wrong. */
  count(): Promise<Count>;
}

/** Thrown by `put` where the content is not what it announced. */
export class Miscounted extends Error {
  constructor() {
    super('the content has another length or checksum than it announced');
  }
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
}

/** A small object as it is now, and what tells it from any other state of its key. */
export interface Standing {
  /** Nobody else holds it. */
  readonly content: Buffer;
  /** S3: the ETag. A folder, or an object without an ETag: a digest of the content. */
  readonly version: string;
}

export interface KeyRange {
  readonly after?: string;
  readonly before?: string;
}

/** How often a destination was asked, by the kind of request: this makes a bill or a slow answer. */
export interface Requests {
  listings: number;
  reads: number;
  looks: number;
}

/** What a store may not support, and a run then does without: see docs/stores.md. */
export type Lack = 'conditions' | 'checksums' | 'batch-deletes';

export interface DestinationOptions {
  readonly s3: S3Settings;
  /** What leads here, for messages; otherwise the settings of the destination. */
  readonly setting?: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Hears the `Date` of each answer, whatever its status, and how long that answer took. A folder has no such clock. */
  readonly onDate?: (date: string | undefined, tookMs: number) => void;
  /** How long a connection may be silent, also within a body. A test lowers it. */
  readonly idleMs?: number;
  /** Up to `aboveBytes` an object is one PUT, above that it goes in parts of `partBytes`. A test lowers both. */
  readonly multipart?: { readonly aboveBytes: number; readonly partBytes: number };
}

/**
 * A place where hours land. Keys are relative to it and use `/`. An object is there whole or not at all.
 * Every method throws a JobError with the next step, and rejects with the signal's reason once that aborts.
 */
export interface Destination {
  /** As people write it: `s3://bucket/prefix` or the folder. */
  readonly name: string;
  /** So far. A folder counts each call as one request. */
  readonly requests: Readonly<Requests>;
  /** Found so far by requests that the store refused. Each is logged once. */
  readonly lacks: ReadonlySet<Lack>;
  /** Objects whose key begins with `prefix`, in order of their keys. Both ends of `range` are exclusive. */
  list(prefix: string, range?: KeyRange): AsyncIterable<StoredObject>;
  /**
   * Keeps other runs out until `close`. A folder needs it because it has no conditional write; S3 needs only `swap`.
   * Throws DESTINATION_LOCKED, which names the holder.
   */
  lock(): Promise<void>;
  /** A whole small object; undefined where there is none. */
  read(key: string): Promise<Buffer | undefined>;
  /** The same with its version, for `swap`. */
  standing(key: string): Promise<Standing | undefined>;
  /**
   * Size and CRC-32; undefined where there is no object. A store is not asked for the content, and `crc32` is undefined
   * where it has none of the whole object. A folder reads the file.
   */
  look(key: string): Promise<{ bytes: number; crc32: number | undefined } | undefined>;
  /** An object of any size; undefined where there is none. Throws BAD_DIGEST where the store's own checksum differs. */
  stream(key: string): Promise<AsyncIterable<Buffer> | undefined>;
  /** The last bytes of an object, at most `bytes` of them; undefined where there is none. */
  tail(key: string, bytes: number): Promise<Buffer | undefined>;
  /**
   * Makes an object from one of `source` inside the store, so that its bytes do not pass here. False where the store
   * cannot, the object there has changed since, or what is made does not prove to be `content`: then `put` writes it.
   */
  copy(key: string, content: Count, source: Destination, from: { key: string; since?: Date }): Promise<boolean>;
  /** Writes an object. It replaces one of the same key. */
  put(key: string, content: Content): Promise<void>;
  /**
   * Writes a small object if the version there is `expected`, or, where that is undefined, if there is none. `lost`:
   * something else is there now. Where an answer gets lost, the object is read back first.
   */
  swap(key: string, content: Buffer, expected: string | undefined): Promise<'swapped' | 'lost'>;
  /** A key that is not there is no error. */
  delete(keys: readonly string[]): Promise<void>;
  /** Removes the unfinished files that killed runs left in a folder and below it. Readers never see those. */
  sweep(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** Content that is in memory already. */
export function contentOf(bytes: Buffer): Content {
  const counted = { bytes: bytes.length, crc32: zlib.crc32(bytes) };
  return {
    ...counted,
    async *open() {
      yield bytes;
    },
    count: async () => counted,
  };
}
