import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import yauzl from 'yauzl';
import { broken, lastBytes, type Member, readTrailer, refused } from '../archive.ts';

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly entry: yauzl.Entry;
}

interface Directory {
  readonly zip: yauzl.ZipFile;
  readonly entries: readonly Entry[];
}

const STORED = 0;

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

/** Members of an archive in a file, read entry by entry. */
export async function readWithYauzl(file: FileHandle): Promise<Member[]> {
  const { zip, entries } = await directoryOf((options) => yauzl.fromFdPromise(file.fd, options));
  return entries.filter(({ name }) => !name.endsWith('/')).map((entry) => memberOf(zip, entry));
}

function memberOf(zip: yauzl.ZipFile, { name, bytes, entry }: Entry): Member {
  async function* read(options?: yauzl.ZipFileOptions): AsyncGenerator<Buffer> {
    let stream: Readable | undefined;
    try {
      stream = await zip.openReadStreamPromise(entry, options as yauzl.ZipFileOptions);
      for await (const chunk of stream) yield chunk as Buffer;
    } catch (error) {
      throw broken(`${name} cannot be read (${(error as Error).message})`, error);
    } finally {
      stream?.destroy();
    }
  }

  return {
    name,
    bytes,
    open: () => read(),
    async trailer() {
      const stored = entry.compressionMethod === STORED && bytes >= 8;
      // The end of a stored member can be read by itself; that of a deflated one only by way of all before it.
      const options = { decompress: null, decrypt: null, start: bytes - 8, end: bytes };
      return readTrailer(await lastBytes(stored ? read(options as yauzl.ZipFileOptions) : read()), name);
    },
  };
}
