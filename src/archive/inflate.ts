import zlib from 'node:zlib';
import { JobError } from '../errors.ts';
import { broken, type Count, type Member, notEvents } from './archive.ts';
import { type BadLine, LineScanner } from './lines.ts';
import { CHUNK_BYTES, through } from './through.ts';

/**
 * The uncompressed bytes of a member, each chunk valid until the next is asked for; zlib checks each gzip stream's CRC-32
 * and length. `onCompressed` sees every compressed chunk on its way. Throws a JobError (ARCHIVE_BROKEN) for a damaged
 * member.
 */
export async function* inflate(
  member: Pick<Member, 'name' | 'bytes' | 'open'>,
  onCompressed?: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  async function* source() {
    for await (const chunk of member.open()) {
      onCompressed?.(chunk);
      yield chunk;
    }
  }
  const gunzip = zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  try {
    yield* through(source(), gunzip);
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw broken(`${member.name} does not inflate (${(error as Error).message})`, error);
  }
  // At the first zero after a gzip stream gunzip ends and drops the rest: padding, or what would be lost without a word.
  if (gunzip.bytesWritten < member.bytes) await mustBePadding(member, gunzip.bytesWritten);
}

async function mustBePadding(member: Pick<Member, 'name' | 'open'>, from: number): Promise<void> {
  let at = 0;
  for await (const chunk of member.open()) {
    const rest = chunk.subarray(Math.max(0, from - at));
    if (rest.some((byte) => byte !== 0)) throw broken(`${member.name} holds more after the padding of its gzip stream`);
    at += chunk.length;
  }
}

/** Beyond this a member is no export file with a few bad lines, and noting each would take memory without bound. */
const MOST_BAD_LINES = 100_000;

/** What one look through a member finds. */
export interface Examined {
  /** The uncompressed member as received, bad lines included. */
  readonly source: Count;
  /** The gzip file itself. */
  readonly compressed: Count;
  readonly events: number;
  readonly bad: readonly BadLine[];
}

/**
 * Inflates a member and counts its lines. The CRC-32 is taken from the trailer where that agrees with the counted length,
 * as it does for one gzip stream below 4 GiB; otherwise a second pass computes it. Throws a JobError: ARCHIVE_BROKEN for a
 * damaged member, NOT_EVENTS for one without an event.
 */
export async function examine(member: Member, { strict }: { strict: boolean }): Promise<Examined> {
  const scanner = new LineScanner({ strict });
  const trailer = await member.trailer();
  let compressedCrc = 0;
  let compressedBytes = 0;
  const chunks = inflate(member, (chunk) => {
    compressedCrc = zlib.crc32(chunk, compressedCrc);
    compressedBytes += chunk.length;
  });
  for await (const chunk of chunks) {
    scanner.push(chunk);
    if (scanner.bad.length > MOST_BAD_LINES) {
      throw broken(`more than ${MOST_BAD_LINES} lines of ${member.name} are no JSON objects`);
    }
  }
  scanner.end();
  if (scanner.events === 0) throw notEvents(member.name);
  const source = scanner.bytes === trailer.bytes ? trailer : await count(inflate(member));
  // Padding may not have come by.
  const whole = compressedBytes === member.bytes;
  return {
    source,
    compressed: whole ? { bytes: compressedBytes, crc32: compressedCrc } : await count(member.open()),
    events: scanner.events,
    bad: scanner.bad,
  };
}

/** Length and CRC-32 of the chunks together. */
export async function count(chunks: AsyncIterable<Buffer>): Promise<Count> {
  let bytes = 0;
  let crc32 = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    crc32 = zlib.crc32(chunk, crc32);
  }
  return { bytes, crc32 };
}
