import zlib from 'node:zlib';
import { JobError } from '../errors.ts';
import { broken, type Count, type Member, notEvents } from './archive.ts';
import { type BadLine, LineScanner } from './lines.ts';
import { CHUNK_BYTES, through } from './through.ts';

type File = Pick<Member, 'name' | 'bytes' | 'isPlain' | 'open'>;

/**
 * The uncompressed bytes of a member, each chunk valid until the next is asked for. zlib checks each gzip stream's CRC-32
 * and length. `onCompressed` sees every compressed chunk on its way. Throws ARCHIVE_BROKEN for a damaged member.
 */
export async function* inflate(member: File, onCompressed?: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  async function* source() {
    for await (const chunk of member.open()) {
      onCompressed?.(chunk);
      yield chunk;
    }
  }
  if (member.isPlain) return yield* source();
  const gunzip = zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  try {
    yield* through(source(), gunzip);
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw broken(`${member.name} does not inflate (${(error as Error).message})`, error);
  }
  // gunzip stops at the first zero after a gzip stream. What it drops must be padding.
  let left = gunzip.bytesWritten;
  if (left === member.bytes) return;
  for await (const chunk of member.open()) {
    const dropped = chunk.subarray(Math.max(0, left));
    if (dropped.some((byte) => byte !== 0)) {
      throw broken(`${member.name} has data after the padding of its gzip stream`);
    }
    left -= chunk.length;
  }
}

/** A member with more bad lines is no export file, and noting each would take memory without bound. */
const MOST_BAD_LINES = 100_000;

/** What one look through a member finds. */
export interface Examined {
  /** The uncompressed member as received, bad lines included. */
  readonly source: Count;
  /** The gzip file itself; for a plain file the same as `source`. */
  readonly file: Count;
  readonly events: number;
  readonly bad: readonly BadLine[];
}

/**
 * Inflates a member and counts its lines. Where the trailer does not agree with the counted length (several gzip streams,
 * padding, 4 GiB and more), a second pass computes the CRC-32. Throws ARCHIVE_BROKEN for a damaged member and NOT_EVENTS
 * for one without an event.
 */
export async function examine(member: Member, { strict }: { strict: boolean }): Promise<Examined> {
  const scanner = new LineScanner({ strict });
  const trailer = await member.trailer();
  let file = NOTHING;
  const chunks = inflate(member, (chunk) => {
    file = add(file, chunk);
  });
  for await (const chunk of chunks) {
    scanner.push(chunk);
    if (scanner.bad.length > MOST_BAD_LINES) {
      throw broken(`more than ${MOST_BAD_LINES} lines of ${member.name} are not JSON objects`);
    }
  }
  scanner.end();
  const { events, bad, bytes } = scanner;
  if (events === 0) throw notEvents(member.name);
  // gunzip may have ended before the padding came by.
  if (file.bytes !== member.bytes) file = await count(member.open());
  if (trailer === undefined) return { source: file, file, events, bad };
  const source = bytes === trailer.bytes ? trailer : await count(inflate(member));
  return { source, file, events, bad };
}

const NOTHING: Count = { bytes: 0, crc32: 0 };

function add({ bytes, crc32 }: Count, chunk: Buffer): Count {
  return { bytes: bytes + chunk.length, crc32: zlib.crc32(chunk, crc32) };
}

/** Length and CRC-32 of the chunks together. */
export async function count(chunks: AsyncIterable<Buffer>): Promise<Count> {
  let counted = NOTHING;
  for await (const chunk of chunks) counted = add(counted, chunk);
  return counted;
}
