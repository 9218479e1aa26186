import { examine } from '../archive/inflate.ts';
import type { OutputFormat } from '../config/settings.ts';
import { type ErrorCode, JobError } from '../errors.ts';
import { count } from '../format.ts';
import { formatHour, type Hour, isUnsettled, settledFrom } from '../hours.ts';
import { fillCommand } from '../landing/gaps.ts';
import { readKey } from '../landing/keys.ts';
import {
  isUnproved,
  landAgain,
  landedOtherwise,
  type Manifest,
  type Origin,
  readManifest,
} from '../landing/manifest.ts';
import { readStanding } from '../landing/records.ts';
import { type Read, reseal } from '../landing/reseal.ts';
import {
  type AdoptedMember,
  type Candidate,
  candidatesIn,
  contentOf,
  isSame,
  memberFor,
  Unreadable,
  type Way,
} from './file.ts';
import { type Proof, proofOf } from './proof.ts';
import type { SourceHour } from './source.ts';

/** Lands an hour by the path of an export. */
export type Land = (
  hour: Hour,
  members: readonly AdoptedMember[],
  origin: Origin,
  isSealed: boolean,
) => Promise<Landed>;

/** What there is of an hour that has landed. */
export type Landed = Pick<Manifest, 'status' | 'events' | 'bytes' | 'quarantined'>;

export interface HourOptions extends Way {
  readonly land: Land;
  /** Take an hour as whole although nothing proves it. */
  readonly trust: boolean;
  readonly settleHours: number;
  readonly format: OutputFormat;
  readonly now: () => Date;
}

/** Why a file stays where it is. */
export type LeftCode = 'FOREIGN' | 'OVERLAP' | 'DIFFERS' | 'BROKEN' | 'UNREADABLE' | 'UNKNOWN';

export interface Left {
  /** Below SOURCE. */
  readonly file: string;
  readonly hour: string | null;
  readonly code: LeftCode;
  readonly reason: string;
}

export type Result =
  | { readonly kind: 'adopted'; readonly landed: Landed; readonly proof: Proof; readonly files: number }
  /** The same has landed before; `proved`: nothing proved it until now. */
  | { readonly kind: 'same' | 'proved' }
  | { readonly kind: 'left'; readonly left: readonly Left[]; readonly error: JobError };

/** What has landed of an hour, and when. */
interface Standing extends Read {
  readonly at: Date;
}

/** One hour of the source, with what its own manifest says. */
interface Given {
  readonly hour: Hour;
  readonly files: readonly Candidate[];
  readonly proof: Proof;
}

/**
 * Adopts one hour, or compares it with what has landed of it. Throws a JobError where the source or the destination fails;
 * what is wrong with the files themselves is in the result.
 */
export async function adoptHour(found: SourceHour, landedAt: Date | undefined, options: HourOptions): Promise<Result> {
  const given = await gather(found, options);
  const { hour, files } = given;
  const standing = landedAt !== undefined ? await readStanding(hour, options.destination) : undefined;
  try {
    if (standing !== undefined && landedAt !== undefined) {
      const old = { manifest: readManifest(standing.content, hour), version: standing.version, at: landedAt };
      return await compare(given, old, options);
    }
    return await land(given, options, false);
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    if (error.code === 'ADOPT_DIFFERS') return { kind: 'left', left: differing(files, hour), error };
    if (error instanceof Unreadable) return { kind: 'left', left: [leftUnread(error, hour)], error };
    if (OF_HOUR.includes(error.code)) return { kind: 'left', left: [], error };
    if (!OF_FILE.includes(error.code)) throw error;
    const left = await damaged(files, hour, options);
    const why = left[0]?.reason ?? error.message;
    return { kind: 'left', left, error: notAdopted('ADOPT_BROKEN', hour, `a file is damaged: ${why}`) };
  }
}

const OF_FILE: readonly ErrorCode[] = ['ARCHIVE_BROKEN', 'NOT_EVENTS'];

/** Errors that say nothing of other hours. */
const OF_HOUR: readonly ErrorCode[] = ['MANIFEST_UNREADABLE', 'MANIFEST_NEWER', 'HOUR_CONTESTED'];

/** Another run has sealed the hour meanwhile. */
function differing(files: readonly Candidate[], hour: Hour): Left[] {
  const reason = 'the hour has landed with other content';
  return files.map(({ key }) => ({ file: key, hour: formatHour(hour), code: 'DIFFERS', reason }));
}

/** The files of an hour and what proves it, by names and by the manifest of the source. */
export async function gather(found: SourceHour, options: HourOptions): Promise<Given> {
  const { source, branch, trust, settleHours, now } = options;
  const { hour, isMarked, hasStray, sealedAt } = found;
  const manifest = sealedAt === undefined ? undefined : await source.manifest(branch, hour);
  const files = [...(manifest === undefined ? [] : candidatesIn(manifest, options)), ...found.files];
  const sealed = manifest !== undefined && sealedAt !== undefined ? { manifest, at: sealedAt } : undefined;
  const parts = files.map(({ part }) => part);
  return {
    hour,
    files,
    proof: proofOf({ hour, parts, isMarked, hasStray, sealed }, { trust, settleHours, now: now() }),
  };
}

async function land({ hour, files, proof }: Given, options: HourOptions, isSealed: boolean): Promise<Result> {
  const chosen: Candidate[] = [];
  for (const same of Map.groupBy(files, ({ part }) => part).values()) {
    const left = await overlapping(same, hour, options);
    if (left.length > 0) {
      const names = same.map(({ key }) => key).join(' and ');
      return { kind: 'left', left, error: notAdopted('ADOPT_OVERLAP', hour, `${names} hold different content`) };
    }
    // As Amplitude made it, where there is a choice.
    chosen.push(same.find(({ isPlain }) => !isPlain) ?? (same[0] as Candidate));
  }
  chosen.sort((a, b) => a.part - b.part);
  const members = chosen.map((file) => memberFor(file, hour, options));
  const from = options.source.name;
  const landed = await options.land(hour, members, { source: { kind: 'adopted', from, proof } }, isSealed);
  return { kind: 'adopted', landed, proof, files: files.length };
}

/** The files of one part that do not hold the same content; none where all do. */
async function overlapping(same: readonly Candidate[], hour: Hour, way: Way): Promise<Left[]> {
  if (same.length < 2) return [];
  const contents = new Set<string>();
  for (const file of same) {
    const { bytes, crc32 } = await contentOf(file, hour, way);
    contents.add(`${bytes} ${crc32}`);
  }
  if (contents.size === 1) return [];
  const reason = 'another file of the same hour and part holds other content';
  return same.map(({ key }) => ({ file: key, hour: formatHour(hour), code: 'OVERLAP', reason }));
}

/**
 * Files that are missing in the source do not matter: what has landed is more. More files land where nothing proved that
 * the hour was whole: the source was being filled.
 */
async function compare(given: Given, standing: Standing, options: HourOptions): Promise<Result> {
  const { hour, files, proof } = given;
  const { manifest: old, at } = standing;
  const { settleHours } = options;
  const landed = new Map(old.objects.map((object) => [readKey(object.key)?.part, object]));
  const left: Left[] = [];
  let differs = false;
  for (const file of files) {
    const object = landed.get(file.part);
    const reason = object === undefined ? 'the hour has landed without it' : 'the hour has landed with other content';
    if (object !== undefined && (await isSame(file, hour, object.source, options))) continue;
    left.push({ file: file.key, hour: formatHour(hour), code: 'DIFFERS', reason });
    differs ||= object !== undefined;
  }
  const parts = new Set(files.map(({ part }) => part));
  const isWhole = old.objects.every(({ key }) => parts.has(readKey(key)?.part ?? -1));
  if (left.length > 0) {
    // What proved an hour contradicts a file more. Then a person has to say that it belongs to the hour.
    const mayGrow = options.trust || old.source?.proof === 'none' || old.source?.proof === 'trust';
    if (isWhole && old.source !== undefined && mayGrow && !differs) return await land(given, options, true);
    return { kind: 'left', left, error: differs ? landedOtherwise(hour) : landedWithout(hour, left.length, old) };
  }
  if (proof === 'none' || old.source === undefined || !isWhole) return { kind: 'same' };
  const now = options.now();
  // An export would ask once more for what was sealed early. Here the source has been looked at again.
  const isEarly = isUnsettled(hour, { sealed: at, now, settleHours }) && settledFrom(hour, settleHours) <= now;
  if (!isUnproved(old) && !isEarly) return { kind: 'same' };
  const source = { kind: 'adopted', from: options.source.name, proof } as const;
  const sealed = await reseal(hour, standing, source, options);
  return { kind: sealed !== undefined && isUnproved(old) ? 'proved' : 'same' };
}

/** An error says what is wrong with the first file. A person wants to know all of them. */
async function damaged(files: readonly Candidate[], hour: Hour, way: Way): Promise<Left[]> {
  const left: Left[] = [];
  for (const { landed: _, ...file } of files) {
    try {
      await examine({ ...memberFor(file, hour, way).member, name: file.key }, way);
    } catch (error) {
      if (!(error instanceof JobError) || error.endsRun) throw error;
      if (error instanceof Unreadable) {
        left.push(leftUnread(error, hour));
        continue;
      }
      const reason = 'why' in error ? String(error.why) : error.message.replace(/\.$/, '');
      left.push({ file: file.key, hour: formatHour(hour), code: 'BROKEN', reason });
    }
  }
  return left;
}

function landedWithout(hour: Hour, files: number, { source }: Manifest): JobError {
  const message = `${formatHour(hour)} has landed without ${count(files, 'file')} of the source. It stays.`;
  const force = `To compare it with Amplitude: \`${landAgain(hour)}\`.`;
  const hint = source === undefined ? force : `If they belong to it, adopt again with --trust. ${force}`;
  return new JobError('ADOPT_DIFFERS', message, { hint });
}

function leftUnread({ file, why }: Unreadable, hour: Hour): Left {
  return { file, hour: formatHour(hour), code: 'UNREADABLE', reason: why };
}

function notAdopted(code: 'ADOPT_BROKEN' | 'ADOPT_OVERLAP', hour: Hour, why: string): JobError {
  return new JobError(code, `${formatHour(hour)} is not adopted: ${why}.`, {
    hint: `Ask Amplitude for it: \`${fillCommand(formatHour(hour), formatHour(hour + 1))}\`. If Amplitude does not have it any more, take the wrong file away, then adopt again.`,
  });
}
