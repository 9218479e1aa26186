import type { OutputFormat } from '../config/settings.ts';
import { ENDINGS } from '../landing/keys.ts';
import { crcHex, type LandedObject, type Manifest, type QuarantinedObject } from '../landing/manifest.ts';
import type { ExaminedMember, LandedMember } from './member.ts';

/**
 * What a run may do to an hour that has landed. `export` never makes it smaller. `force` takes a smaller answer,
 * `force-empty` also an answer without data. `repair` writes every object again and never makes the hour smaller.
 * `adopt` only adds files to an hour that nothing proves to be whole.
 */
export type Mode = 'export' | 'force' | 'force-empty' | 'repair' | 'adopt';

export type Decision =
  /** The answer lands. The objects of the members in `kept` stay; the others are written. */
  | { readonly kind: 'land'; readonly kept: ReadonlyMap<string, LandedMember> }
  /** The answer is what has landed. */
  | { readonly kind: 'unchanged'; readonly old: Manifest }
  /** The answer is smaller. The landing stays, and its manifest says so. */
  | { readonly kind: 'shrunk'; readonly old: Manifest; readonly events: number }
  /** What has landed stays: a repair would lose events, or files to adopt have other content. */
  | { readonly kind: 'refuse' };

/** Decides what becomes of an hour: `old` is the manifest that stands, `examined` is the new answer. */
export function decide(
  old: Manifest | undefined,
  examined: readonly ExaminedMember[],
  { mode, format }: { readonly mode: Mode; readonly format: OutputFormat },
): Decision {
  if (old === undefined) return { kind: 'land', kept: new Map() };
  const events = examined.reduce((total, one) => total + one.examined.events, 0);
  const names = new Set(examined.map(({ member }) => member.name));
  // By name: an hour may have 50,000 members.
  const objects = Map.groupBy(old.objects, ({ member }) => member);
  const quarantines = new Map(old.quarantine.map((object) => [object.member, object]));
  const landedOf = (one: ExaminedMember) => objects.get(one.member.name)?.find((object) => isSource(object, one));
  const lacksMembers = old.objects.some(({ member }) => !names.has(member));
  // Amplitude's own S3 export may cut an hour into other files than the Export API does: there only events count.
  const isSmaller = (lacksMembers && old.source === undefined) || events < old.events;
  const sources = new Set(examined.map(landedOf));
  const isThere = old.objects.every((object) => sources.has(object));
  if (mode === 'adopt') {
    if (!lacksMembers && !sources.has(undefined)) return { kind: 'unchanged', old };
    // More files of an hour that was adopted land: the source was being filled.
    if (!isThere || old.source === undefined) return { kind: 'refuse' };
  } else if (mode === 'repair') {
    // An answer with every member that landed is whole. Then a manifest that counts more events is wrong.
    return isSmaller && !isThere ? { kind: 'refuse' } : { kind: 'land', kept: new Map() };
  } else {
    const takesSmaller = mode === 'force-empty' || (mode === 'force' && events > 0);
    if (isSmaller && !takesSmaller) return { kind: 'shrunk', old, events };
  }
  const kept = new Map<string, LandedMember>();
  for (const one of examined) {
    const landed = landedAlike(one, landedOf(one), quarantines.get(one.member.name), format);
    if (landed !== undefined) kept.set(one.member.name, landed);
  }
  return lacksMembers || kept.size < examined.length ? { kind: 'land', kept } : { kind: 'unchanged', old };
}

/** What the old manifest names for a member, if the member would be stored the same way today. */
function landedAlike(
  one: ExaminedMember,
  object: LandedObject | undefined,
  quarantine: QuarantinedObject | undefined,
  format: OutputFormat,
): LandedMember | undefined {
  const isAlike =
    object?.key.endsWith(ENDINGS[format]) === true &&
    object.events === one.examined.events &&
    (quarantine?.lines ?? 0) === one.examined.bad.length;
  return isAlike ? { object, quarantine } : undefined;
}

/** Whether an object came from this member, byte for byte. */
function isSource({ member: name, source: landed }: LandedObject, { member, examined }: ExaminedMember): boolean {
  const { bytes, crc32 } = examined.source;
  return name === member.name && landed.bytes === bytes && landed.crc32 === crcHex(crc32);
}
