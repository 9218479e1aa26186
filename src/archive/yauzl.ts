import type { FileHandle } from 'node:fs/promises';
import zlib from 'node:zlib';
import yauzl from 'yauzl';
import { broken, lastBytes, type Member, readTrailer, refused } from './archive.ts';
import { through } from './through.ts';

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly entry: yauzl.Entry;
}

interface Directory {
  readonly zip: yauzl.ZipFile;
  readonly entries: readonly Entry[];
}

export const STORED = 0;
const DEFLATED = 8;

/** Small enough that the allocator hands out memory that is warm. */
const READ_BYTES = 64 * 1024;

/** More entries than any real export has: 365 days of 24 hours with a hundred parts each. */
const MOST_ENTRIES = 1_000_000;

/**
 * The archive's own directory, names as they stand in it: yauzl would check them too, but its words are not ours, and
 * both readers must refuse the same. Throws a JobError for a broken archive and for two entries of one name.
 */
export async function directoryOf(open: (options: yauzl.Options) => Promise<yauzl.ZipFile>): Promise<Directory> {
  const entries: Entry[] = [];
  const names = new Set<string>();
  try {
    const zip = await open({ lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true });
    if (zip.entryCount > MOST_ENTRIES) throw refused(`it claims to hold ${zip.entryCount} entries`);
    for await (const entry of zip.eachEntry()) {
      const name = (entry.fileName as unknown as Buffer).toString('utf8');
      if (names.has(name)) throw refused(`two of its entries have the name "${name}"`);
      if (entry.isEncrypted()) throw refused(`"${name}" is encrypted`);
      names.add(name);
      entries.push({ name, bytes: entry.uncompressedSize, entry });
    }
    return { zip, entries };
  } catch (error) {
    if (error instanceof Error && error.name === 'JobError') throw error;
    throw broken((error as Error).message.replace(/\.$/, ''), error);
  }
}

/** The last eight bytes of a stored entry, which can be read by themselves; undefined for any other entry. */
export async function storedEnd(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<Buffer | undefined> {
  const { compressionMethod, compressedSize: end } = entry;
  if (compressionMethod !== STORED) return undefined;
  try {
    return await lastBytes(
      await zip.openReadStreamPromise(entry, { decodeFileData: false, start: Math.max(0, end - 8), end }),
    );
  } catch (error) {
    throw broken(`${entry.fileName} cannot be read (${(error as Error).message})`, error);
  }
}

/** Members of an archive in a file, read entry by entry. */
export async function readWithYauzl(file: FileHandle): Promise<Member[]> {
  const { zip, entries } = await directoryOf((options) => yauzl.fromFdPromise(file.fd, options));
  return entries.filter(({ name }) => !name.endsWith('/')).map((entry) => memberOf(zip, file, entry));
}

/**
 * The bytes are read here: a stream of yauzl (3.4) that is destroyed while its read waits behind another one throws where
 * nobody can catch it, and the process ends.
 */
function memberOf(zip: yauzl.ZipFile, file: FileHandle, { name, bytes, entry }: Entry): Member {
  async function* stored(): AsyncGenerator<Buffer> {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const end = fileDataStart + entry.compressedSize;
    for (let at = fileDataStart; at < end; ) {
      const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) throw new Error('the file ends before it');
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  async function* inflated(): AsyncGenerator<Buffer> {
    let left = bytes;
    for await (const chunk of through(stored(), zlib.createInflateRaw())) {
      left -= chunk.length;
      if (left < 0) break;
      yield chunk;
    }
    if (left !== 0) throw new Error(`it is ${left < 0 ? 'longer' : 'shorter'} than the archive says`);
  }

  async function* open(): AsyncGenerator<Buffer> {
    const method = entry.compressionMethod;
    try {
      if (method === STORED) yield* stored();
      else if (method === DEFLATED) yield* inflated();
      else throw new Error(`its compression method ${method} is unknown`);
    } catch (error) {
      throw broken(`${name} cannot be read (${(error as Error).message})`, error);
    }
  }

  return {
    name,
    bytes,
    open,
    trailer: async () => readTrailer((await storedEnd(zip, entry)) ?? (await lastBytes(open())), name),
  };
}
