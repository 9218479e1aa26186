import zlib from 'node:zlib';
import { broken, type Count, type Member, readTrailer } from '../archive/archive.ts';
import { type Examined, examine } from '../archive/inflate.ts';
import type { MemberName } from '../archive/names.ts';
import type { OutputFormat } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { type ErrorCode, JobError } from '../errors.ts';
import { formatHour, type Hour } from '../hours.ts';
import { ENDINGS, readKey } from '../landing/keys.ts';
import { crcHex, type LandedObject, type Manifest } from '../landing/manifest.ts';
import { type Branch, folderOf, memberName } from './names.ts';
import type { Source, SourceFile } from './source.ts';

/** A file as the landing of an hour takes it: as it would a member of an archive. */
export interface AdoptedMember {
  readonly member: Member;
  readonly name: MemberName;
  readonly examined?: Examined;
  readonly copy: (key: string, file: Count) => Promise<boolean>;
  readonly landed?: LandedBefore;
}

interface LandedBefore extends Pick<LandedObject, 'source' | 'events'> {
  readonly quarantine?: { bytes: number; crc32: string; lines: number; open(): AsyncIterable<Buffer> };
}

/** A file of an hour, with what the manifest of the source says of it, where there is one. */
export interface Candidate extends SourceFile {
  readonly crc32?: string;
  readonly member?: string;
  readonly landed?: LandedBefore;
}

/** Where files come from and go to. */
export interface Way {
  readonly source: Source;
  readonly destination: Destination;
  readonly branch: Branch;
  readonly project: string;
  readonly format: OutputFormat;
  readonly strict: boolean;
  readonly signal: AbortSignal;
  /** Called for each file that S3 has copied by itself, and for what is read. */
  readonly onCopy: (bytes: number) => void;
  readonly onBytes: (bytes: number) => void;
}

/** What a manifest in the source names. */
export function candidatesIn({ objects, quarantine }: Manifest, way: Way): Candidate[] {
  const base = folderOf(way.branch);
  return objects.map(({ key, bytes, crc32, member, source: received, events }): Candidate => {
    const lines = quarantine.find((bad) => bad.member === member);
    const badLines = lines && {
      ...lines,
      open: () => reading(base + lines.key, lines, way),
    };
    const landed = { source: received, events, ...(badLines === undefined ? {} : { quarantine: badLines }) };
    const part = readKey(key)?.part ?? 0;
    return { key: base + key, bytes, crc32, member, part, isPlain: key.endsWith(ENDINGS.json), landed };
  });
}

/** The member that lands for a file. Nothing is read yet. */
export function memberFor(file: Candidate, hour: Hour, way: Way): AdoptedMember {
  const { source, destination, branch, project, format } = way;
  const { key, bytes, part, isPlain, landed, crc32 } = file;
  const { store } = source;
  const name = file.member ?? memberName(branch, project, formatHour(hour), part);
  const member: Member = {
    name,
    bytes,
    isPlain,
    open: () => reading(key, file, way),
    async trailer() {
      if (isPlain) return undefined;
      const tail = await store.tail(key, 8).catch((error: unknown) => {
        throw ofFile(error, key);
      });
      if (tail === undefined) throw broken(`${key} is missing`);
      return readTrailer(tail, name);
    },
  };
  const adopted: AdoptedMember = {
    member,
    name: { project, hour, part },
    async copy(to, content) {
      const since = file.modifiedMs === undefined ? {} : { since: new Date(file.modifiedMs) };
      const isCopied = await destination.copy(to, content, store, { key, ...since });
      if (isCopied) way.onCopy(bytes);
      return isCopied;
    },
    ...(landed === undefined ? {} : { landed }),
  };
  if (landed === undefined || crc32 === undefined || isPlain !== (format === 'json')) return adopted;
  // The object stays as it is, so its manifest has counted it already: the checksum proves that it is the same.
  const count = { bytes, crc32: Number.parseInt(crc32, 16) };
  const received = isPlain ? count : countIn(landed.source);
  return { ...adopted, examined: { source: received, file: count, events: landed.events, bad: [] } };
}

/** Whether a file holds exactly the JSON of `landed`. Of a gzip file that is the same, only the last bytes are read. */
export async function isSame(file: Candidate, hour: Hour, landed: LandedObject['source'], way: Way): Promise<boolean> {
  const equals = ({ bytes, crc32 }: LandedObject['source']) => bytes === landed.bytes && crc32 === landed.crc32;
  if (file.landed !== undefined) return equals(file.landed.source);
  const { member } = memberFor(file, hour, way);
  const trailer = await member.trailer();
  if (trailer !== undefined && equals(hex(trailer))) return true;
  if (file.isPlain && file.bytes !== landed.bytes) return false;
  return equals(await contentOf(file, hour, way));
}

/** Length and CRC-32 of the JSON in a file. Throws ARCHIVE_BROKEN or NOT_EVENTS. */
export async function contentOf(file: Candidate, hour: Hour, way: Way): Promise<LandedObject['source']> {
  return file.landed?.source ?? hex((await examine(memberFor(file, hour, way).member, way)).source);
}

const hex = ({ bytes, crc32 }: Count) => ({ bytes, crc32: crcHex(crc32) });
const countIn = ({ bytes, crc32 }: LandedObject['source']) => ({ bytes, crc32: Number.parseInt(crc32, 16) });

/** A file that cannot be read leaves its hour, and no other. */
export class Unreadable extends JobError {
  override name = 'Unreadable';
  readonly file: string;
  /** A part of a sentence. */
  readonly why: string;

  constructor(file: string, { message, hint, cause }: JobError) {
    const why = message.replace(/\.$/, '');
    super('ADOPT_UNREADABLE', `${file} cannot be read: ${message}`, { hint, cause });
    this.file = file;
    this.why = why;
  }
}

/** What keys, network or bucket are refused for concerns every file. */
const OF_FILE: readonly ErrorCode[] = ['ACCESS_DENIED', 'KMS_KEY', 'BAD_DIGEST', 'DESTINATION'];

function ofFile(error: unknown, key: string): unknown {
  return error instanceof JobError && OF_FILE.includes(error.code) ? new Unreadable(key, error) : error;
}

/** Throws where a file is not what the listing, or its manifest, says. */
async function* reading(
  key: string,
  expected: { readonly bytes: number; readonly crc32?: string | undefined },
  { source, signal, onBytes }: Way,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  let crc = 0;
  let isThere = true;
  try {
    const stream = await source.store.stream(key);
    isThere = stream !== undefined;
    for await (const chunk of stream ?? []) {
      signal.throwIfAborted();
      bytes += chunk.length;
      onBytes(chunk.length);
      if (expected.crc32 !== undefined) crc = zlib.crc32(chunk, crc);
      yield chunk;
    }
  } catch (error) {
    throw ofFile(error, key);
  }
  if (!isThere) throw broken(`${key} is missing`);
  if (bytes !== expected.bytes) throw broken(`${key} has ${bytes} bytes now, and ${expected.bytes} when it was listed`);
  if (expected.crc32 !== undefined && crcHex(crc) !== expected.crc32) {
    throw broken(`${key} has CRC-32 ${crcHex(crc)}, and its manifest says ${expected.crc32}`);
  }
}
