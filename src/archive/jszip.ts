import { Readable } from 'node:stream';
import JSZip from 'jszip';
import { broken, HELD_BYTES, type Member, refused } from './archive.ts';
import { type DirectoryEntry, MANY_ENTRIES, type ReadEntry, readDirectory, STORED, ZipMember } from './directory.ts';
import { membersIn } from './yauzl.ts';

/**
 * Members of an archive in memory. jszip drops the first of two entries with one name and cleans names, so the names are
 * taken from the archive's own directory and its entries are compared with that.
 */
export async function readWithJszip(buffer: Buffer, signal?: AbortSignal): Promise<Member[]> {
  const directory = await readDirectory(buffer);
  // Of 50,000 entries jszip takes 70 MiB more than the directory alone.
  if (directory.length > MANY_ENTRIES) return membersIn(directory, buffer, signal);
  const zip = await JSZip.loadAsync(buffer, { createFolders: false }).catch((error: unknown) => {
    throw broken((error as Error).message, error);
  });
  const files = new Map(Object.values(zip.files).map((file) => [file.unsafeOriginalName ?? file.name, file]));
  const fileOf = ({ name }: DirectoryEntry) => {
    const file = files.get(name);
    if (file === undefined) throw refused(`its directory names "${name}", which cannot be read as a file`);
    return file;
  };
  const read: ReadEntry = (listed) => {
    const { compressionMethod, uncompressedSize } = listed.entry;
    const isSmall = compressionMethod === STORED && uncompressedSize <= HELD_BYTES;
    return (isSmall ? whole : streamed)(fileOf(listed));
  };
  for (const listed of directory) fileOf(listed);
  return directory.map((listed) => new ZipMember(listed, read, signal));
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
