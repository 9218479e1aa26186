import zlib from 'node:zlib';
import { type Count, hold, type Member, notEvents } from '../archive/archive.ts';
import { count, type Examined, examine, inflate } from '../archive/inflate.ts';
import { type BadLine, goodLines, LineScanner, quarantineLines } from '../archive/lines.ts';
import type { MemberName } from '../archive/names.ts';
import { CHUNK_BYTES, through } from '../archive/through.ts';
import type { OutputFormat } from '../config/settings.ts';
import { type Content, type Destination, Miscounted } from '../destination/destination.ts';
import { eventsKey, quarantineKey } from '../landing/keys.ts';
import { crcHex, type LandedObject, type QuarantinedObject } from '../landing/manifest.ts';
import type { LandedMember } from './decide.ts';
import type { Timings } from './tally.ts';

export interface MemberOptions {
  readonly destination: Destination;
  readonly format: OutputFormat;
  readonly strict: boolean;
  readonly timings: Timings;
  /** Of the manifest that is to name the objects. */
  readonly generation: number;
}

export interface NamedMember {
  readonly member: Member;
  readonly name: MemberName;
}

export interface ExaminedMember extends NamedMember {
  readonly examined: Examined;
}

/** Ends an upload at the first line that is no event: what was sent so far is given up. */
class BadLineOnTheWay extends Error {}

/**
 * Puts a member into the destination. In the json format that is one pass as long as its trailer tells the truth and all
 * its lines are events; otherwise, and in the gzip format, it is examined first.
 */
export async function landMember(given: NamedMember, options: MemberOptions): Promise<LandedMember> {
  const member = await hold(given.member);
  const named = { ...given, member };
  return options.format === 'gzip' ? examineAndLand(named, options) : landOnePass(named, options);
}

async function examineAndLand(named: NamedMember, options: MemberOptions): Promise<LandedMember> {
  const started = performance.now();
  const examined = await examine(named.member, options);
  options.timings.inflateMs += performance.now() - started;
  return landExamined(named, examined, options);
}

async function landOnePass({ member, name }: NamedMember, options: MemberOptions): Promise<LandedMember> {
  const { destination, strict, timings, generation } = options;
  const source = await member.trailer();
  const key = eventsKey({ ...name, generation, crc32: crcHex(source.crc32) }, 'json');
  let events = 0;
  const content: Content = {
    ...source,
    open: () =>
      scanned(member, { strict, timings }, (scanner) => {
        events = scanner.events;
      }),
    count: () => count(inflate(member)),
  };
  try {
    await destination.put(key, content);
    return { object: record(key, member, source, source, events), quarantine: undefined };
  } catch (error) {
    if (!(error instanceof BadLineOnTheWay || error instanceof Miscounted)) throw error;
    return examineAndLand({ member, name }, options);
  }
}

/** The uncompressed member, counted on its way. The stages' times are told by who is waited for. */
async function* scanned(
  member: Member,
  { strict, timings }: Pick<MemberOptions, 'strict' | 'timings'>,
  atEnd: (scanner: LineScanner) => void,
): AsyncGenerator<Buffer> {
  const scanner = new LineScanner({ strict });
  let at = performance.now();
  for await (const chunk of inflate(member)) {
    scanner.push(chunk);
    if (scanner.bad.length > 0) throw new BadLineOnTheWay();
    const inflated = performance.now();
    timings.inflateMs += inflated - at;
    yield chunk;
    at = performance.now();
    timings.uploadMs += at - inflated;
  }
  scanner.end();
  if (scanner.bad.length > 0) throw new BadLineOnTheWay();
  if (scanner.events === 0) throw notEvents(member.name);
  atEnd(scanner);
}

/** Puts a member whose content is known by now; bad lines go to quarantine, the rest lands. */
export async function landExamined(
  { member, name }: NamedMember,
  { source, compressed, events, bad }: Examined,
  { destination, format, timings, generation }: MemberOptions,
): Promise<LandedMember> {
  const kept = () => (bad.length === 0 ? inflate(member) : goodLines(inflate(member), bad));
  // Packed again without its bad lines, a member is the same bytes each time: zlib writes no time and no name.
  const packed = () => through(kept(), zlib.createGzip({ chunkSize: CHUNK_BYTES }));
  const open = format === 'json' ? kept : bad.length === 0 ? () => member.open() : packed;
  const known = bad.length > 0 ? await count(open()) : format === 'json' ? source : compressed;
  const key = eventsKey({ ...name, generation, crc32: crcHex(known.crc32) }, format);
  const started = performance.now();
  await destination.put(key, { ...known, open, count: () => count(open()) });
  const quarantine = bad.length === 0 ? undefined : await landBad({ member, name }, bad, { destination, generation });
  timings.uploadMs += performance.now() - started;
  return { object: record(key, member, known, source, events), quarantine };
}

async function landBad(
  { member, name }: NamedMember,
  bad: readonly BadLine[],
  { destination, generation }: Pick<MemberOptions, 'destination' | 'generation'>,
): Promise<QuarantinedObject> {
  const open = () => quarantineLines(inflate(member), bad);
  const known = await count(open());
  const key = quarantineKey({ ...name, generation, crc32: crcHex(known.crc32) });
  await destination.put(key, { ...known, open, count: () => count(open()) });
  return { key, bytes: known.bytes, crc32: crcHex(known.crc32), lines: bad.length, member: member.name };
}

function record(key: string, member: Member, stored: Count, source: Count, events: number): LandedObject {
  return {
    key,
    bytes: stored.bytes,
    crc32: crcHex(stored.crc32),
    events,
    member: member.name,
    source: { bytes: source.bytes, crc32: crcHex(source.crc32) },
  };
}
