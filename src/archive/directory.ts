import yauzl from 'yauzl';
import { JobError } from '../errors.ts';
import { broken, lastBytes, type Member, readTrailer, refused } from './archive.ts';

export const STORED = 0;

/** More entries than any real export has: 365 days of 24 hours with a hundred parts each. */
const MOST_ENTRIES = 1_000_000;

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
      entries.set(name, { name, entry, zip });
    }
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw broken((error as Error).message.replace(/\.$/, ''), error);
  }
  return [...entries.values()].filter(({ name }) => !name.endsWith('/'));
}

/** The member that `read` reads, held to the size that the directory tells. */
export function memberOf({ name, entry, zip }: DirectoryEntry, read: () => AsyncIterable<Buffer>): Member {
  const { uncompressedSize: bytes, compressionMethod, compressedSize: end } = entry;

  async function* checked(source: () => AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
    let left = size;
    try {
      for await (const chunk of source()) {
        left -= chunk.length;
        if (left < 0) break;
        yield chunk;
      }
      if (left !== 0) throw new Error(`it is ${left < 0 ? 'longer' : 'shorter'} than the archive says`);
    } catch (error) {
      throw broken(`${name} cannot be read (${(error as Error).message})`, error);
    }
  }

  const open = () => checked(read, bytes);
  async function* storedTail(): AsyncGenerator<Buffer> {
    yield* await zip.openReadStreamPromise(entry, { decodeFileData: false, start: Math.max(0, end - 8), end });
  }
  const tail = () => (compressionMethod === STORED ? checked(storedTail, Math.min(8, end)) : open());
  return { name, bytes, open, trailer: async () => readTrailer(await lastBytes(tail()), name) };
}
