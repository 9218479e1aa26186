import { givenTimes } from '../config/range.ts';
import type { Settings } from '../config/settings.ts';
import type { Destination, Requests } from '../destination/destination.ts';
import type { JobError } from '../errors.ts';
import { formatHour, type Hour, hourOf, hoursOf, readyEnd, type Window, windowOf } from '../hours.ts';
import { firstLanded, nothingLanded, sealedIn, unprovedIn } from '../landing/listing.ts';
import type { Manifest } from '../landing/manifest.ts';
import { Projects, readRecords } from '../landing/records.ts';
import { type Drop, dropsIn, isNews, readWeeksBefore } from './drops.ts';
import { type HourState, stateOf } from './state.ts';
import { type Stored, storedIn } from './stored.ts';

const DEFAULT_DAYS = 30;

/** The flags that say which hours `status` and `verify` look at. Each beats the variable of the same meaning. */
export interface RangeFlags {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly lookbackDays?: number | undefined;
  /** Also the hours before the first one that has landed. */
  readonly all?: boolean | undefined;
}

/** What has landed. Here and in the report, hours are written `2026-11-20T05`, ranges are end-exclusive, times are in UTC. */
export interface Status {
  readonly destination: string;
  readonly now: string;
  readonly range: { readonly start: string; readonly end: string };
  /** Null until an hour with events has been read. */
  readonly project: string | null;
  readonly hours: readonly HourStatus[];
  /** Manifests that prove nothing. */
  readonly problems: readonly {
    readonly hour: string;
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  }[];
  /** What looks wrong and is no gap, a sentence each. */
  readonly warnings: readonly string[];
  readonly requests: Requests;
  readonly withEvents: boolean;
  /** Where they were looked for. */
  readonly drops?: readonly Drop[];
}

export interface HourStatus {
  readonly hour: string;
  readonly state: HourState;
  /** In events/, by the listing. */
  readonly objects: number;
  readonly bytes: number;
  /** By the manifest; null where it was not read. */
  readonly events: number | null;
  readonly sealedAt: string | null;
  readonly quarantined?: number;
  readonly shrunk?: { readonly events: number; readonly at: string };
  readonly files?: readonly StoredFile[];
}

interface StoredFile {
  readonly key: string;
  readonly bytes: number;
  readonly modifiedAt: string;
  /** Null for an object that the manifest does not name. */
  readonly crc32: string | null;
}

export interface StatusOptions {
  readonly destination: Destination;
  readonly flags: RangeFlags;
  readonly settings: Pick<Settings, 'range' | 'settleHours'>;
  readonly now: Date;
  /** Whether manifests are read, with a request for each hour. Listings alone cost a few hundred requests for a year. */
  readonly withEvents: boolean;
  readonly withFiles: boolean;
  /** Looks for hours with less than this part of their usual events; needs `withEvents`. */
  readonly dropsBelow?: number | undefined;
  /** Called before the part that takes long, with the number of manifests to read. */
  readonly onReading: (manifests: number) => void;
}

/** Throws where the range cannot be read or the destination cannot be listed. */
export async function takeStatus(options: StatusOptions): Promise<Status> {
  const { destination, settings, now, withEvents, withFiles } = options;
  const { range, warnings } = await rangeToShow(options);
  const sealedAt = await sealedIn(range, destination);
  const nothing = sealedAt.size === 0 && (await firstLanded(destination)) === undefined;
  const stored = await storedIn([...sealedAt.keys()], destination, withFiles);
  // Manifests say it themselves.
  const marked = withEvents ? new Set<Hour>() : await unprovedIn(range, destination);
  const manifests = new Map<Hour, Manifest>();
  const problems = new Map<Hour, JobError>();
  const projects = new Projects();
  if (withEvents) {
    options.onReading(sealedAt.size);
    for await (const record of readRecords([...sealedAt.keys()], destination)) {
      const { hour, manifest } = record;
      if (manifest !== undefined) {
        projects.add(hour, manifest);
        // The listing has the objects. A year of them is not kept in memory.
        manifests.set(hour, withFiles ? manifest : { ...manifest, objects: [], quarantine: [] });
      } else if (record.problem !== undefined) problems.set(hour, record.problem);
      // A manifest that is gone by now: the hour is being replaced and has not landed.
      else sealedAt.delete(hour);
    }
    for (const [hour, problem] of projects.strangers) {
      manifests.delete(hour);
      problems.set(hour, problem);
    }
  }
  const drops = await dropsFound(options, { range, sealedAt, manifests, owner: projects.owner });
  const hours = hoursOf(range).map((hour): HourStatus => {
    const sealed = sealedAt.get(hour);
    const folder = sealed === undefined ? undefined : stored.get(hour);
    const manifest = manifests.get(hour);
    const known = {
      now,
      settleHours: settings.settleHours,
      sealedAt: sealed,
      stored: folder,
      manifest,
      isMarked: marked.has(hour),
    };
    return {
      hour: formatHour(hour),
      state: stateOf(hour, { ...known, unreadable: problems.has(hour) }),
      objects: folder?.objects ?? 0,
      bytes: folder?.bytes ?? 0,
      events: manifest?.events ?? null,
      sealedAt: sealed?.toISOString() ?? null,
      ...(manifest?.quarantined ? { quarantined: manifest.quarantined } : {}),
      ...(manifest?.shrunk ? { shrunk: manifest.shrunk } : {}),
      ...(withFiles ? { files: filesOf(folder, manifest) } : {}),
    };
  });
  return {
    destination: destination.name,
    now: now.toISOString(),
    range: { start: formatHour(range.start), end: formatHour(range.end) },
    project: projects.owner ?? null,
    hours,
    problems: [...problems]
      .sort(([a], [b]) => a - b)
      .map(([hour, { code, message, hint = null }]) => ({ hour: formatHour(hour), code, message, hint })),
    warnings: nothing ? [nothingLanded(destination)] : [...warnings, ...clockWarnings([...sealedAt.keys()], now)],
    requests: { ...destination.requests },
    withEvents,
    ...(drops === undefined ? {} : { drops }),
  };
}

/** Of a range that was asked for: in all of it. Else among the news: what nobody can mend must not alert for a month. */
async function dropsFound(
  { dropsBelow: ratio, destination, flags, settings, now }: StatusOptions,
  {
    range,
    sealedAt,
    manifests,
    owner,
  }: {
    readonly range: Window;
    readonly sealedAt: ReadonlyMap<Hour, Date>;
    readonly manifests: ReadonlyMap<Hour, Manifest>;
    readonly owner: string | undefined;
  },
): Promise<Drop[] | undefined> {
  if (ratio === undefined) return undefined;
  const { timezone: zone } = settings.range;
  const isGiven = (flags.start ?? flags.end) !== undefined;
  const judged = [...sealedAt].flatMap(([hour, sealed]) => (isGiven || isNews(sealed, now) ? [hour] : []));
  const events = new Map([...manifests].map(([hour, manifest]) => [hour, manifest.events]));
  await readWeeksBefore(judged, range, { events, zone, destination, owner });
  return dropsIn(judged, events, { ratio, zone });
}

async function rangeToShow(options: StatusOptions): Promise<{ range: Window; warnings: string[] }> {
  const { destination, flags, settings, now } = options;
  const given = givenTimes(flags, settings.range);
  const end = given.end ?? hourOf(now) + 1;
  const range = windowOf(given.start ?? end - (flags.lookbackDays ?? DEFAULT_DAYS) * 24, end);
  if (given.start !== undefined || flags.all === true) return { range, warnings: [] };
  // Hours before the first landed one are no gaps: nobody asked for them.
  const first = (await firstLanded(destination)) ?? range.start;
  if (first < end) return { range: { start: Math.max(first, range.start), end }, warnings: [] };
  const warning = `Nothing has landed before ${formatHour(end)}; the first hour is ${formatHour(first)}. --all shows the rest.`;
  return { range: { start: end, end }, warnings: [warning] };
}

function filesOf(stored: Stored | undefined, manifest: Manifest | undefined): StoredFile[] {
  const named = [...(manifest?.objects ?? []), ...(manifest?.quarantine ?? [])];
  const crcs = new Map(named.map(({ key, crc32 }) => [key, crc32]));
  return (stored?.files ?? []).map(({ key, bytes, modifiedAt }) => ({
    key,
    bytes,
    modifiedAt: modifiedAt.toISOString(),
    crc32: crcs.get(key) ?? null,
  }));
}

function clockWarnings(sealed: readonly Hour[], now: Date): string[] {
  const early = sealed.find((hour) => hour >= readyEnd(now));
  if (early === undefined) return [];
  return [
    `${formatHour(early)} has landed, but by this machine's clock (${now.toISOString()}) Amplitude does not serve it yet. One of the clocks is wrong: this one, or the one where it was exported.`,
  ];
}
