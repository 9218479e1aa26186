import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, deflateRaw } from 'node:zlib';

type Content = Buffer | AsyncIterable<Buffer> | Iterable<Buffer>;

/** One entry of an archive. Nothing is checked: an entry may be as hostile as its caller wants. */
export interface ZipEntry {
  /** A string is marked as UTF-8 where it needs that. A Buffer goes out as it is, without a mark. */
  readonly name: string | Buffer;
  /** A function is called when the entry's turn comes, so that one entry at a time is in memory. */
  readonly data: Content | (() => Content | Promise<Content>);
  readonly method?: 'stored' | 'deflated';
  /** Sizes and checksum follow the data, as they always do where the data is no Buffer. */
  readonly dataDescriptor?: boolean;
  /** Sizes and offset stand in zip64 fields even if they would fit without. */
  readonly zip64?: boolean;
  readonly directory?: boolean;
  /** Announced in place of the true checksum of a Buffer. */
  readonly crc32?: number;
  readonly modified?: Date;
}

export interface ZipOptions {
  /** End the archive with zip64 records even if it would fit without. */
  readonly zip64?: boolean;
  readonly comment?: string;
}

/** An entry on its way into the archive. */
interface Written {
  readonly entry: ZipEntry;
  readonly name: Buffer;
  readonly offset: number;
  /** Neither sizes nor checksum are known before the data. */
  isStreamed: boolean;
  crc: number;
  size: number;
  compressed: number;
}

const MAX16 = 0xffff;
const MAX32 = 0xffffffff;
const ZIP64_VERSION = 45;
const MADE_ON_UNIX = (3 << 8) | ZIP64_VERSION;

const hasDescriptor = ({ entry, isStreamed }: Written) => isStreamed || entry.dataDescriptor === true;
/** Of a streamed entry nobody knows whether its sizes will fit 32 bits, and the local record tells the width. */
const isWide = ({ entry, isStreamed, size, compressed }: Written) =>
  isStreamed || entry.zip64 === true || Math.max(size, compressed) >= MAX32;

/** Writes an archive of `entries` in their order. It is zip64 wherever sizes, offsets or their number need it. */
export async function* zip(
  entries: Iterable<ZipEntry> | AsyncIterable<ZipEntry>,
  options: ZipOptions = {},
): AsyncGenerator<Buffer> {
  const directory: Buffer[] = [];
  let offset = 0;
  for await (const entry of entries) {
    const name = Buffer.from(entry.name);
    const written = { entry, name, offset, isStreamed: false, crc: 0, size: 0, compressed: 0 };
    for await (const chunk of writeEntry(written)) {
      offset += chunk.length;
      yield chunk;
    }
    directory.push(centralRecord(written));
  }
  yield* directory;
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  yield endRecords(directory.length, offset, size, options);
}

async function* writeEntry(written: Written): AsyncGenerator<Buffer> {
  const { entry } = written;
  const content = typeof entry.data === 'function' ? await entry.data() : entry.data;
  const isDeflated = entry.method === 'deflated';
  let body: AsyncIterable<Buffer> | Iterable<Buffer>;
  if (Buffer.isBuffer(content)) {
    const packed = isDeflated ? await promisify(deflateRaw)(content) : content;
    const crc = entry.crc32 ?? crc32(content);
    Object.assign(written, { crc, size: content.length, compressed: packed.length });
    body = [packed];
  } else {
    written.isStreamed = true;
    const counted = countedBy(written, content);
    body = isDeflated ? pipeline(counted, createDeflateRaw(), () => undefined) : counted;
  }
  yield localRecord(written);
  written.compressed = 0;
  for await (const chunk of body) {
    written.compressed += chunk.length;
    yield chunk;
  }
  if (hasDescriptor(written)) yield descriptorRecord(written);
}

async function* countedBy(written: Written, content: AsyncIterable<Buffer> | Iterable<Buffer>) {
  for await (const chunk of content) {
    written.crc = crc32(chunk, written.crc);
    written.size += chunk.length;
    yield chunk;
  }
}

// Typed arrays are little-endian, as zip is, on every machine that this runs on.
const u16 = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer);
const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const u64 = (...values: number[]) => Buffer.from(BigUint64Array.from(values, BigInt).buffer);

/** The fields that the local and the central record share, from the version to the length of the extra field. */
function sharedFields(written: Written, wide: boolean, extra: Buffer): Buffer {
  const { entry, name, crc, size, compressed } = written;
  const modified = entry.modified ?? new Date(0);
  const time = (modified.getUTCHours() << 11) | (modified.getUTCMinutes() << 5) | (modified.getUTCSeconds() >> 1);
  const year = Math.max(0, modified.getUTCFullYear() - 1980);
  const date = (year << 9) | ((modified.getUTCMonth() + 1) << 5) | modified.getUTCDate();
  const isUtf8 = typeof entry.name === 'string' && name.some((byte) => byte > 0x7f);
  const flags = (hasDescriptor(written) ? 1 << 3 : 0) | (isUtf8 ? 1 << 11 : 0);
  const method = entry.method === 'deflated' ? 8 : 0;
  const sizes = wide ? [MAX32, MAX32] : [compressed, size];
  const version = wide ? ZIP64_VERSION : 20;
  return Buffer.concat([u16(version, flags, method, time, date), u32(crc, ...sizes), u16(name.length, extra.length)]);
}

/** Stands before an entry's data. */
function localRecord(written: Written): Buffer {
  const wide = isWide(written);
  const known = hasDescriptor(written) ? { ...written, crc: 0, size: 0, compressed: 0 } : written;
  const extra = wide ? zip64Extra(known.size, known.compressed) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from('PK\x03\x04'), sharedFields(known, wide, extra), written.name, extra]);
}

/** Stands after the data of an entry whose local record does not tell its sizes. */
function descriptorRecord(written: Written): Buffer {
  const { crc, size, compressed } = written;
  const sizes = isWide(written) ? u64(compressed, size) : u32(compressed, size);
  return Buffer.concat([Buffer.from('PK\x07\x08'), u32(crc), sizes]);
}

/** The entry's line in the directory at the end of the archive. */
function centralRecord(written: Written): Buffer {
  const { entry, name, offset, size, compressed } = written;
  const wide = entry.zip64 === true || Math.max(size, compressed, offset) >= MAX32;
  const extra = wide ? zip64Extra(size, compressed, offset) : Buffer.alloc(0);
  const attributes = entry.directory === true ? 0o040755 * 0x10000 + 0x10 : 0o100644 * 0x10000;
  const shared = [u16(MADE_ON_UNIX), sharedFields(written, wide, extra), u16(0, 0, 0)];
  const place = u32(attributes, wide ? MAX32 : offset);
  return Buffer.concat([Buffer.from('PK\x01\x02'), ...shared, place, name, extra]);
}

function zip64Extra(...values: number[]): Buffer {
  return Buffer.concat([u16(1, 8 * values.length), u64(...values)]);
}

/** The last bytes of an archive: where its directory starts, and how many entries it has. */
function endRecords(count: number, start: number, size: number, { zip64 = false, comment = '' }: ZipOptions): Buffer {
  const wide = zip64 || count >= MAX16 || Math.max(start, size) >= MAX32;
  const shown = wide ? MAX16 : count;
  const place = wide ? u32(MAX32, MAX32) : u32(size, start);
  const note = Buffer.from(comment);
  const end = Buffer.concat([Buffer.from('PK\x05\x06'), u16(0, 0, shown, shown), place, u16(note.length), note]);
  if (!wide) return end;
  const versions = u16(MADE_ON_UNIX, ZIP64_VERSION);
  const end64 = [Buffer.from('PK\x06\x06'), u64(44), versions, u32(0, 0), u64(count, count, size, start)];
  const locator = [Buffer.from('PK\x06\x07'), u32(0), u64(start + size), u32(1)];
  return Buffer.concat([...end64, ...locator, end]);
}
