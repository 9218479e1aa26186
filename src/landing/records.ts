import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import type { Hour } from '../hours.ts';
import { type Manifest, manifestKey, readManifest } from './manifest.ts';

/** What the manifest of an hour turned out to be: a record, gone by the time it was read, or nothing that can be read. */
export type Record =
  | { readonly hour: Hour; readonly manifest: Manifest }
  | { readonly hour: Hour; readonly manifest: undefined; readonly problem: JobError | undefined };

/** Small answers: what counts is the way there and back, so many are asked for at once. */
const READS_AT_ONCE = 64;

/** The manifests of `hours`, in their order. Throws where the destination cannot be read. */
export async function* readRecords(hours: Iterable<Hour>, destination: Destination): AsyncGenerator<Record> {
  const ahead: Promise<Record>[] = [];
  for (const hour of hours) {
    const record = readRecord(hour, destination);
    // Whoever waits for it hears of a failure; until then it is nobody's, which would end the process.
    record.catch(() => undefined);
    ahead.push(record);
    if (ahead.length >= READS_AT_ONCE) yield (await ahead.shift()) as Record;
  }
  for (const record of ahead) yield await record;
}

export async function readRecord(hour: Hour, destination: Destination): Promise<Record> {
  const content = await destination.read(manifestKey(hour));
  if (content === undefined) return { hour, manifest: undefined, problem: undefined };
  try {
    return { hour, manifest: readManifest(content, hour) };
  } catch (error) {
    if (error instanceof JobError) return { hour, manifest: undefined, problem: error };
    throw error;
  }
}

/**
 * Tells the hours of another project: one prefix holds one, which is the one that most hours name. Hours without a
 * project (empty ones) belong to any.
 */
export class Projects {
  readonly #hours = new Map<string, Hour[]>();

  add(hour: Hour, { project }: Manifest): void {
    if (project === null) return;
    const of = this.#hours.get(project);
    if (of === undefined) this.#hours.set(project, [hour]);
    else of.push(hour);
  }

  get #ranked(): [string, Hour[]][] {
    return [...this.#hours].sort((a, b) => b[1].length - a[1].length);
  }

  /** Undefined while no hour names one. */
  get owner(): string | undefined {
    return this.#ranked[0]?.[0];
  }

  get strangers(): Map<Hour, JobError> {
    const [, ...others] = this.#ranked;
    return new Map(
      others.flatMap(([project, hours]) =>
        hours.map((hour) => [hour, strangerError(hour, project, this.owner ?? '')] as const),
      ),
    );
  }
}

function strangerError(hour: Hour, project: string, owner: string): JobError {
  return new JobError(
    'MANIFEST_FOREIGN',
    `The manifest ${manifestKey(hour)} is of project ${project}, while this prefix holds project ${owner}.`,
    {
      hint: `Give each project a prefix of its own. Move that hour's files to the one of ${project}; then this hour is a gap, which the next export fills.`,
    },
  );
}
