import { createCipheriv } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import yauzl from 'yauzl';
import type { Archive, Count, Member } from '../../../src/archive/archive.ts';
import { MemoryBudget } from '../../../src/archive/memory.ts';
import { readMemberName } from '../../../src/archive/names.ts';
import { openArchive } from '../../../src/archive/open.ts';
import { spool } from '../../../src/archive/spool.ts';
import { type ErrorCode, JobError } from '../../../src/errors.ts';
import { type ZipEntry, type ZipOptions, zip } from '../../../src/simulator/zip.ts';

export const NAME = '100011471/100011471_2026-11-20_5#0.json.gz';

/** The two ways in which an answer is kept decide which library reads it. */
export const READERS = [
  { reader: 'jszip, from memory', kind: 'memory', budgetBytes: 64 * 2 ** 20 },
  { reader: 'yauzl, from a spilled file', kind: 'file', budgetBytes: 0 },
] as const;

export type Reader = (typeof READERS)[number];

export function write(entries: ZipEntry[], options?: ZipOptions): Promise<Buffer> {
  return buffer(Readable.from(zip(entries, options)));
}

/** An entry of an archive, read back. */
export interface Unzipped {
  readonly name: string;
  readonly data: Buffer;
  readonly entry: yauzl.Entry;
  readonly crcIsRight: boolean;
}

export async function unzip(archive: Buffer): Promise<Unzipped[]> {
  const file = await yauzl.fromBufferPromise(archive, { decodeStrings: false });
  const members: Unzipped[] = [];
  for await (const entry of file.eachEntry()) {
    const data = await buffer(await file.openReadStreamPromise(entry));
    members.push({ name: entry.fileNameRaw.toString(), data, entry, crcIsRight: crc32(data) === entry.crc32 });
  }
  return members;
}

/** `whole` in copies of `size` bytes, each in memory of its own. */
export function* pieces(whole: Buffer, size: number): Generator<Buffer> {
  for (let start = 0; start < whole.length; start += size) {
    const piece = Buffer.allocUnsafeSlow(Math.min(size, whole.length - start));
    whole.copy(piece, 0, start);
    yield piece;
  }
}

export async function openWith({ kind, budgetBytes }: Reader, bytes: Buffer, workDir: string): Promise<Archive> {
  const kept = await spool(Readable.from(pieces(bytes, 50_000)), {
    budget: new MemoryBudget(budgetBytes),
    budgetBytes,
    workDir,
  });
  // An empty answer needs no file.
  if (bytes.length > 0) expect(kept.kind).to.equal(kind);
  return openArchive(kept);
}

export async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}

/** Awaits the JobError that `work` ends with. */
export async function failure(work: Promise<unknown>, code: ErrorCode): Promise<JobError> {
  const error = await work.then(
    (value) => expect.fail(`expected ${code}, but it went well: ${String(value).slice(0, 100)}`),
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(JobError);
  expect((error as JobError).code, (error as JobError).message).to.equal(code);
  return error as JobError;
}

/** All that is said of an archive before a byte of it is inflated: its directory and its members' names. */
export function namesIn(archive: Archive) {
  return archive.members.map((member) => readMemberName(member.name));
}

export function countOf(bytes: Buffer): Count {
  return { bytes: bytes.length, crc32: crc32(bytes) };
}

/** `count` events that compress badly, one a line. */
export function noisyLines(count: number, seed = 1): Buffer {
  let state = seed;
  const noise = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state.toString(36);
  };
  const lines = Array.from(
    { length: count },
    (_, index) => `{"insert_id":"${noise()}${noise()}","event_id":${index}}\n`,
  );
  return Buffer.from(lines.join(''));
}

/** An event of `bytes` bytes that compress to three quarters. */
export function noisyEvent(bytes: number): Buffer {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes));
  return Buffer.from(`{"x":"${noise.toString('base64').slice(0, bytes - 9)}"}\n`);
}

/** A gzip stream that is exactly `bytes` long: a file name in its header fills it up. */
export function streamOf(bytes: number): { json: Buffer; stream: Buffer } {
  const json = noisyLines(200);
  const packed = gzipSync(json);
  const [head, rest] = [packed.subarray(0, 10), packed.subarray(10)];
  const FLAG_NAME = 8;
  head.writeUInt8(FLAG_NAME, 3);
  const name = Buffer.from('n'.repeat(bytes - packed.length - 1));
  return { json, stream: Buffer.concat([head, name, Buffer.alloc(1), rest]) };
}

/** A member that hands out its bytes in the given chunks, as a reader might. */
export function memberOf(chunks: readonly Buffer[], name = NAME): Member {
  const whole = Buffer.concat(chunks);
  return {
    name,
    bytes: whole.length,
    async *open() {
      for (const chunk of chunks) yield Buffer.from(chunk);
    },
    async trailer() {
      return { crc32: whole.readUInt32LE(whole.length - 8), bytes: whole.readUInt32LE(whole.length - 4) };
    },
  };
}
