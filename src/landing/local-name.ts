import { type Hour, readHour } from '../hours.ts';

/** What Amplitude's name of a file says: `<project>_2026-11-20_5#0.json`, also `.json.gz`. */
export interface LocalName {
  readonly project: string;
  readonly hour: Hour;
  readonly gzip: boolean;
  /** The same for every spelling of a member: scripts pad the hour, unpack the file, or move it to another folder. */
  readonly member: string;
}

const NAME = /^(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})#(\d{1,6})\.json(\.gz)?$/;

/** Reads the last part of a path. Undefined: it is not the name of an export file. */
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
