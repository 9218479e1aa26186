import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { DestinationAddress } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError, systemCode } from '../errors.ts';
import { formatHour } from '../hours.ts';
import { type LocalName, readLocalName } from '../landing/local-name.ts';
import { readRecord } from '../landing/records.ts';
import { compareObject, lookAt, type Named, namedIn, readBack, type Seen } from '../landing/stored.ts';
import { compareContent, findLanded, keep, move, type Verdict } from './judge.ts';
import { isSameFile, isUnchanged, readJson, snapshot } from './local-file.ts';

export const GONE = keep('VANISHED', 'it is gone');
export const CHANGED = keep('CHANGED', 'it changed while it was read');

export interface InspectOptions {
  readonly dir: string;
  readonly destination: Destination;
  readonly address: DestinationAddress;
  /** That of the destination, as far as it is known. */
  readonly project: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Reads what is needed to judge a file, and changes nothing. Throws a JobError where the destination does not answer, and
 * the signal's reason once that aborts.
 */
export async function inspect(file: string, options: InspectOptions): Promise<Verdict> {
  const path = join(options.dir, file);
  const before = await snapshot(path);
  if (before === undefined) return GONE;
  const name = readLocalName(file);
  const verdict =
    name === undefined
      ? move(undefined, 'NOT_AN_EXPORT_FILE', 'its name is not that of an export file')
      : await inspectNamed(path, name, options);
  if (verdict.kind === 'keep') return verdict;
  const after = await snapshot(path);
  if (after === undefined) return GONE;
  return isUnchanged(before, after) ? verdict : CHANGED;
}

async function inspectNamed(path: string, name: LocalName, options: InspectOptions): Promise<Verdict> {
  const { destination, project, signal } = options;
  const { hour, gzip } = name;
  const landed = findLanded(name, await readRecord(hour, destination), project);
  if ('kind' in landed) return landed;
  const content = await readJson(path, gzip, landed.object.source.bytes, signal);
  const differs = compareContent(name, landed, content);
  if (differs !== undefined) return differs;
  // Last, since reading a large file takes long and the answer must hold when the file is deleted.
  const objects = namedIn({ objects: [landed.object], quarantine: landed.quarantine });
  for (const named of objects) {
    const mismatch = compareObject(named, await storedNow(named, destination));
    if (mismatch?.kind === 'missing') return move(hour, 'STORED_MISSING', mismatch.message);
    if (mismatch !== undefined) return move(hour, 'STORED_DIFFERS', mismatch.message);
  }
  if (!isDeepStrictEqual(findLanded(name, await readRecord(hour, destination), project), landed)) {
    return keep('HOUR_CHANGED', `a run is replacing hour ${formatHour(hour)}; run the same command later`);
  }
  const itself = await storedItself(path, objects, options.address);
  if (itself === undefined) return { kind: 'delete', hour, landed };
  return keep('STORED_ITSELF', `it is the stored object ${itself} itself, or a link to it`);
}

/** Throws a JobError, also for a stored object that the system cannot read: the local file is not to blame for it. */
async function storedNow(named: Named, destination: Destination): Promise<Seen | undefined> {
  try {
    const kept = await lookAt(named, destination);
    return kept?.crc32 === null ? await readBack(named, destination) : kept;
  } catch (cause) {
    const code = systemCode(cause);
    if (cause instanceof JobError || code === undefined) throw cause;
    const hint = 'Look at it there; then run the same command again.';
    throw new JobError('DESTINATION', `${named.key} cannot be read from ${destination.name} (${code}).`, {
      cause,
      hint,
    });
  }
}

/** The key of the stored object that a file is, by a link or a second mount: deleting one would delete both. */
async function storedItself(
  path: string,
  objects: readonly Named[],
  address: DestinationAddress,
): Promise<string | undefined> {
  if (address.kind !== 'file') return undefined;
  const local = await stat(path, { bigint: true });
  for (const { key } of objects) {
    const stored = await stat(join(address.folder, key), { bigint: true }).catch(() => undefined);
    if (isSameFile(local, stored)) return key;
  }
  return undefined;
}
