import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, deflateRaw } from 'node:zlib';
import {
  centralRecord,
  descriptorRecord,
  endRecords,
  FLAG_DESCRIPTOR,
  FLAG_UTF8,
  localRecord,
  MAX32,
  type Written,
} from './zip-records.ts';

type Content = Buffer | AsyncIterable<Buffer> | Iterable<Buffer>;

/** One entry of an archive. Nothing is checked: an entry may be as hostile as its caller wants. */
export interface ZipEntry {
  /** A string is marked as UTF-8 where it needs that; a Buffer goes out as it is, without a mark. */
  readonly name: string | Buffer;
  /** A function is called only when the entry's turn comes, so that one entry at a time is in memory. */
  readonly data: Content | (() => Content | Promise<Content>);
  /** `stored` unless given. */
  readonly method?: 'stored' | 'deflated';
  /** Sizes and checksum follow the data; always so where the data is not a Buffer. */
  readonly dataDescriptor?: boolean;
  /** Sizes and offset stand in zip64 fields even if they would fit without. */
  readonly zip64?: boolean;
  readonly directory?: boolean;
  /** Announced in place of the true checksum. */
  readonly crc32?: number;
  readonly modified?: Date;
}

export interface ZipOptions {
  /** End the archive with zip64 records even if it would fit without. */
  readonly zip64?: boolean;
  readonly comment?: string;
}

/** Writes an archive of `entries`, in their order; zip64 wherever sizes, offsets or the number of entries need it. */
export async function* zip(
  entries: Iterable<ZipEntry> | AsyncIterable<ZipEntry>,
  options: ZipOptions = {},
): AsyncGenerator<Buffer> {
  const directory: Written[] = [];
  let offset = 0;
  for await (const entry of entries) {
    const parts = writeEntry(entry, offset);
    let step = await parts.next();
    while (step.done !== true) {
      offset += step.value.length;
      yield step.value;
      step = await parts.next();
    }
    directory.push(step.value);
  }
  const start = offset;
  for (const written of directory) {
    const record = centralRecord(written);
    offset += record.length;
    yield record;
  }
  yield endRecords(directory.length, start, offset - start, options);
}

async function* writeEntry(entry: ZipEntry, offset: number): AsyncGenerator<Buffer, Written> {
  const name = Buffer.from(entry.name);
  const content = typeof entry.data === 'function' ? await entry.data() : entry.data;
  const descriptor = entry.dataDescriptor === true || !Buffer.isBuffer(content);
  const needsUtf8 = name.some((byte) => byte > 0x7f);
  const flags = (descriptor ? FLAG_DESCRIPTOR : 0) | (typeof entry.name === 'string' && needsUtf8 ? FLAG_UTF8 : 0);
  const start = { entry, name, flags, offset, crc: 0, size: 0, compressed: 0 };
  return yield* Buffer.isBuffer(content) ? writeWhole(start, content) : writeStreamed(start, content);
}

async function* writeWhole(start: Written, content: Buffer): AsyncGenerator<Buffer, Written> {
  const { entry, flags } = start;
  const body = entry.method === 'deflated' ? await promisify(deflateRaw)(content) : content;
  const crc = entry.crc32 ?? crc32(content);
  const written = { ...start, crc, size: content.length, compressed: body.length };
  const wide = entry.zip64 === true || Math.max(content.length, body.length) >= MAX32;
  yield localRecord(written, wide);
  yield body;
  if ((flags & FLAG_DESCRIPTOR) !== 0) yield descriptorRecord(written, wide);
  return written;
}

async function* writeStreamed(
  start: Written,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer, Written> {
  let { crc, size, compressed } = start;
  const counted = async function* () {
    for await (const chunk of content) {
      crc = crc32(chunk, crc);
      size += chunk.length;
      yield chunk;
    }
  };
  // Nobody knows yet whether the sizes will fit 32 bits, and the descriptor's width is announced here.
  yield localRecord(start, true);
  const deflates = start.entry.method === 'deflated';
  const body = deflates ? pipeline(counted(), createDeflateRaw(), () => undefined) : counted();
  for await (const chunk of body as AsyncIterable<Buffer>) {
    compressed += chunk.length;
    yield chunk;
  }
  const written = { ...start, crc: start.entry.crc32 ?? crc, size, compressed };
  yield descriptorRecord(written, true);
  return written;
}
