import type { Hour } from '../hours.ts';
import { hourNamed } from './keys.ts';

/** What the name of a local file says, by Amplitude's naming: `<project>_2026-11-20_5#0.json`, also `.json.gz`. */
export interface LocalName {
  readonly project: string;
  readonly hour: Hour;
  readonly part: number;
  readonly gzip: boolean;
  /** One for all spellings of a member: scripts pad the hour, unpack the file, or put it in another folder. */
  readonly member: string;
}

const NAME = /^(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})#(\d{1,6})\.json(\.gz)?$/;

/** Reads the last part of a path; undefined for a name that no export file has. */
export function readLocalName(path: string): LocalName | undefined {
  const [, project = '', date = '', hh, part, gz] = NAME.exec(path.slice(path.lastIndexOf('/') + 1)) ?? [];
  const hour = hourNamed(date, hh);
  if (hour === undefined) return undefined;
  const member = `${project}_${date}_${Number(hh)}#${Number(part)}`;
  return { project, hour, part: Number(part), gzip: gz !== undefined, member };
}
