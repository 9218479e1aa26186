import type { Examined } from '../archive/inflate.ts';
import type { OutputFormat } from '../config.ts';
import { crcHex, type Manifest } from '../manifest.ts';
import { keysOf, type LandedMember, type NamedMember } from './member.ts';

export interface ExaminedMember extends NamedMember {
  readonly examined: Examined;
}

/** How a new answer for a sealed hour stands to its landing. */
export type Verdict =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'shrunk'; readonly events: number }
  /** `same`: members, by name, whose objects can stay as they are. */
  | { readonly kind: 'replace'; readonly events: number; readonly same: ReadonlyMap<string, LandedMember> };

export function eventsOf(members: readonly ExaminedMember[]): number {
  return members.reduce((total, { examined }) => total + examined.events, 0);
}

/** Whether the answer has every member that landed, byte for byte; then a manifest that counts more events is wrong. */
export function holdsAllOf(old: Manifest, members: readonly ExaminedMember[]): boolean {
  return old.objects.every(({ member: name, source }) => {
    const found = members.find(({ member }) => member.name === name)?.examined.source;
    return found?.bytes === source.bytes && crcHex(found.crc32) === source.crc32;
  });
}

/**
 * Holds the members of a new answer against the manifest. An answer that lacks a member or has fewer events never
 * replaces the landing, unless `force` says so; one that differs in a member's source, or would be stored otherwise, does.
 */
export function compare(
  old: Manifest,
  members: readonly ExaminedMember[],
  { format, force }: { format: OutputFormat; force: boolean },
): Verdict {
  const events = eventsOf(members);
  const names = new Set(members.map(({ member }) => member.name));
  const lacking = old.objects.some(({ member }) => !names.has(member));
  if (!force && (lacking || events < old.events)) return { kind: 'shrunk', events };

  const same = new Map<string, LandedMember>();
  for (const { member, name, examined } of members) {
    const keys = keysOf(name, format);
    const object = old.objects.find(({ key }) => key === keys.object);
    const quarantine = old.quarantine.find(({ key }) => key === keys.quarantine);
    const alike =
      object?.member === member.name &&
      object.source.bytes === examined.source.bytes &&
      object.source.crc32 === crcHex(examined.source.crc32) &&
      object.events === examined.events &&
      (quarantine?.lines ?? 0) === examined.bad.length;
    if (alike) same.set(member.name, { object, quarantine });
  }
  const changed = lacking || same.size < members.length;
  return changed ? { kind: 'replace', events, same } : { kind: 'unchanged' };
}
