import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { count, inflate } from '../archive/inflate.ts';
import { systemCode } from '../errors.ts';
import type { LocalContent } from './judge.ts';

/** A file at one moment, without following links. Undefined: it is gone. */
export async function snapshot(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function isSameFile(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino;
}

/** Whether nobody has written to the file between two snapshots. */
export function isUnchanged(before: BigIntStats | undefined, after: BigIntStats | undefined): boolean {
  const fields = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;
  return before !== undefined && fields.every((field) => before[field] === after?.[field]);
}

const READ_BYTES = 256 * 1024;

/** Length and CRC-32 of the JSON in a file, counted to just above `most`: a small gzip file may inflate to any size. */
export async function readJson(path: string, gzip: boolean, most: number, signal: AbortSignal): Promise<LocalContent> {
  let handle: FileHandle | undefined;
  try {
    // By now the file may be a link or a pipe, which must not be followed or waited for.
    const opened = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    handle = opened;
    const { size } = await opened.stat();
    if (!gzip && size !== most) return { bytes: size, crc32: 0 };
    const bytes = () => opened.createReadStream({ start: 0, autoClose: false, highWaterMark: READ_BYTES });
    return await count(upTo(most, gzip ? inflate({ name: path, bytes: size, open: bytes }) : bytes(), signal));
  } catch (error) {
    signal.throwIfAborted();
    return { unreadable: `it ${whyUnreadable(error)}` };
  } finally {
    await handle?.close();
  }
}

async function* upTo(most: number, chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
    bytes += chunk.length;
    if (bytes > most) return;
  }
}

function whyUnreadable(error: unknown): string {
  const code = systemCode(error);
  if (code !== undefined) return `cannot be read (${code})`;
  const { cause } = error as Error;
  return cause instanceof Error
    ? `is not a complete gzip file (${cause.message})`
    : 'has other data after its gzip data';
}
