import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { count as countStream } from '../archive/inflate.ts';
import type { DestinationAddress } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError, systemCode } from '../errors.ts';
import { count, number } from '../format.ts';
import { hourFolder } from '../hours.ts';
import type { LocalName } from '../landing/local-name.ts';
import { readLocalName } from '../landing/local-name.ts';
import { crcHex, type Manifest } from '../landing/manifest.ts';
import { keep, type Landed, type Verdict } from './verdict.ts';

/** What the manifest says of the member that a file is named for; undefined where it does not know it. */
export function landedOf(manifest: Manifest, { hour, member }: LocalName): Landed | 'unclear' | undefined {
  const is = (other: unknown) => typeof other === 'string' && readLocalName(other)?.member === member;
  const objects = manifest.objects.filter((object) => is(object?.member));
  const quarantine = manifest.quarantine.filter((object) => is(object?.member));
  const [object] = objects;
  if (object === undefined) return undefined;
  const stored = [object, ...quarantine];
  const clear =
    objects.length === 1 &&
    stored.every(({ key, bytes, crc32 }) => typeof key === 'string' && isCount(bytes, crc32)) &&
    isCount(object.source?.bytes, object.source?.crc32) &&
    object.key.startsWith(`events/${hourFolder(hour)}/`);
  if (!clear) return 'unclear';
  // A member of which no line was taken out is stored as it came.
  const asItCame = object.key.endsWith('.json') && quarantine.length === 0;
  const { bytes, crc32, source } = object;
  if (asItCame && (bytes !== source.bytes || crc32 !== source.crc32)) return 'unclear';
  return { object, quarantine };
}

function isCount(bytes: unknown, crc32: unknown): boolean {
  return Number.isSafeInteger(bytes) && typeof crc32 === 'string' && /^[0-9a-f]{8}$/.test(crc32);
}

/** Asks the destination for what it stores of a member at this moment. Undefined: size and checksum are the manifest's. */
export async function doubtsOf(
  { object, quarantine }: Landed,
  destination: Destination,
): Promise<{ code: 'STORED_MISSING' | 'STORED_DIFFERS'; reason: string } | undefined> {
  for (const { key, bytes, crc32 } of [object, ...quarantine]) {
    const differs = (how: string) => ({ code: 'STORED_DIFFERS' as const, reason: `what is stored as ${key} ${how}` });
    const seen = await looked(key, destination);
    if (seen === undefined) {
      return { code: 'STORED_MISSING', reason: `${key} is not in the destination, although its hour is sealed` };
    }
    if (seen === 'corrupt') return differs('is not what the store has the checksum of');
    if (seen.bytes !== bytes) return differs(`has ${count(seen.bytes, 'byte')}; the manifest says ${number(bytes)}`);
    if (crcHex(seen.crc32) !== crc32) return differs(`has CRC-32 ${crcHex(seen.crc32)}; the manifest says ${crc32}`);
  }
  return undefined;
}

async function looked(key: string, destination: Destination) {
  try {
    const seen = await destination.look(key);
    if (seen === undefined) return undefined;
    const { bytes, crc32 } = seen;
    if (crc32 !== undefined) return { bytes, crc32 };
    // The store has no checksum of the whole object: only its bytes can tell.
    const stream = await destination.stream(key);
    return stream === undefined ? undefined : await countStream(stream);
  } catch (error) {
    if (error instanceof JobError && error.code === 'BAD_DIGEST') return 'corrupt';
    const code = systemCode(error);
    if (error instanceof JobError || code === undefined) throw error;
    throw new JobError('DESTINATION', `${key} cannot be read from ${destination.name} (${code}).`, {
      cause: error,
      hint: 'Look at it there; then run the same command again.',
    });
  }
}

/**
 * A folder that is mounted twice, or an object that is a link: the local file may be the stored object itself, and whoever
 * deletes the one has deleted the other.
 */
export async function isStoredItself(
  path: string,
  { object, quarantine }: Landed,
  address: DestinationAddress,
): Promise<Verdict | undefined> {
  if (address.kind !== 'file') return undefined;
  const local = await stat(path, { bigint: true });
  for (const { key } of [object, ...quarantine]) {
    const stored = await stat(join(address.folder, key), { bigint: true }).catch(() => undefined);
    if (stored?.dev === local.dev && stored.ino === local.ino) {
      return keep('STORED_ITSELF', `it is the stored object ${key} itself, or a link to it`);
    }
  }
  return undefined;
}
