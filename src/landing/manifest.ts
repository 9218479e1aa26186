import { command } from '../command-line.ts';
import { type ErrorCode, JobError } from '../errors.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import { hourNamed } from './keys.ts';

/** An object as stored, and the member that it came from. */
interface StoredMember {
  readonly key: string;
  readonly bytes: number;
  /** CRC-32 of the stored bytes, eight hexadecimal digits. */
  readonly crc32: string;
  readonly member: string;
}

export interface LandedObject extends StoredMember {
  readonly events: number;
  /** The uncompressed member as received. */
  readonly source: { readonly bytes: number; readonly crc32: string };
}

export interface QuarantinedObject extends StoredMember {
  readonly lines: number;
}

/** Files that others left and `adopt` took over. */
export interface AdoptedSource {
  readonly kind: 'adopted';
  /** The folder or prefix that was given. */
  readonly from: string;
  /**
   * What shows that the hour is whole: Amplitude's `_complete` mark, a manifest of this program, or the person's word
   * (`--trust`). With `none`, an export asks Amplitude for the hour.
   */
  readonly proof: 'mark' | 'manifest' | 'trust' | 'none';
}

/** Where the content of an hour came from. A manifest has one of the two. */
export interface Origin {
  readonly request?: { readonly start: string; readonly end: string; readonly at: string };
  readonly source?: AdoptedSource;
}

/** The record of one landed hour, written last. Keys are relative to the destination. */
export interface Manifest extends Origin {
  readonly version: 1;
  /** `2026-11-20` and `05`, as in the folders' names. */
  readonly date: string;
  readonly hour: string;
  /** 1 with the first manifest of an hour, one more with each swap. */
  readonly generation: number;
  readonly status: 'complete' | 'empty';
  readonly project: string | null;
  readonly events: number;
  readonly bytes: number;
  readonly quarantined: number;
  readonly objects: readonly LandedObject[];
  readonly quarantine: readonly QuarantinedObject[];
  /** A later answer that was smaller and did not replace this landing. */
  readonly shrunk?: { readonly events: number; readonly at: string };
  readonly sealedAt: string;
  readonly tool: string;
}

/** How a manifest was written, beside what has landed. */
export type Seal = Origin & Pick<Manifest, 'sealedAt' | 'tool'>;

/** Whether nothing shows that the hour is whole, and Amplitude has not been asked for it since. */
export function isUnproved({ source, shrunk }: Pick<Manifest, 'source' | 'shrunk'>): boolean {
  return source?.proof === 'none' && shrunk === undefined;
}

export const MANIFESTS = 'manifests/';

export function manifestKey(hour: Hour): string {
  return `${MANIFESTS}${hourFolder(hour)}.json`;
}

/** The hour of a manifest's key; undefined for any other key. */
export function hourOfManifestKey(key: string): Hour | undefined {
  const match = /^manifests\/date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\.json$/.exec(key);
  return match === null ? undefined : hourNamed(match[1], match[2]);
}

/** What has landed of an hour. The rest of a manifest follows from it. */
export type Landing = { readonly hour: Hour } & Pick<Manifest, 'generation' | 'project' | 'objects' | 'quarantine'>;

export function makeManifest(
  { hour, generation, project, objects, quarantine }: Landing,
  { shrunk, request, source, sealedAt, tool }: Seal & Pick<Manifest, 'shrunk'>,
): Manifest {
  const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);
  const [date = '', hh = ''] = formatHour(hour).split('T');
  return {
    version: 1,
    date,
    hour: hh,
    generation,
    status: objects.length + quarantine.length > 0 ? 'complete' : 'empty',
    project,
    events: sum(objects.map((object) => object.events)),
    bytes: sum(objects.map((object) => object.bytes)),
    quarantined: sum(quarantine.map((object) => object.lines)),
    objects,
    quarantine,
    ...(shrunk === undefined ? {} : { shrunk }),
    ...(request === undefined ? {} : { request }),
    ...(source === undefined ? {} : { source }),
    sealedAt,
    tool,
  };
}

const PIECE = 64 * 1024;

/** One line, so that engines read `manifests/` as a table. */
export function writeManifest(manifest: Manifest): Buffer {
  const pieces: Buffer[] = [];
  let text = '{';
  for (const [key, value] of Object.entries(manifest)) {
    if (value === undefined) continue;
    text += `${text === '{' && pieces.length === 0 ? '' : ','}${JSON.stringify(key)}:`;
    if (!Array.isArray(value)) text += JSON.stringify(value);
    else {
      // Piece by piece: the text of 50,000 objects takes 17 MB, and twice that while it is made at once.
      text += '[';
      for (const [at, object] of value.entries()) {
        text += `${at === 0 ? '' : ','}${JSON.stringify(object)}`;
        if (text.length < PIECE) continue;
        pieces.push(Buffer.from(text));
        text = '';
      }
      text += ']';
    }
  }
  pieces.push(Buffer.from(`${text}}\n`));
  return Buffer.concat(pieces);
}

/** The command that lands an hour again, also where the answer `isEmpty`. */
export function landAgain(hour: Hour, isEmpty = false): string {
  const force = isEmpty ? '--force=empty' : '--force';
  return command(`export --start ${formatHour(hour)} --end ${formatHour(hour + 1)} ${force}`);
}

/** Files to adopt hold other content than the hour that has landed. It stays. */
export function landedOtherwise(hour: Hour): JobError {
  return new JobError('ADOPT_DIFFERS', `${formatHour(hour)} has landed already, with other content. It stays.`, {
    hint: `To compare it with Amplitude: \`${landAgain(hour)}\`.`,
  });
}

/** Every object that a manifest names, in events/ and quarantine/. */
export function keysIn({ objects, quarantine }: Pick<Manifest, 'objects' | 'quarantine'>): string[] {
  return [...objects, ...quarantine].map(({ key }) => key);
}

/** Throws a JobError: MANIFEST_UNREADABLE for what is no manifest of this hour, MANIFEST_NEWER for a later format. */
export function readManifest(content: Buffer, hour: Hour): Manifest {
  const refuse = (code: ErrorCode, why: string, hint: string, cause?: unknown) =>
    new JobError(code, `The manifest ${manifestKey(hour)} ${why}.`, { hint, cause });
  const unreadable = (why: string, cause?: unknown) =>
    refuse(
      'MANIFEST_UNREADABLE',
      why,
      `Look at it, then land the hour again: \`${landAgain(hour)}\` replaces it.`,
      cause,
    );
  let manifest: Manifest | null;
  try {
    manifest = JSON.parse(content.toString('utf8')) as Manifest | null;
  } catch (error) {
    throw unreadable('is not JSON', error);
  }
  if (typeof manifest?.version !== 'number') throw unreadable('is not a manifest');
  if (manifest.version > 1) {
    const why = `has format version ${manifest.version}, which is newer than this program knows`;
    throw refuse('MANIFEST_NEWER', why, 'Use the newer amplitude-to-s3 that wrote it.');
  }
  const hasLists = Array.isArray(manifest.objects) && Array.isArray(manifest.quarantine);
  const hasGeneration = Number.isSafeInteger(manifest.generation) && manifest.generation > 0;
  const isOfHour = `${manifest.date}T${manifest.hour}` === formatHour(hour);
  if (!hasLists || !hasGeneration || !isOfHour) throw unreadable('does not describe its hour');
  return manifest;
}

/** A CRC-32 as manifests write it. */
export function crcHex(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, '0');
}
