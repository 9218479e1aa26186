import type { Hour } from '../hours.ts';
import { hourNamed, hourOfUnprovedKey, readKey } from '../landing/keys.ts';
import { readLocalName } from '../landing/local-name.ts';
import { hourOfManifestKey } from '../landing/manifest.ts';

/** Amplitude's merged IDs are a landing of their own, below this folder of the destination. */
export const MERGED_IDS = 'merged_ids/';

/** The folders of a landing. */
export const FOLDERS = ['events/', 'manifests/', 'quarantine/', 'unproved/', MERGED_IDS];

/** A landing has two branches: that of events, and below it that of merged IDs, which is a landing of its own. */
export type Branch = 'events' | 'mergedIds';

/** The folder of a branch, below the destination or the source. */
export function folderOf(branch: Branch): string {
  return branch === 'mergedIds' ? MERGED_IDS : '';
}

/** What the key of a file says of it. `landed` is what a manifest of this program names, or a mark of its own. */
export type SourceName =
  | {
      readonly kind: 'file';
      readonly branch: Branch;
      /** The number of the project; for merged IDs that of the organization. */
      readonly project: string;
      readonly hour: Hour;
      readonly part: number;
      readonly isPlain: boolean;
    }
  | { readonly kind: 'mark'; readonly project: string; readonly hour: Hour }
  | { readonly kind: 'manifest'; readonly branch: Branch; readonly hour: Hour }
  | { readonly kind: 'landed' }
  /** Where the name begins as that of an export file does, it may be one of the hour under another name. */
  | { readonly kind: 'unknown'; readonly project?: string; readonly hour?: Hour };

const MARK = /^(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})_complete$/;
const BEGINS = /^(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})(?!\d)/;
const MERGED = /^-(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})\.json(\.gz)?$/;

/**
 * Reads a key below SOURCE. Only the last part counts, but for a landing of this program. Amplitude documents the names of
 * its S3 export: `<project>_2026-11-20_5#0.json.gz`, an empty `…_complete` for a whole hour, and `-<organization>_…` for
 * merged IDs.
 */
export function readSourceName(key: string): SourceName {
  const isMerged = key.startsWith(MERGED_IDS);
  const branch = isMerged ? 'mergedIds' : 'events';
  const own = isMerged ? key.slice(MERGED_IDS.length) : key;
  const sealed = hourOfManifestKey(own);
  if (sealed !== undefined) return { kind: 'manifest', branch, hour: sealed };
  if (readKey(own) !== undefined || hourOfUnprovedKey(own) !== undefined) return { kind: 'landed' };

  const local = readLocalName(key);
  if (local !== undefined) {
    const { project, hour, part, gzip } = local;
    return { kind: 'file', branch: 'events', project, hour, part, isPlain: !gzip };
  }
  const name = key.slice(key.lastIndexOf('/') + 1);
  const [, project = '', date, hh] = MARK.exec(name) ?? [];
  const marked = hourNamed(date, hh);
  if (marked !== undefined) return { kind: 'mark', project, hour: marked };
  const [, organization = '', day, h, gz] = MERGED.exec(name) ?? [];
  const hour = hourNamed(day, h);
  if (hour === undefined) return strayName(name);
  return { kind: 'file', branch: 'mergedIds', project: organization, hour, part: 0, isPlain: gz === undefined };
}

function strayName(name: string): SourceName {
  const [, project = '', date, hh] = BEGINS.exec(name) ?? [];
  const hour = hourNamed(date, hh);
  return hour === undefined ? { kind: 'unknown' } : { kind: 'unknown', project, hour };
}

/** As Amplitude names the file in its archives: so an hour that is exported later compares by content. */
export function memberName(branch: Branch, project: string, hour: string, part: number): string {
  const [date = '', hh] = hour.split('T');
  const stem = `${date}_${Number(hh)}`;
  return branch === 'events'
    ? `${project}/${project}_${stem}#${part}.json.gz`
    : `-${project}/-${project}_${stem}.json.gz`;
}
