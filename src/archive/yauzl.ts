import type { FileHandle } from 'node:fs/promises';
import zlib from 'node:zlib';
import type { Member } from './archive.ts';
import { type DirectoryEntry, type ReadEntry, readDirectory, STORED, ZipMember } from './directory.ts';
import { through } from './through.ts';

const DEFLATED = 8;

/** Small enough that the allocator hands out memory that is warm. */
const READ_BYTES = 64 * 1024;

/** Members of an archive in a file, read entry by entry. */
export async function readWithYauzl(file: FileHandle, signal?: AbortSignal): Promise<Member[]> {
  return membersIn(await readDirectory(file.fd), file, signal);
}

/** The members of a directory, read from the archive that it is of. */
export function membersIn(
  directory: readonly DirectoryEntry[],
  archive: FileHandle | Buffer,
  signal: AbortSignal | undefined,
): Member[] {
  const read: ReadEntry = (listed) => readEntry(archive, listed);
  return directory.map((listed) => new ZipMember(listed, read, signal));
}

function readEntry(archive: FileHandle | Buffer, listed: DirectoryEntry): AsyncIterable<Buffer> {
  const { compressionMethod: method } = listed.entry;
  const raw = rawBytes(archive, listed);
  if (method === STORED) return raw;
  if (method === DEFLATED) return through(raw, zlib.createInflateRaw());
  throw new Error(`its compression method ${method} is unknown`);
}

/** Read here: a stream of yauzl (3.4) that is destroyed while its read waits throws where nobody can catch it. */
async function* rawBytes(archive: FileHandle | Buffer, { entry, zip }: DirectoryEntry): AsyncGenerator<Buffer> {
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const end = fileDataStart + entry.compressedSize;
  for (let position = fileDataStart; position < end; ) {
    const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
    const bytesRead = Buffer.isBuffer(archive)
      ? archive.copy(chunk, 0, position)
      : (await archive.read(chunk, 0, chunk.length, position)).bytesRead;
    if (bytesRead === 0) throw new Error('the file ends before it');
    position += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}
