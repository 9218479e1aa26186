import yauzl from 'yauzl';
import { JobError } from '../errors.ts';
import { broken, type Count, lastBytes, type Member, readTrailer, refused } from './archive.ts';
import { collectEagerly } from './memory.ts';

export const STORED = 0;

/** More entries than any real export has: 365 days of 24 hours with a hundred parts each. */
const MOST_ENTRIES = 1_000_000;

/** What nobody needs once the name is read. As long as an archive is open, four buffers for each entry are a lot. */
const READ = { fileName: '', fileNameRaw: null, fileComment: '', fileCommentRaw: null, extraFieldRaw: null };

/** A real archive has some hundred entries. Above this number what is held for each entry counts. */
export const MANY_ENTRIES = 5000;

/** An entry of the archive's own directory, with its name as it stands there. */
export interface DirectoryEntry {
  readonly name: string;
  readonly entry: yauzl.Entry;
  readonly zip: yauzl.ZipFile;
}

/**
 * The entries of an archive in memory or in an open file, without its directories. yauzl's own checks of names are off:
 * both readers refuse the same names, in our words. Throws a JobError for a broken archive and two entries of one name.
 */
export async function readDirectory(archive: Buffer | number): Promise<DirectoryEntry[]> {
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true };
  const entries = new Map<string, DirectoryEntry>();
  try {
    const opening =
      typeof archive === 'number' ? yauzl.fromFdPromise(archive, options) : yauzl.fromBufferPromise(archive, options);
    const zip = await opening;
    if (zip.entryCount > MOST_ENTRIES) throw refused(`it claims to hold ${zip.entryCount} entries`);
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileNameRaw.toString('utf8');
      if (entries.has(name)) throw refused(`two of its entries have the name "${name}"`);
      if (entry.isEncrypted()) throw refused(`"${name}" is encrypted`);
      Object.assign(entry, READ);
      entries.set(name, { name, entry, zip });
    }
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw broken((error as Error).message.replace(/\.$/, ''), error);
  }
  if (entries.size > MANY_ENTRIES) collectEagerly();
  return [...entries.values()].filter(({ name }) => !name.endsWith('/'));
}

/** Reads the content of an entry. */
export type ReadEntry = (listed: DirectoryEntry) => AsyncIterable<Buffer>;

/**
 * The member that `read` reads, held to the size that the directory tells. Its methods are those of a class, and `read`
 * is one for all: an archive may have 50,000 members. Reading throws the signal's reason once that aborts.
 */
export class ZipMember implements Member {
  readonly name: string;
  readonly bytes: number;
  readonly #listed: DirectoryEntry;
  readonly #read: ReadEntry;
  readonly #signal: AbortSignal | undefined;

  constructor(listed: DirectoryEntry, read: ReadEntry, signal: AbortSignal | undefined) {
    this.name = listed.name;
    this.bytes = listed.entry.uncompressedSize;
    this.#listed = listed;
    this.#read = read;
    this.#signal = signal;
  }

  open(): AsyncIterable<Buffer> {
    return this.#checked(this.#read, this.bytes);
  }

  async trailer(): Promise<Count> {
    const { compressionMethod, compressedSize } = this.#listed.entry;
    const isStored = compressionMethod === STORED;
    const tail = isStored ? this.#checked(storedTail, Math.min(8, compressedSize)) : this.open();
    return readTrailer(await lastBytes(tail), this.name);
  }

  async *#checked(read: ReadEntry, size: number): AsyncGenerator<Buffer> {
    let left = size;
    this.#signal?.throwIfAborted();
    try {
      for await (const chunk of read(this.#listed)) {
        this.#signal?.throwIfAborted();
        left -= chunk.length;
        if (left < 0) break;
        yield chunk;
      }
      if (left !== 0) throw new Error(`it is ${left < 0 ? 'longer' : 'shorter'} than the archive says`);
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw broken(`${this.name} cannot be read (${(error as Error).message})`, error);
    }
  }
}

async function* storedTail({ entry, zip }: DirectoryEntry): AsyncGenerator<Buffer> {
  const { compressedSize: end } = entry;
  yield* await zip.openReadStreamPromise(entry, { decodeFileData: false, start: Math.max(0, end - 8), end });
}
