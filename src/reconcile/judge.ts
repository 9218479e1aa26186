import { count, number } from '../format.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import { type LocalName, readLocalName } from '../landing/local-name.ts';
import { crcHex, type LandedObject, type Manifest, type QuarantinedObject } from '../landing/manifest.ts';
import type { readRecord } from '../landing/records.ts';

/** Why a file goes to failed_uploads/, in the order and words of the summary. */
export const MOVES = {
  NOT_AN_EXPORT_FILE: 'the name is not that of an export file',
  NOT_LANDED: 'the hour has not landed',
  SEALED_EMPTY: 'the hour is sealed as empty',
  NOT_IN_MANIFEST: 'the hour has landed without a file of this name',
  ANOTHER_PROJECT: 'the destination holds another project',
  MANIFEST_UNREADABLE: "the hour's manifest cannot be read",
  UNREADABLE: 'the file cannot be read',
  CONTENT_DIFFERS: 'the content differs from what landed',
  STORED_MISSING: 'the stored object is missing',
  STORED_DIFFERS: 'the stored object differs from its manifest',
} as const;
export type MoveCode = keyof typeof MOVES;

/** A member as its manifest describes it: its object, and the quarantine of its bad lines. */
export interface Landed {
  readonly object: LandedObject;
  readonly quarantine: readonly QuarantinedObject[];
}

interface Move {
  readonly kind: 'move';
  readonly hour: Hour | undefined;
  readonly code: MoveCode;
  readonly reason: string;
}

/** What to do with a file. `delete`: the destination has confirmed its content. */
export type Verdict =
  | { readonly kind: 'delete'; readonly hour: Hour; readonly landed: Landed }
  | Move
  | { readonly kind: 'keep'; readonly code: string; readonly reason: string };

export const keep = (code: string, reason: string): Verdict => ({ kind: 'keep', code, reason });

export const move = (hour: Hour | undefined, code: MoveCode, reason: string): Move => {
  return { kind: 'move', hour, code, reason };
};

/** What landed of the member that a file is named after. `project` is that of the destination, as far as it is known. */
export function findLanded(
  { hour, member, project }: LocalName,
  record: Awaited<ReturnType<typeof readRecord>>,
  destinationProject: string | undefined,
): Landed | Move {
  const { manifest } = record;
  const name = formatHour(hour);
  if (manifest === undefined && record.problem !== undefined) {
    return move(hour, 'MANIFEST_UNREADABLE', record.problem.message);
  }
  const owner = manifest?.project ?? destinationProject;
  if (owner !== undefined && owner !== project) {
    return move(hour, 'ANOTHER_PROJECT', `its project is ${project}; the destination holds project ${owner}`);
  }
  if (manifest === undefined) return move(hour, 'NOT_LANDED', `hour ${name} has not landed`);
  const [object, ...others] = manifest.objects.filter((each) => isOf(member, each));
  if (object === undefined) {
    if (manifest.status === 'empty') return move(hour, 'SEALED_EMPTY', `hour ${name} is sealed as empty`);
    return move(hour, 'NOT_IN_MANIFEST', `hour ${name} has landed without a file of this name`);
  }
  const landed = { object, quarantine: manifest.quarantine.filter((each) => isOf(member, each)) };
  if (others.length === 0 && isConsistent(landed, hour)) return landed;
  return move(hour, 'MANIFEST_UNREADABLE', `the manifest of hour ${name} contradicts itself`);
}

/** Manifests are JSON from outside: nothing in their lists is sure to be there. */
function isOf(member: string, object: Partial<Manifest['objects'][number]> | null): boolean {
  return typeof object?.member === 'string' && readLocalName(object.member)?.member === member;
}

function isConsistent({ object, quarantine }: Landed, hour: Hour): boolean {
  const { key, bytes, crc32, source } = object;
  const isCount = (counted: Partial<LandedObject['source']> | undefined) =>
    Number.isSafeInteger(counted?.bytes) && /^[0-9a-f]{8}$/.test(String(counted?.crc32));
  const isStored = (stored: QuarantinedObject | LandedObject) => typeof stored.key === 'string' && isCount(stored);
  if (![object, ...quarantine].every(isStored) || !isCount(source)) return false;
  // A member without bad lines is stored as it came.
  const asItCame = key.endsWith('.json') && quarantine.length === 0;
  const isSame = bytes === source.bytes && crc32 === source.crc32;
  return key.startsWith(`events/${hourFolder(hour)}/`) && (isSame || !asItCame);
}

/** The JSON of a local file; `bytes` may end just above those that landed. */
export type LocalContent = { readonly bytes: number; readonly crc32: number } | { readonly unreadable: string };

/** Undefined: the file holds what landed. */
export function compareContent(
  { hour, gzip }: LocalName,
  { object: { source } }: Landed,
  content: LocalContent,
): Move | undefined {
  if ('unreadable' in content) return move(hour, 'UNREADABLE', content.unreadable);
  const differs = (has: string, landed: string) =>
    move(hour, 'CONTENT_DIFFERS', `its JSON has ${has}; what landed has ${landed}`);
  const { bytes, crc32 } = content;
  if (gzip && bytes > source.bytes) return differs(`more than ${count(source.bytes, 'byte')}`, number(source.bytes));
  if (bytes !== source.bytes) return differs(count(bytes, 'byte'), number(source.bytes));
  if (crcHex(crc32) !== source.crc32) return differs(`CRC-32 ${crcHex(crc32)}`, source.crc32);
  return undefined;
}
