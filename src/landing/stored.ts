import zlib from 'node:zlib';
import { inflate } from '../archive/inflate.ts';
import { LineScanner } from '../archive/lines.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { count, number } from '../format.ts';
import { crcHex, type Manifest } from './manifest.ts';

/** An object as its manifest describes it. `lines` are events, or bad lines in quarantine/. */
export interface Named {
  readonly key: string;
  readonly bytes: number;
  readonly crc32: string;
  readonly lines: number;
}

export function namedIn({ objects, quarantine }: Pick<Manifest, 'objects' | 'quarantine'>): Named[] {
  return [...objects.map(({ events, ...rest }) => ({ ...rest, lines: events })), ...quarantine];
}

/** A stored object, as far as it was read: a listing shows its size, and only reading it back shows its lines. */
export interface Seen {
  readonly bytes: number;
  /** Null: the store keeps no checksum. */
  readonly crc32?: string | null;
  readonly lines?: number;
  /** Why it cannot be read back. */
  readonly damage?: string;
}

export interface Mismatch {
  readonly kind: 'missing' | 'size' | 'checksum' | 'content' | 'events';
  readonly message: string;
  readonly hint?: string;
}

/** Compares an object with its manifest; `seen` is undefined where there is no object. */
export function compareObject({ key, bytes, crc32, lines }: Named, seen: Seen | undefined): Mismatch | undefined {
  if (seen === undefined) return { kind: 'missing', message: `${key} is missing, although its manifest names it.` };
  if (seen.damage !== undefined) return { kind: 'content', message: `${key} cannot be read back: ${seen.damage}` };
  const differs = (kind: Mismatch['kind'], has: string, expected: string) => {
    return { kind, message: `${key} has ${has}; its manifest says ${expected}.` };
  };
  if (seen.bytes !== bytes) return differs('size', count(seen.bytes, 'byte'), number(bytes));
  if (seen.crc32 === null) {
    const message = `The store keeps no checksum of ${key}: another program wrote it, as a copy perhaps.`;
    return { kind: 'checksum', message, hint: '--deep reads it back and computes the checksum.' };
  }
  if (seen.crc32 !== undefined && seen.crc32 !== crc32) return differs('checksum', `CRC-32 ${seen.crc32}`, crc32);
  if (seen.lines !== undefined && seen.lines !== lines) {
    return differs('events', count(seen.lines, 'line'), number(lines));
  }
  return undefined;
}

/** Asks the store for the size and checksum that it keeps. Undefined: there is no object. */
export async function lookAt({ key }: Named, destination: Destination): Promise<Seen | undefined> {
  const found = await destination.look(key);
  if (found === undefined) return undefined;
  return { bytes: found.bytes, crc32: found.crc32 === undefined ? null : crcHex(found.crc32) };
}

/** Reads the object for its real size, checksum and lines. Undefined: there is none. */
export async function readBack({ key, bytes: expected }: Named, destination: Destination): Promise<Seen | undefined> {
  const scanner = new LineScanner({ strict: false });
  let isThere = true;
  let bytes = 0;
  let crc32 = 0;
  /** Counts from the start, since `inflate` may open the object twice. */
  async function* open() {
    bytes = 0;
    crc32 = 0;
    const stream = await destination.stream(key);
    isThere = stream !== undefined;
    for await (const chunk of stream ?? []) {
      bytes += chunk.length;
      crc32 = zlib.crc32(chunk, crc32);
      yield chunk;
    }
  }
  try {
    const lines = key.endsWith('.gz') ? inflate({ name: key, bytes: expected, open }) : open();
    for await (const chunk of lines) scanner.push(chunk);
    scanner.end();
  } catch (error) {
    if (!isThere) return undefined;
    if (!(error instanceof JobError) || !['BAD_DIGEST', 'ARCHIVE_BROKEN'].includes(error.code)) throw error;
    return { bytes, damage: error.message };
  }
  return isThere ? { bytes, crc32: crcHex(crc32), lines: scanner.events } : undefined;
}
