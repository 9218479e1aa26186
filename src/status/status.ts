import { givenTimes } from '../config/range.ts';
import type { Settings } from '../config/settings.ts';
import type { Destination, Requests, StoredObject } from '../destination/destination.ts';
import type { JobError } from '../errors.ts';
import { formatHour, type Hour, hourOf, hoursOf, readyEnd, type Window, windowOf } from '../hours.ts';
import { firstLanded, nothingLanded, sealedIn } from '../landing/listing.ts';
import type { Manifest } from '../landing/manifest.ts';
import { Projects, readRecords } from '../landing/records.ts';
import { type HourState, stateOf } from './state.ts';
import { type Stored, storedIn } from './stored.ts';

const DEFAULT_DAYS = 30;

/** The flags that say of which hours `status` and `verify` speak. Each beats the variable of the same meaning. */
export interface RangeFlags {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly lookbackDays?: number | undefined;
  /** Also the hours before the first one that has landed. */
  readonly all?: boolean | undefined;
}

export interface HourStatus {
  readonly hour: Hour;
  readonly state: HourState;
  /** In events/, by the listing. */
  readonly objects: number;
  readonly bytes: number;
  readonly sealedAt: Date | undefined;
  /** By the manifest; undefined where it was not read. */
  readonly events: number | undefined;
  readonly quarantined: number | undefined;
  readonly shrunk: Manifest['shrunk'];
  readonly problem: JobError | undefined;
  readonly files: readonly StoredFile[];
}

export interface StoredFile extends StoredObject {
  /** As the manifest has it; undefined for an object that it does not name. */
  readonly crc32: string | undefined;
}

export interface Status {
  readonly destination: string;
  readonly now: Date;
  readonly range: Window;
  readonly project: string | undefined;
  readonly hours: readonly HourStatus[];
  readonly withEvents: boolean;
  /** What looks wrong and is no gap, a sentence each. */
  readonly warnings: readonly string[];
  readonly requests: Requests;
}

export interface StatusOptions {
  readonly destination: Destination;
  readonly flags: RangeFlags;
  readonly settings: Pick<Settings, 'range' | 'settleHours'>;
  readonly now: Date;
  /** Whether manifests are read, a request for each hour; listings alone cost a few hundred for a year. */
  readonly withEvents: boolean;
  readonly withFiles: boolean;
  /** Told before the part that takes long: how many manifests are to be read. */
  readonly onReading: (manifests: number) => void;
}

/** What has landed, hour by hour. Throws where the range cannot be read or the destination cannot be listed. */
export async function takeStatus(options: StatusOptions): Promise<Status> {
  const { destination, settings, now, withEvents, withFiles } = options;
  const { range, before } = await rangeToShow(options);
  const sealedAt = await sealedIn(range, destination);
  const nothing = sealedAt.size === 0 && (await firstLanded(destination)) === undefined;
  const stored = await storedIn(sealedAt.keys(), destination, withFiles);
  const manifests = new Map<Hour, Manifest | false>();
  const problems = new Map<Hour, JobError>();
  const projects = new Projects();
  if (withEvents) {
    options.onReading(sealedAt.size);
    for await (const record of readRecords([...sealedAt.keys()], destination)) {
      const { hour, manifest } = record;
      if (manifest !== undefined) {
        projects.add(hour, manifest);
        // The objects are told by the listing, and a year of them is not kept in memory.
        manifests.set(hour, withFiles ? manifest : { ...manifest, objects: [], quarantine: [] });
      } else if (record.problem !== undefined) {
        manifests.set(hour, false);
        problems.set(hour, record.problem);
      } else sealedAt.delete(hour);
    }
    for (const [hour, problem] of projects.strangers) {
      manifests.set(hour, false);
      problems.set(hour, problem);
    }
  }
  const hours = hoursOf(range).map((hour): HourStatus => {
    // A manifest that was gone by the time it was read: the hour is being replaced, what lies there is not landed.
    const of = sealedAt.has(hour) ? stored.get(hour) : undefined;
    const manifest = manifests.get(hour);
    const known = manifest === false ? undefined : manifest;
    return {
      hour,
      state: stateOf(hour, {
        now,
        settleHours: settings.settleHours,
        sealedAt: sealedAt.get(hour),
        stored: of,
        manifest,
      }),
      objects: of?.objects ?? 0,
      bytes: of?.bytes ?? 0,
      sealedAt: sealedAt.get(hour),
      events: known?.events,
      quarantined: known?.quarantined,
      shrunk: known?.shrunk,
      problem: problems.get(hour),
      files: filesOf(of, known),
    };
  });
  return {
    destination: destination.name,
    now,
    range,
    project: projects.owner,
    hours,
    withEvents,
    warnings: nothing ? [nothingLanded(destination)] : [...before, ...warningsOf(hours, now)],
    requests: { ...destination.requests },
  };
}

/** `before`: the warning of a range that ends before anything has landed. */
async function rangeToShow({
  destination,
  flags,
  settings,
  now,
}: StatusOptions): Promise<{ range: Window; before: string[] }> {
  const given = givenTimes(flags, settings.range);
  const end = given.end ?? hourOf(now) + 1;
  const days = flags.lookbackDays ?? DEFAULT_DAYS;
  const range = windowOf(given.start ?? end - days * 24, end);
  if (given.start !== undefined || flags.all === true) return { range, before: [] };
  // Whatever came before it was never to land. What is missing since, also before the range, is a gap.
  const first = (await firstLanded(destination)) ?? range.start;
  if (first < end) return { range: { start: Math.max(first, range.start), end }, before: [] };
  const told = `Nothing has landed before ${formatHour(end)}; the first hour is ${formatHour(first)}. --all shows the rest.`;
  return { range: { start: end, end }, before: [told] };
}

function filesOf(stored: Stored | undefined, manifest: Manifest | undefined): StoredFile[] {
  const named = [...(manifest?.objects ?? []), ...(manifest?.quarantine ?? [])];
  const crcs = new Map(named.map(({ key, crc32 }) => [key, crc32]));
  return (stored?.files ?? []).map((file) => ({ ...file, crc32: crcs.get(file.key) }));
}

function warningsOf(hours: readonly HourStatus[], now: Date): string[] {
  const ready = readyEnd(now);
  const early = hours.filter(({ hour, sealedAt }) => sealedAt !== undefined && hour >= ready);
  const [first] = early;
  if (first === undefined) return [];
  return [
    `${formatHour(first.hour)} has landed, although by this machine's clock (${now.toISOString()}) Amplitude does not serve it yet: one of the clocks is wrong, here or where it was exported.`,
  ];
}
