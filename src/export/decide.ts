import type { OutputFormat } from '../config/settings.ts';
import type { LandedObject, Manifest, QuarantinedObject } from '../landing/manifest.ts';

/**
 * What a run may do to an hour that has landed. `export` never makes it smaller. `force` takes a smaller answer,
 * `force-empty` also an answer without data. `repair` writes every object again and never makes the hour smaller.
 */
export type Mode = 'export' | 'force' | 'force-empty' | 'repair';

/** What an answer says of one member, as far as it is compared with what has landed. */
export interface MemberFacts {
  readonly name: string;
  readonly source: { readonly bytes: number; readonly crc32: string };
  readonly events: number;
  readonly badLines: number;
}

/** The object of a member, and the object of its bad lines. */
export interface LandedMember {
  readonly object: LandedObject;
  readonly quarantine: QuarantinedObject | undefined;
}

export type Decision =
  /** The answer lands. The objects of the members in `kept` stay; the others are written. */
  | { readonly kind: 'land'; readonly kept: ReadonlyMap<string, LandedMember> }
  /** The answer is what has landed. */
  | { readonly kind: 'unchanged'; readonly old: Manifest }
  /** The answer is smaller. The landing stays, and its manifest says so. */
  | { readonly kind: 'shrunk'; readonly old: Manifest; readonly events: number }
  /** The answer is smaller, and a repair with it would lose events. */
  | { readonly kind: 'refuse' };

/** Decides what becomes of an hour: `old` is the manifest that stands, `members` is the new answer. */
export function decide(
  old: Manifest | undefined,
  members: readonly MemberFacts[],
  { mode, format }: { readonly mode: Mode; readonly format: OutputFormat },
): Decision {
  if (old === undefined) return { kind: 'land', kept: new Map() };
  const events = members.reduce((total, member) => total + member.events, 0);
  const names = new Set(members.map(({ name }) => name));
  const lacksMembers = old.objects.some(({ member }) => !names.has(member));
  const isSmaller = lacksMembers || events < old.events;
  if (mode === 'repair') {
    return isSmaller && !holdsAllOf(old, members) ? { kind: 'refuse' } : { kind: 'land', kept: new Map() };
  }
  const takesSmaller = mode === 'force-empty' || (mode === 'force' && events > 0);
  if (isSmaller && !takesSmaller) return { kind: 'shrunk', old, events };

  const kept = new Map<string, LandedMember>();
  for (const member of members) {
    const landed = landedAlike(old, member, format);
    if (landed !== undefined) kept.set(member.name, landed);
  }
  return lacksMembers || kept.size < members.length ? { kind: 'land', kept } : { kind: 'unchanged', old };
}

/** Whether the answer has every member that landed, byte for byte. Then a manifest that counts more events is wrong. */
function holdsAllOf(old: Manifest, members: readonly MemberFacts[]): boolean {
  return old.objects.every(({ member, source }) =>
    members.some(
      ({ name, source: now }) => name === member && now.bytes === source.bytes && now.crc32 === source.crc32,
    ),
  );
}

/** What the old manifest names for a member, if the member would be stored the same way today. */
function landedAlike(old: Manifest, member: MemberFacts, format: OutputFormat): LandedMember | undefined {
  const object = old.objects.find((one) => one.member === member.name);
  const quarantine = old.quarantine.find((one) => one.member === member.name);
  const isAlike =
    object?.key.endsWith(format === 'gzip' ? '.json.gz' : '.json') === true &&
    object.source.bytes === member.source.bytes &&
    object.source.crc32 === member.source.crc32 &&
    object.events === member.events &&
    (quarantine?.lines ?? 0) === member.badLines;
  return isAlike ? { object, quarantine } : undefined;
}
