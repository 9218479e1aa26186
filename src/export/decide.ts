import type { Examined } from '../archive/inflate.ts';
import type { OutputFormat } from '../config/settings.ts';
import { crcHex, type LandedObject, type Manifest, type QuarantinedObject } from '../landing/manifest.ts';

/**
 * What a run may do to an hour that has landed. `export` never makes it less. `force` takes a smaller answer, `force-empty`
 * also none. `repair` writes every object anew and never makes the hour less than its manifest says.
 */
export type Mode = 'export' | 'force' | 'force-empty' | 'repair';

export interface LandedMember {
  readonly object: LandedObject;
  readonly quarantine: QuarantinedObject | undefined;
}

/** What an answer says of a member, as far as an hour that has landed is compared with it. */
export interface MemberFacts {
  readonly name: string;
  readonly source: { readonly bytes: number; readonly crc32: string };
  readonly events: number;
  readonly badLines: number;
}

export function factsExamined(name: string, { source, events, bad }: Examined): MemberFacts {
  return { name, source: { bytes: source.bytes, crc32: crcHex(source.crc32) }, events, badLines: bad.length };
}

export function factsLanded({ object, quarantine }: LandedMember): MemberFacts {
  return { name: object.member, source: object.source, events: object.events, badLines: quarantine?.lines ?? 0 };
}

export type Decision =
  /** `kept`: members, by name, whose objects the new manifest names as they are. The others are written. */
  | { readonly kind: 'land'; readonly kept: ReadonlyMap<string, LandedMember> }
  /** The answer is what has landed. */
  | { readonly kind: 'unchanged' }
  /** The answer is smaller. The landing stays, its manifest tells of it. */
  | { readonly kind: 'shrunk'; readonly events: number }
  /** The answer is smaller, and a repair by it would lose events. */
  | { readonly kind: 'refuse' };

/** What becomes of an hour, by the manifest that stands and the members of a new answer. */
export function decide(
  old: Manifest | undefined,
  members: readonly MemberFacts[],
  { mode, format }: { readonly mode: Mode; readonly format: OutputFormat },
): Decision {
  if (old === undefined) return { kind: 'land', kept: new Map() };
  const events = members.reduce((total, member) => total + member.events, 0);
  const lacking = lacks(old, members);
  if (lacking || events < old.events) {
    if (mode === 'repair' && !holdsAllOf(old, members)) return { kind: 'refuse' };
    const nothing = events === 0 && old.events > 0;
    const takes = mode === 'repair' || mode === 'force-empty' || (mode === 'force' && !nothing);
    if (!takes) return { kind: 'shrunk', events };
  }
  if (mode === 'repair') return { kind: 'land', kept: new Map() };

  const kept = new Map<string, LandedMember>();
  for (const member of members) {
    const landed = landedAlike(old, member, format);
    if (landed !== undefined) kept.set(member.name, landed);
  }
  return lacking || kept.size < members.length ? { kind: 'land', kept } : { kind: 'unchanged' };
}

function lacks(old: Manifest, members: readonly MemberFacts[]): boolean {
  const names = new Set(members.map(({ name }) => name));
  return old.objects.some(({ member }) => !names.has(member));
}

/** Whether the answer has every member that landed, byte for byte; then a manifest that counts more events is wrong. */
function holdsAllOf(old: Manifest, members: readonly MemberFacts[]): boolean {
  return old.objects.every(({ member, source }) => {
    const found = members.find(({ name }) => name === member)?.source;
    return found?.bytes === source.bytes && found.crc32 === source.crc32;
  });
}

/** How the manifest names a member, if it would be stored the same way today. */
function landedAlike(old: Manifest, member: MemberFacts, format: OutputFormat): LandedMember | undefined {
  const object = old.objects.find((one) => one.member === member.name);
  const quarantine = old.quarantine.find((one) => one.member === member.name);
  const alike =
    object?.key.endsWith(format === 'gzip' ? '.json.gz' : '.json') === true &&
    object.source.bytes === member.source.bytes &&
    object.source.crc32 === member.source.crc32 &&
    object.events === member.events &&
    (quarantine?.lines ?? 0) === member.badLines;
  return alike ? { object, quarantine } : undefined;
}
