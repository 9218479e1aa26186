import type { FileHandle } from 'node:fs/promises';
import zlib from 'node:zlib';
import type { Member } from './archive.ts';
import { type DirectoryEntry, memberOf, readDirectory, STORED } from './directory.ts';
import { through } from './through.ts';

const DEFLATED = 8;

/** Small enough that the allocator hands out memory that is warm. */
const READ_BYTES = 64 * 1024;

/** Members of an archive in a file, read entry by entry. */
export async function readWithYauzl(file: FileHandle): Promise<Member[]> {
  const directory = await readDirectory(file.fd);
  return directory.map((listed) => memberOf(listed, () => read(file, listed)));
}

function read(file: FileHandle, listed: DirectoryEntry): AsyncIterable<Buffer> {
  const { compressionMethod: method } = listed.entry;
  const raw = rawBytes(file, listed);
  if (method === STORED) return raw;
  if (method === DEFLATED) return through(raw, zlib.createInflateRaw());
  throw new Error(`its compression method ${method} is unknown`);
}

/** Read here: a stream of yauzl (3.4) that is destroyed while its read waits throws where nobody can catch it. */
async function* rawBytes(file: FileHandle, { entry, zip }: DirectoryEntry): AsyncGenerator<Buffer> {
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const end = fileDataStart + entry.compressedSize;
  for (let position = fileDataStart; position < end; ) {
    const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) throw new Error('the file ends before it');
    position += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}
