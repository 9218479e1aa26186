import { command } from '../command-line.ts';
import { JobError } from '../errors.ts';
import { formatHour, type Hour, hourFolder, readHour } from '../hours.ts';

/** An object as stored, and the member that it came from. */
export interface LandedObject {
  readonly key: string;
  readonly bytes: number;
  /** CRC-32 of the stored bytes, eight hexadecimal digits. */
  readonly crc32: string;
  readonly events: number;
  readonly member: string;
  /** The uncompressed member as received. */
  readonly source: { readonly bytes: number; readonly crc32: string };
}

export interface QuarantinedObject {
  readonly key: string;
  readonly bytes: number;
  readonly crc32: string;
  readonly lines: number;
  readonly member: string;
}

/** The record of one landed hour, written last. Keys are relative to the destination. */
export interface Manifest {
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
  /** A later answer that held less, which did not replace this landing. */
  readonly shrunk?: { readonly events: number; readonly at: string };
  readonly request: {
    readonly start: string;
    readonly end: string;
    readonly at: string;
  };
  readonly sealedAt: string;
  readonly tool: string;
}

export const MANIFESTS = 'manifests/';

export function manifestKey(hour: Hour): string {
  return `${MANIFESTS}${hourFolder(hour)}.json`;
}

/** The hour of a manifest's key; undefined for a key that is none. */
export function hourOfManifestKey(key: string): Hour | undefined {
  const match = /^manifests\/date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\.json$/.exec(key);
  if (match === null) return undefined;
  try {
    return readHour(`${match[1]}T${match[2]}`);
  } catch {
    return undefined;
  }
}

/** What is laid down of an hour; the rest of a manifest follows from it. */
export interface Landing {
  readonly hour: Hour;
  readonly generation: number;
  readonly project: string | null;
  readonly objects: readonly LandedObject[];
  readonly quarantine: readonly QuarantinedObject[];
}

export function makeManifest(
  landing: Landing,
  seal: Pick<Manifest, 'request' | 'sealedAt' | 'tool' | 'shrunk'>,
): Manifest {
  const { objects, quarantine } = landing;
  const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);
  const [date = '', hour = ''] = formatHour(landing.hour).split('T');
  return {
    version: 1,
    date,
    hour,
    generation: landing.generation,
    status: objects.length + quarantine.length > 0 ? 'complete' : 'empty',
    project: landing.project,
    events: sum(objects.map((object) => object.events)),
    bytes: sum(objects.map((object) => object.bytes)),
    quarantined: sum(quarantine.map((object) => object.lines)),
    objects,
    quarantine,
    ...(seal.shrunk === undefined ? {} : { shrunk: seal.shrunk }),
    request: seal.request,
    sealedAt: seal.sealedAt,
    tool: seal.tool,
  };
}

/** One line, so that engines read `manifests/` as a table. */
export function writeManifest(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest)}\n`);
}

/** Every object that a manifest names, in events/ and quarantine/. */
export function keysIn(manifest: Pick<Manifest, 'objects' | 'quarantine'>): string[] {
  return [...manifest.objects, ...manifest.quarantine].map(({ key }) => key);
}

/**
 * Throws a JobError: MANIFEST_UNREADABLE for what is no manifest or is of another hour, MANIFEST_NEWER for the format of
 * a newer program.
 */
export function readManifest(content: Buffer, hour: Hour): Manifest {
  const name = manifestKey(hour);
  const refuse = (why: string, hint: string, { cause, newer = false }: { cause?: unknown; newer?: boolean } = {}) =>
    new JobError(newer ? 'MANIFEST_NEWER' : 'MANIFEST_UNREADABLE', `The manifest ${name} ${why}.`, { hint, cause });
  const again = `Look at it, then land the hour again: \`${command(`export --start ${formatHour(hour)} --end ${formatHour(hour + 1)} --force`)}\` writes it anew.`;
  let manifest: Manifest;
  try {
    manifest = JSON.parse(content.toString('utf8')) as Manifest;
  } catch (error) {
    throw refuse('is not JSON', again, { cause: error });
  }
  if (typeof manifest !== 'object' || manifest === null || typeof manifest.version !== 'number') {
    throw refuse('is not a manifest', again);
  }
  if (manifest.version > 1) {
    throw refuse(
      `has format version ${manifest.version}, which is newer than this program knows`,
      'Use the newer amplitude-to-s3 that wrote it.',
      { newer: true },
    );
  }
  const lists = Array.isArray(manifest.objects) && Array.isArray(manifest.quarantine);
  const swappable = Number.isSafeInteger(manifest.generation) && manifest.generation > 0;
  if (!lists || !swappable || `${manifest.date}T${manifest.hour}` !== formatHour(hour)) {
    throw refuse('does not describe its hour', again);
  }
  return manifest;
}

/** A CRC-32 as it stands in manifests. */
export function crcHex(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, '0');
}
