import { giveBack } from '../archive/memory.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import { type ObjectName, readKey } from '../landing/keys.ts';
import { keysIn, landAgain, type Manifest, readManifest } from '../landing/manifest.ts';
import { readStanding } from '../landing/records.ts';
import type { Log } from '../log.ts';
import type { Mode } from './decide.ts';

/** The manifest that stands for an hour. It is undefined where it cannot be read and this run may replace it. */
export interface Current {
  readonly version: string;
  readonly manifest: Manifest | undefined;
  readonly generation: number;
  /** The objects of the hour, which are deleted once another manifest stands and does not name them. */
  readonly keys: readonly string[];
}

/**
 * Reads what stands for an hour; undefined where it has no manifest. `parts` are the parts that the answer has. Throws
 * a JobError for a manifest that must stay: MANIFEST_UNREADABLE, MANIFEST_NEWER, or REPAIR_SHRUNK for an unreadable one
 * that may name more than the answer has.
 */
export async function readCurrent(
  hour: Hour,
  parts: ReadonlySet<number>,
  { destination, mode, log }: { readonly destination: Destination; readonly mode: Mode; readonly log: Log },
): Promise<Current | undefined> {
  const standing = await readStanding(hour, destination);
  if (standing === undefined) return undefined;
  const { version, content } = standing;
  try {
    const manifest = readManifest(content, hour);
    // Of 50,000 objects it has 17 MB.
    giveBack(content);
    return { version, manifest, generation: manifest.generation, keys: keysIn(manifest) };
  } catch (error) {
    const replaces =
      !['export', 'adopt'].includes(mode) && error instanceof JobError && error.code === 'MANIFEST_UNREADABLE';
    if (!replaces) throw error;
    log.warn(`${error.message} This run replaces it.`, { hour: formatHour(hour) });
  }
  // The manifest does not say what landed. The keys of the stored objects do.
  const stored = await storedObjects(hour, destination);
  if (mode === 'repair' && stored.some(({ part }) => !parts.has(part))) {
    throw repairShrunk(hour, 'fewer members', parts.size);
  }
  const generation = Math.max(0, ...stored.map((object) => object.generation));
  return { version, manifest: undefined, generation, keys: stored.map(({ key }) => key) };
}

async function storedObjects(hour: Hour, destination: Destination): Promise<(ObjectName & { key: string })[]> {
  const stored: (ObjectName & { key: string })[] = [];
  for (const top of ['events', 'quarantine']) {
    for await (const { key } of destination.list(`${top}/${hourFolder(hour)}/`)) {
      const name = readKey(key);
      if (name !== undefined) stored.push({ ...name, key });
    }
  }
  return stored;
}

/** Nothing is repaired: what is stored may be all that is left of the hour. */
export function repairShrunk(hour: Hour, what: string, members: number): JobError {
  const name = formatHour(hour);
  return new JobError('REPAIR_SHRUNK', `Amplitude now returns ${what} for ${name} than have landed. They stay.`, {
    hint: `If the smaller answer is better than what is there: \`${landAgain(hour, members === 0)}\`, then verify again.`,
  });
}
