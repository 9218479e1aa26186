import { type Hour, readHour } from '../hours.ts';
import type { Redact } from '../redaction.ts';
import { refused } from './archive.ts';

/** What a member's name says, by Amplitude's naming: `<project>/<project>_2026-11-20_5#0.json.gz`. */
export interface MemberName {
  readonly project: string;
  readonly hour: Hour;
  readonly part: number;
}

const NAME = /^(?:(\d+)\/)?(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})#(\d{1,6})\.json\.gz$/;

/**
 * Reads the name of a member. Undefined for the `_complete` marks that Amplitude may put beside them. Throws
 * ARCHIVE_REFUSED for any other name. `redact` sees a name before it is cut to be shown.
 */
export function readMemberName(name: string, redact: Redact = (text) => text): MemberName | undefined {
  const shown = JSON.stringify(redact(name).slice(0, 200));
  if (/^[/\\]|^[a-z]:/i.test(name) || name.includes('\\') || name.split('/').includes('..')) {
    throw refused(`the path of ${shown} leaves its folder`);
  }
  if (/(^|\/)[^/]*_complete$/.test(name)) return undefined;
  const match = NAME.exec(name);
  if (match === null) throw refused(`the name ${shown} cannot be read`);
  const [, folder, project = '', date = '', hh = '', part = ''] = match;
  if (folder !== undefined && folder !== project) throw refused(`the name ${shown} names two projects`);
  try {
    return { project, hour: readHour(`${date}T${hh.padStart(2, '0')}`), part: Number(part) };
  } catch {
    throw refused(`the name ${shown} names an hour that does not exist`);
  }
}
