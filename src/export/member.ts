import zlib from 'node:zlib';
import { broken, type Count, hold, type Member, notEvents } from '../archive/archive.ts';
import { count, type Examined, examine, inflate } from '../archive/inflate.ts';
import { goodLines, LineScanner, quarantineLines } from '../archive/lines.ts';
import type { MemberName } from '../archive/names.ts';
import { CHUNK_BYTES, through } from '../archive/through.ts';
import type { OutputFormat } from '../config/settings.ts';
import { type Content, type Destination, Miscounted } from '../destination/destination.ts';
import { eventsKey, quarantineKey } from '../landing/keys.ts';
import { crcHex, type LandedObject, type QuarantinedObject } from '../landing/manifest.ts';
import type { Timings } from './tally.ts';

export interface NamedMember {
  readonly member: Member;
  readonly name: MemberName;
  /** What a look through the member has found, where there was one. */
  readonly examined?: Examined;
  /**
   * Makes the file an object under a key inside the store, without its bytes passing here. False: the store cannot, or
   * the object does not prove to be the file.
   */
  readonly copy?: (key: string, file: Count) => Promise<boolean>;
  /** For a member that has landed before, in another destination: what its manifest there says of it. */
  readonly landed?: LandedElsewhere;
}

export interface LandedElsewhere extends Pick<LandedObject, 'source' | 'events'> {
  readonly quarantine?: Pick<QuarantinedObject, 'bytes' | 'crc32' | 'lines'> & { open(): AsyncIterable<Buffer> };
}

export interface ExaminedMember extends NamedMember {
  readonly examined: Examined;
}

/** The object of a member, and the object of its bad lines. */
export interface LandedMember {
  readonly object: LandedObject;
  readonly quarantine: QuarantinedObject | undefined;
}

export interface MemberOptions {
  readonly destination: Destination;
  readonly format: OutputFormat;
  readonly strict: boolean;
  readonly timings: Timings;
  /** Of the manifest that is going to name the objects. */
  readonly generation: number;
}

/** Ends an upload at the first line that is no event. */
class BadLineOnTheWay extends Error {}

/**
 * Puts a member into the destination. The json format takes one pass as long as the member's trailer is right and all
 * its lines are events. Otherwise, and in the gzip format, the member is examined first.
 */
export async function landMember(named: NamedMember, options: MemberOptions): Promise<LandedMember> {
  // What S3 copies, and its manifest has counted, need not come here.
  const isCounted = named.copy !== undefined && named.examined !== undefined;
  const held = isCounted ? named : { ...named, member: await hold(named.member) };
  const landed = await landHeld(held, options);
  return named.landed === undefined ? landed : await carryOver(named.landed, landed, held, options);
}

async function landHeld(held: NamedMember, options: MemberOptions): Promise<LandedMember> {
  if (options.format === 'json' && held.examined === undefined) {
    const landed = await landInOnePass(held, options);
    if (landed !== undefined) return landed;
  }
  const started = performance.now();
  const examined = held.examined ?? (await examine(held.member, options));
  options.timings.inflateMs += performance.now() - started;
  return await landExamined({ ...held, examined }, options);
}

/** Undefined where the trailer is wrong or missing, or a line is no event: then only an examination tells what to send. */
async function landInOnePass({ member, name }: NamedMember, options: MemberOptions): Promise<LandedMember | undefined> {
  const { destination, strict, timings, generation } = options;
  const source = await member.trailer();
  if (source === undefined) return undefined;
  let events = 0;
  async function* scanned() {
    const scanner = new LineScanner({ strict });
    let started = performance.now();
    for await (const chunk of inflate(member)) {
      scanner.push(chunk);
      if (scanner.bad.length > 0) throw new BadLineOnTheWay();
      const inflated = performance.now();
      timings.inflateMs += inflated - started;
      yield chunk;
      started = performance.now();
      timings.uploadMs += started - inflated;
    }
    scanner.end();
    if (scanner.bad.length > 0) throw new BadLineOnTheWay();
    if (scanner.events === 0) throw notEvents(member.name);
    events = scanner.events;
  }
  const key = eventsKey({ ...name, generation, crc32: crcHex(source.crc32) }, 'json');
  try {
    await destination.put(key, contentFrom(source, scanned));
    return { object: { key, ...hex(source), events, member: member.name, source: hex(source) }, quarantine: undefined };
  } catch (error) {
    if (error instanceof BadLineOnTheWay || error instanceof Miscounted) return undefined;
    throw error;
  }
}

/** Bad lines go to quarantine, the rest lands. */
async function landExamined(landing: ExaminedMember, options: MemberOptions): Promise<LandedMember> {
  const { member, name, examined } = landing;
  const { source, file, events, bad } = examined;
  const { destination, format, timings, generation } = options;
  const isWhole = bad.length === 0;
  const isAsFile = isWhole && (format === 'json') === (member.isPlain === true);
  const kept = () => (isWhole ? inflate(member) : goodLines(inflate(member), bad));
  // A member that is compressed again has the same bytes each time: zlib writes no time and no name.
  const compress = () => through(kept(), zlib.createGzip({ chunkSize: CHUNK_BYTES }));
  const asFormat = format === 'json' ? kept : compress;
  const open = isAsFile ? () => member.open() : asFormat;
  const isKnown = isWhole && (isAsFile || format === 'json');
  const asReceived = format === 'json' ? source : file;
  const stored = isKnown ? asReceived : await count(open());
  const key = eventsKey({ ...name, generation, crc32: crcHex(stored.crc32) }, format);
  const started = performance.now();
  const isCopied = isAsFile && landing.copy !== undefined && (await landing.copy(key, stored));
  if (!isCopied) await destination.put(key, contentFrom(stored, open));
  const quarantine = isWhole ? undefined : await landBadLines(landing, options);
  timings.uploadMs += performance.now() - started;
  return { object: { key, ...hex(stored), events, member: member.name, source: hex(source) }, quarantine };
}

/** What the manifest elsewhere knows of a member and its object does not show: what was received, and the bad lines. */
async function carryOver(
  { source, events, quarantine }: LandedElsewhere,
  { object }: LandedMember,
  { member, name }: NamedMember,
  { destination, generation }: MemberOptions,
): Promise<LandedMember> {
  if (object.events !== events) {
    throw broken(`${member.name} has ${object.events} events, and its manifest says ${events}`);
  }
  const carried = { ...object, source };
  if (quarantine === undefined) return { object: carried, quarantine };
  const { bytes, crc32, lines, open } = quarantine;
  const key = quarantineKey({ ...name, generation, crc32 });
  await destination.put(key, contentFrom({ bytes, crc32: Number.parseInt(crc32, 16) }, open));
  return { object: carried, quarantine: { key, bytes, crc32, lines, member: member.name } };
}

async function landBadLines(landing: ExaminedMember, options: MemberOptions): Promise<QuarantinedObject> {
  const { member, name, examined } = landing;
  const open = () => quarantineLines(inflate(member), examined.bad);
  const stored = await count(open());
  const key = quarantineKey({ ...name, generation: options.generation, crc32: crcHex(stored.crc32) });
  await options.destination.put(key, contentFrom(stored, open));
  return { key, ...hex(stored), lines: examined.bad.length, member: member.name };
}

function contentFrom(known: Count, open: () => AsyncIterable<Buffer>): Content {
  return { ...known, open, count: () => count(open()) };
}

function hex({ bytes, crc32 }: Count): { bytes: number; crc32: string } {
  return { bytes, crc32: crcHex(crc32) };
}
