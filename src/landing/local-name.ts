import { type Hour, readHour } from '../hours.ts';

/** What the name of a local file says, by Amplitude's naming: `<project>_2026-11-20_5#0.json`, also `.json.gz`. */
export interface LocalName {
  readonly project: string;
  readonly hour: Hour;
  readonly gzip: boolean;
  /** One for all spellings of a member: scripts pad the hour, unpack the file, or put it in another folder. */
  readonly member: string;
}

const NAME = /^(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})#(\d{1,6})\.json(\.gz)?$/;

/** Reads the last part of a path; undefined for what is no export file. */
export function readLocalName(path: string): LocalName | undefined {
  const match = NAME.exec(path.slice(path.lastIndexOf('/') + 1));
  if (match === null) return undefined;
  const [, project = '', date = '', hh = '', part = '', gz] = match;
  try {
    const hour = readHour(`${date}T${hh.padStart(2, '0')}`);
    return { project, hour, gzip: gz !== undefined, member: `${project}_${date}_${Number(hh)}#${Number(part)}` };
  } catch {
    return undefined;
  }
}
