import type { Count } from '../destination/destination.ts';
import { JobError } from '../errors.ts';

export type { Count };

/** One `.json.gz` of an archive, or a file like it. It can be read as often as needed until the archive is closed. */
export interface Member {
  /** As the archive has it, unchecked. */
  readonly name: string;
  /** Of the gzip file. */
  readonly bytes: number;
  /** Where the file is JSON without gzip, as older scripts leave it. No archive holds such a member. */
  readonly isPlain?: boolean;
  /** The gzip file. Each chunk is valid until the next is asked for. Throws ARCHIVE_BROKEN where it is damaged. */
  open(): AsyncIterable<Buffer>;
  /**
   * What the gzip file says of the JSON in it. Wrong where it holds several streams, padding, or 4 GiB and more.
   * Undefined for a plain file.
   */
  trailer(): Promise<Count | undefined>;
}

export interface Archive {
  /** Every entry but directories. */
  readonly members: readonly Member[];
  close(): Promise<void>;
}

/** An archive or member that is damaged: another request may bring a whole one. */
export class Broken extends JobError {
  override name = 'Broken';
  /** A part of a sentence. */
  readonly why: string;

  constructor(why: string, cause: unknown) {
    super('ARCHIVE_BROKEN', `Amplitude's archive is broken: ${why}.`, {
      cause,
      hint: 'It sealed nothing. Run again later; if it keeps failing, report the hours to Amplitude.',
    });
    this.why = why;
  }
}

export function broken(why: string, cause?: unknown): Broken {
  return new Broken(why, cause);
}

/** An archive that is whole, but not what an export of this project may hold. */
export function refused(why: string, { retry = false } = {}): JobError {
  return new JobError('ARCHIVE_REFUSED', `The archive was refused: ${why}.`, {
    retry,
    hint: 'None of it has landed. Check the project of the keys and the prefix; if both are right, report it to Amplitude.',
  });
}

/** A member without an event is a broken answer: Amplitude leaves members of zero events out. */
export function notEvents(name: string): JobError {
  return new JobError('NOT_EVENTS', `${name} contains no line that is an event.`, {
    hint: 'None of it has landed. Run again later; if it keeps failing, report the hour to Amplitude.',
  });
}

/** CRC-32 and length (modulo 4 GiB) of what a gzip file compresses are its last eight bytes (RFC 1952). */
export function readTrailer(last: Buffer, name: string): Count {
  if (last.length === 0) throw notEvents(name);
  if (last.length < 8) throw broken(`${name} is too short for a gzip file`);
  const tail = last.subarray(-8);
  return { crc32: tail.readUInt32LE(0), bytes: tail.readUInt32LE(4) };
}

/** The last eight bytes of a stream. */
export async function lastBytes(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  let last: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) last = Buffer.concat([last, chunk.subarray(-8)]).subarray(-8);
  return last;
}

/** A gzip file up to this size is held in memory while it is landed. A real one has a few megabytes. */
export const HELD_BYTES = 4 * 2 ** 20;

/** The same member, read from the archive only once if it is small. */
export async function hold(member: Member): Promise<Member> {
  const { name, bytes, isPlain = false } = member;
  if (bytes > HELD_BYTES) return member;
  const room = Buffer.allocUnsafe(bytes);
  let filled = 0;
  for await (const chunk of member.open()) filled += chunk.copy(room, filled);
  const whole = room.subarray(0, filled);
  async function* open() {
    yield whole;
  }
  return { name, bytes, isPlain, open, trailer: async () => (isPlain ? undefined : readTrailer(whole, name)) };
}
