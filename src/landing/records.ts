import PQueue from 'p-queue';
import type { Destination, Standing } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import type { Hour } from '../hours.ts';
import { type Manifest, manifestKey, readManifest } from './manifest.ts';

/** What came of reading the manifest of an hour. Without manifest and problem, there was none. */
export interface HourRecord {
  readonly hour: Hour;
  readonly manifest: Manifest | undefined;
  readonly problem: JobError | undefined;
}

/** Manifests are small: what counts is the way there and back, so a run asks for many at once. */
const READS_AT_ONCE = 64;

/** One for the process: each read takes a connection or an open file. */
const reads = new PQueue({ concurrency: READS_AT_ONCE });

/** The manifest of an hour as it stands. Any number of hours may be asked for at once. */
export async function readStanding(hour: Hour, destination: Destination): Promise<Standing | undefined> {
  return await reads.add(() => destination.standing(manifestKey(hour)));
}

/** The manifests of `hours`, in their order. Throws where the destination cannot be read. */
export async function* readRecords(hours: Iterable<Hour>, destination: Destination): AsyncGenerator<HourRecord> {
  const ahead: Promise<HourRecord>[] = [];
  for (const hour of hours) {
    const record = readRecord(hour, destination);
    // The reader that awaits it gets the failure. Until then an unhandled rejection would end the process.
    record.catch(() => undefined);
    ahead.push(record);
    if (ahead.length >= READS_AT_ONCE) yield (await ahead.shift()) as HourRecord;
  }
  for (const record of ahead) yield await record;
}

export async function readRecord(hour: Hour, destination: Destination): Promise<HourRecord> {
  const content = await reads.add(() => destination.read(manifestKey(hour)));
  if (content === undefined) return { hour, manifest: undefined, problem: undefined };
  try {
    return { hour, manifest: readManifest(content, hour), problem: undefined };
  } catch (error) {
    if (error instanceof JobError) return { hour, manifest: undefined, problem: error };
    throw error;
  }
}

/** Finds the hours of other projects: a prefix belongs to the one that most hours name. Empty hours may name none. */
export class Projects {
  readonly #projects = new Map<Hour, string>();

  add(hour: Hour, { project }: Manifest): void {
    if (project !== null) this.#projects.set(hour, project);
  }

  /** Undefined while no hour names one. */
  get owner(): string | undefined {
    const mentions = Map.groupBy(this.#projects.values(), (project) => project);
    return [...mentions].sort(([, some], [, others]) => others.length - some.length)[0]?.[0];
  }

  get strangers(): Map<Hour, JobError> {
    const { owner } = this;
    const others = [...this.#projects].filter(([, project]) => project !== owner);
    return new Map(others.map(([hour, project]) => [hour, strangerError(hour, project, owner ?? '')]));
  }
}

function strangerError(hour: Hour, project: string, owner: string): JobError {
  return new JobError(
    'MANIFEST_FOREIGN',
    `The manifest ${manifestKey(hour)} is of project ${project}, while this prefix holds project ${owner}.`,
    {
      hint: `Give each project a prefix of its own. Move that hour's files to the prefix of ${project}: then the hour is a gap here, and the next export fills it.`,
    },
  );
}
