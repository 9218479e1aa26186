import type { ZipEntry, ZipOptions } from './zip.ts';

/** What is known of an entry by the time that its record is written. */
export interface Written {
  readonly entry: ZipEntry;
  readonly name: Buffer;
  readonly flags: number;
  readonly offset: number;
  readonly crc: number;
  readonly size: number;
  readonly compressed: number;
}

const MAX16 = 0xffff;
export const MAX32 = 0xffffffff;
export const FLAG_DESCRIPTOR = 1 << 3;
export const FLAG_UTF8 = 1 << 11;
const ZIP64_VERSION = 45;
const MADE_ON_UNIX = 3 << 8;

/** The fields that the local and the central record share, from the version on. */
function sharedFields({ entry, flags, crc, size, compressed, name }: Written, wide: boolean, extra: number): Buffer {
  const fields = Buffer.alloc(26);
  const { date, time } = dosTime(entry.modified ?? new Date(0));
  fields.writeUInt16LE(wide ? ZIP64_VERSION : 20, 0);
  fields.writeUInt16LE(flags, 2);
  fields.writeUInt16LE(entry.method === 'deflated' ? 8 : 0, 4);
  fields.writeUInt16LE(time, 6);
  fields.writeUInt16LE(date, 8);
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(wide ? MAX32 : compressed, 14);
  fields.writeUInt32LE(wide ? MAX32 : size, 18);
  fields.writeUInt16LE(name.length, 22);
  fields.writeUInt16LE(extra, 24);
  return fields;
}

/** Stands before an entry's data. `wide`: sizes in 64 bits. */
export function localRecord(written: Written, wide: boolean): Buffer {
  const postponed = (written.flags & FLAG_DESCRIPTOR) !== 0;
  const announced = postponed ? { ...written, crc: 0, size: 0, compressed: 0 } : written;
  const extra = wide ? zip64Extra([announced.size, announced.compressed]) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from('PK\x03\x04'), sharedFields(announced, wide, extra.length), written.name, extra]);
}

/** Stands after an entry's data where the local record could not tell its sizes. */
export function descriptorRecord({ crc, size, compressed }: Written, wide: boolean): Buffer {
  const record = Buffer.alloc(wide ? 24 : 16);
  record.write('PK\x07\x08');
  record.writeUInt32LE(crc, 4);
  if (wide) {
    record.writeBigUInt64LE(BigInt(compressed), 8);
    record.writeBigUInt64LE(BigInt(size), 16);
  } else {
    record.writeUInt32LE(compressed, 8);
    record.writeUInt32LE(size, 12);
  }
  return record;
}

/** The entry's line in the directory at the end of the archive. */
export function centralRecord(written: Written): Buffer {
  const { entry, name, offset, size, compressed } = written;
  const wide = entry.zip64 === true || Math.max(size, compressed, offset) >= MAX32;
  const extra = wide ? zip64Extra([size, compressed, offset]) : Buffer.alloc(0);
  const tail = Buffer.alloc(14);
  const mode = entry.directory === true ? 0o040755 : 0o100644;
  tail.writeUInt32LE(mode * 0x10000 + (entry.directory === true ? 0x10 : 0), 6);
  tail.writeUInt32LE(wide ? MAX32 : offset, 10);
  const madeBy = Buffer.alloc(2);
  madeBy.writeUInt16LE(MADE_ON_UNIX | ZIP64_VERSION);
  return Buffer.concat([
    Buffer.from('PK\x01\x02'),
    madeBy,
    sharedFields(written, wide, extra.length),
    tail,
    name,
    extra,
  ]);
}

function zip64Extra(values: number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return extra;
}

/** The last bytes of an archive: where its directory starts, and how many entries there are. */
export function endRecords(
  count: number,
  start: number,
  size: number,
  { zip64 = false, comment = '' }: ZipOptions,
): Buffer {
  const wide = zip64 || count >= MAX16 || Math.max(start, size) >= MAX32;
  const note = Buffer.from(comment);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(wide ? MAX16 : count, 8);
  end.writeUInt16LE(wide ? MAX16 : count, 10);
  end.writeUInt32LE(wide ? MAX32 : size, 12);
  end.writeUInt32LE(wide ? MAX32 : start, 16);
  end.writeUInt16LE(note.length, 20);
  if (!wide) return Buffer.concat([end, note]);

  const end64 = Buffer.alloc(56);
  end64.write('PK\x06\x06');
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(MADE_ON_UNIX | ZIP64_VERSION, 12);
  end64.writeUInt16LE(ZIP64_VERSION, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(size), 40);
  end64.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07');
  locator.writeBigUInt64LE(BigInt(start + size), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end, note]);
}

/** Two 16-bit numbers with a resolution of two seconds, from 1980 on. */
function dosTime(at: Date): { date: number; time: number } {
  const year = Math.max(0, at.getUTCFullYear() - 1980);
  return {
    date: (year << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
  };
}
