import zlib from 'node:zlib';
import { inflate } from '../archive/inflate.ts';
import { LineScanner } from '../archive/lines.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { count, number } from '../format.ts';
import type { Hour } from '../hours.ts';
import { checksumDifference, type Difference, type Named, sizeDifference } from './difference.ts';

export type Depth = 'listing' | 'checksums' | 'deep';

/** Holds a stored object against its manifest beyond its size. The differences that it finds; none: it is as it landed. */
export async function compareContent(
  hour: Hour,
  named: Named,
  destination: Destination,
  depth: Depth,
): Promise<Difference[]> {
  if (depth === 'listing') return [];
  return depth === 'deep' ? await readBack(hour, named, destination) : await lookAt(hour, named, destination);
}

async function lookAt(hour: Hour, named: Named, destination: Destination): Promise<Difference[]> {
  const { key } = named;
  const found = await destination.look(key);
  if (found === undefined) return [missing(hour, key)];
  if (found.bytes !== named.bytes) return [sizeDifference(hour, named, found.bytes)];
  if (found.crc32 === undefined) {
    const message = `The store keeps no checksum of ${key}: it was written there by something else, a copy perhaps.`;
    const hint = '--deep reads it back and computes it.';
    return [{ kind: 'checksum', hour, key, message, hint }];
  }
  const difference = checksumDifference(hour, named, found.crc32);
  return difference === undefined ? [] : [difference];
}

async function readBack(hour: Hour, named: Named, destination: Destination): Promise<Difference[]> {
  const { key } = named;
  const scanner = new LineScanner({ strict: false });
  let bytes = 0;
  let crc32 = 0;
  async function* open() {
    const stream = await destination.stream(key);
    if (stream === undefined) throw new Gone();
    bytes = 0;
    crc32 = 0;
    for await (const chunk of stream) {
      bytes += chunk.length;
      crc32 = zlib.crc32(chunk, crc32);
      yield chunk;
    }
  }
  try {
    const lines = key.endsWith('.gz') ? inflate({ name: key, bytes: named.bytes, open }) : open();
    for await (const chunk of lines) scanner.push(chunk);
    scanner.end();
  } catch (error) {
    if (error instanceof Gone) return [missing(hour, key)];
    const spoilt = error instanceof JobError && ['BAD_DIGEST', 'ARCHIVE_BROKEN'].includes(error.code);
    if (!spoilt) throw error;
    return [{ kind: 'content', hour, key, message: `${key} cannot be read back: ${error.message}` }];
  }
  if (bytes !== named.bytes) return [sizeDifference(hour, named, bytes)];
  const difference = checksumDifference(hour, named, crc32);
  if (difference !== undefined) return [difference];
  if (scanner.events === named.lines) return [];
  const message = `${key} holds ${count(scanner.events, 'line')}; its manifest says ${number(named.lines)}.`;
  return [{ kind: 'events', hour, key, message }];
}

class Gone extends Error {}

function missing(hour: Hour, key: string): Difference {
  return { kind: 'missing', hour, key, message: `${key} is not there, though its hour is sealed.` };
}
