import type { BigIntStats } from 'node:fs';
import { constants, type FileHandle, lstat, open } from 'node:fs/promises';
import zlib from 'node:zlib';
import { lastBytes, type Member, readTrailer } from '../archive/archive.ts';
import { inflate } from '../archive/inflate.ts';
import type { Count } from '../destination/destination.ts';
import { systemCode } from '../errors.ts';

const READ_BYTES = 256 * 1024;

/** What tells that nobody wrote to a file in between. Undefined: there is no file any more. */
export type Snapshot = BigIntStats | undefined;

export async function snapshot(path: string): Promise<Snapshot> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function sameFile(one: Snapshot, other: Snapshot): boolean {
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}

export function unchanged(before: Snapshot, after: Snapshot): boolean {
  return (
    sameFile(before, after) &&
    before?.size === after?.size &&
    before?.mtimeNs === after?.mtimeNs &&
    before?.ctimeNs === after?.ctimeNs
  );
}

/** A local file that cannot be read, or is no gzip file where its name says so; the message goes on from "it". */
export class Unreadable extends Error {}

/**
 * Length and CRC-32 of the JSON in a file, which is inflated where `gzip`. Ends once that is longer than `most`: a small
 * gzip file may inflate to more than anybody waits for.
 */
export async function countJson(
  path: string,
  { gzip, most, signal }: { gzip: boolean; most: number; signal: AbortSignal },
): Promise<Count> {
  let handle: FileHandle | undefined;
  try {
    // Another file may have come in its place: no link is followed, and no pipe waited for.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { size } = await handle.stat();
    const chunks = gzip ? inflate(memberOf(handle, path, size)) : bytesOf(handle);
    return await countUpTo(chunks, most, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new Unreadable(whyUnreadable(error), { cause: error });
  } finally {
    await handle?.close();
  }
}

function bytesOf(handle: FileHandle): AsyncIterable<Buffer> {
  return handle.createReadStream({ start: 0, autoClose: false, highWaterMark: READ_BYTES });
}

function memberOf(handle: FileHandle, name: string, bytes: number): Member {
  const open = () => bytesOf(handle);
  return { name, bytes, open, trailer: async () => readTrailer(await lastBytes(open()), name) };
}

async function countUpTo(chunks: AsyncIterable<Buffer>, most: number, signal: AbortSignal): Promise<Count> {
  let bytes = 0;
  let crc32 = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    bytes += chunk.length;
    crc32 = zlib.crc32(chunk, crc32);
    if (bytes > most) break;
  }
  return { bytes, crc32 };
}

function whyUnreadable(error: unknown): string {
  const code = systemCode(error);
  if (code !== undefined) return `cannot be read (${code})`;
  const { cause } = error as Error;
  return cause instanceof Error ? `is no whole gzip file (${cause.message})` : 'holds more than its gzip data';
}
