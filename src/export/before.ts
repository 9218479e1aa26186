import { command } from '../command-line.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import { readKey } from '../landing/keys.ts';
import { keysIn, type Manifest, manifestKey, readManifest } from '../landing/manifest.ts';
import type { Log } from '../log.ts';
import type { Mode } from './decide.ts';

/** What stands for an hour: its manifest, or one that cannot be read and that this run may replace. */
export interface Before {
  readonly version: string;
  readonly manifest: Manifest | undefined;
  readonly generation: number;
  /** What goes once another manifest stands. */
  readonly keys: readonly string[];
}

interface Options {
  readonly destination: Destination;
  readonly mode: Mode;
  readonly log: Log;
}

/**
 * Undefined where the hour has no manifest. `parts`: those of the answer. Throws a JobError: MANIFEST_UNREADABLE and
 * MANIFEST_NEWER where the manifest must not be replaced, REPAIR_SHRUNK where an unreadable one may name more than the
 * answer has.
 */
export async function readBefore(
  hour: Hour,
  parts: ReadonlySet<number>,
  options: Options,
): Promise<Before | undefined> {
  const { destination, mode, log } = options;
  const standing = await destination.standing(manifestKey(hour));
  if (standing === undefined) return undefined;
  const { version, content } = standing;
  try {
    const manifest = readManifest(content, hour);
    return { version, manifest, generation: manifest.generation, keys: keysIn(manifest) };
  } catch (error) {
    const replaces = mode !== 'export' && error instanceof JobError && error.code === 'MANIFEST_UNREADABLE';
    if (!replaces) throw error;
    log.warn(`${error.message} It is written anew.`, { hour: formatHour(hour) });
    return { version, manifest: undefined, ...(await storedOf(hour, parts, options)) };
  }
}

/** Where the manifest cannot tell what landed, the names of what is stored do. A repair must not make less of it. */
async function storedOf(hour: Hour, parts: ReadonlySet<number>, { destination, mode }: Options) {
  const keys: string[] = [];
  let generation = 0;
  for (const top of ['events', 'quarantine']) {
    for await (const { key } of destination.list(`${top}/${hourFolder(hour)}/`)) {
      const stored = readKey(key);
      if (stored === undefined) continue;
      if (mode === 'repair' && !parts.has(stored.part)) throw repairShrunk(hour, 'fewer members', parts.size);
      generation = Math.max(generation, stored.generation);
      keys.push(key);
    }
  }
  return { keys, generation };
}

/** Not mended: what is stored may be all that is left of the hour. */
export function repairShrunk(hour: Hour, what: string, members: number): JobError {
  const name = formatHour(hour);
  const force = members === 0 ? '--force=empty' : '--force';
  return new JobError('REPAIR_SHRUNK', `Amplitude now returns ${what} for ${name} than have landed. They stay.`, {
    hint: `If the smaller answer is better than what is there: \`${command(`export --start ${name} --end ${formatHour(hour + 1)} ${force}`)}\`, then verify again.`,
  });
}
