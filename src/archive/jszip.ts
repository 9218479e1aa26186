import { Readable } from 'node:stream';
import JSZip from 'jszip';
import yauzl from 'yauzl';
import { broken, HELD_BYTES, lastBytes, type Member, readTrailer, refused } from './archive.ts';
import { directoryOf, STORED, storedEnd } from './yauzl.ts';

/**
 * Members of an archive in memory. jszip drops the first of two entries with one name and cleans names, so its entries
 * are held against the archive's own directory, and the names are taken from there.
 */
export async function readWithJszip(buffer: Buffer): Promise<Member[]> {
  const directory = await directoryOf((options) => yauzl.fromBufferPromise(buffer, options));
  const zip = await JSZip.loadAsync(buffer, { createFolders: false }).catch((error: unknown) => {
    throw broken((error as Error).message, error);
  });
  const files = new Map<string, JSZip.JSZipObject>();
  for (const file of Object.values(zip.files)) files.set(file.unsafeOriginalName ?? file.name, file);
  const members: Member[] = [];
  for (const { name, bytes, entry } of directory.entries) {
    if (name.endsWith('/')) continue;
    const file = files.get(name);
    if (file === undefined) throw refused(`its directory names "${name}", which cannot be read as a file`);
    members.push(
      memberOf(file, name, bytes, entry.compressionMethod === STORED, () => storedEnd(directory.zip, entry)),
    );
  }
  return members;
}

function memberOf(
  file: JSZip.JSZipObject,
  name: string,
  bytes: number,
  stored: boolean,
  end: () => Promise<Buffer | undefined>,
): Member {
  async function* stream(): AsyncGenerator<Buffer> {
    // jszip hands out a stream of an older Node.js, which cannot be iterated over.
    const source = new Readable().wrap(file.nodeStream('nodebuffer'));
    let left = bytes;
    try {
      for await (const chunk of source) {
        left -= (chunk as Buffer).length;
        // jszip compares the sizes only when it has inflated all.
        if (left < 0) throw new Error('it is longer than the archive says');
        yield chunk as Buffer;
      }
    } catch (error) {
      throw broken(`${name} cannot be read (${(error as Error).message})`, error);
    } finally {
      source.destroy();
    }
  }

  async function* open(): AsyncGenerator<Buffer> {
    // A stored member cannot be larger than it says; taken whole it passes jszip's chunks of 16 KiB fastest.
    if (stored && bytes <= HELD_BYTES) yield await file.async('nodebuffer');
    else yield* stream();
  }

  return { name, bytes, open, trailer: async () => readTrailer((await end()) ?? (await lastBytes(stream())), name) };
}
