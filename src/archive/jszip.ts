import { Readable } from 'node:stream';
import JSZip from 'jszip';
import { broken, HELD_BYTES, type Member, refused } from './archive.ts';
import { memberOf, readDirectory, STORED } from './directory.ts';

/**
 * Members of an archive in memory. jszip drops the first of two entries with one name and cleans names, so the names are
 * taken from the archive's own directory and its entries are compared with that.
 */
export async function readWithJszip(buffer: Buffer): Promise<Member[]> {
  const directory = await readDirectory(buffer);
  const zip = await JSZip.loadAsync(buffer, { createFolders: false }).catch((error: unknown) => {
    throw broken((error as Error).message, error);
  });
  const files = new Map(Object.values(zip.files).map((file) => [file.unsafeOriginalName ?? file.name, file]));
  return directory.map((listed) => {
    const file = files.get(listed.name);
    if (file === undefined) throw refused(`its directory names "${listed.name}", which cannot be read as a file`);
    const { compressionMethod, uncompressedSize } = listed.entry;
    const isSmall = compressionMethod === STORED && uncompressedSize <= HELD_BYTES;
    return memberOf(listed, () => (isSmall ? whole(file) : streamed(file)));
  });
}

/** A stored member passes jszip's chunks of 16 KiB fastest as a whole, and cannot be larger than it says. */
async function* whole(file: JSZip.JSZipObject): AsyncGenerator<Buffer> {
  yield await file.async('nodebuffer');
}

async function* streamed(file: JSZip.JSZipObject): AsyncGenerator<Buffer> {
  // jszip hands out a stream of an older Node.js, which cannot be iterated over.
  const source = new Readable().wrap(file.nodeStream('nodebuffer'));
  try {
    yield* source;
  } finally {
    source.destroy();
  }
}
