import { Readable } from 'node:stream';
import JSZip from 'jszip';
import yauzl from 'yauzl';
import { broken, type Count, lastBytes, type Member, readTrailer, refused } from '../archive.ts';
import { directoryOf, storedEnd } from './yauzl-reader.ts';

/** Up to this size a deflated member is inflated once and kept for the upload that follows its trailer. */
const KEPT_BYTES = 4 * 2 ** 20;

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
    members.push(memberOf(file, name, bytes, () => storedEnd(directory.zip, entry)));
  }
  return members;
}

function memberOf(
  file: JSZip.JSZipObject,
  name: string,
  bytes: number,
  end: () => Promise<Buffer | undefined>,
): Member {
  let kept: Buffer | undefined;

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
    if (kept === undefined) return yield* stream();
    const whole = kept;
    kept = undefined;
    yield whole;
  }

  async function trailer(): Promise<Count> {
    const stored = await end();
    if (stored !== undefined) return readTrailer(stored, name);
    if (bytes > KEPT_BYTES) return readTrailer(await lastBytes(stream()), name);
    const chunks: Buffer[] = [];
    for await (const chunk of stream()) chunks.push(chunk);
    kept = Buffer.concat(chunks);
    return readTrailer(kept, name);
  }

  return { name, bytes, open, trailer };
}
