import type { OutputFormat } from '../config/settings.ts';
import { formatHour, type Hour, hourFolder, readHour } from '../hours.ts';

/** What a key under events/ or quarantine/ says of the object that it names. */
export interface ObjectName {
  readonly project: string;
  readonly hour: Hour;
  readonly part: number;
  /** The generation of the manifest that the object was written for. */
  readonly generation: number;
  /** CRC-32 of the object as stored, eight hexadecimal digits. */
  readonly crc32: string;
}

/** How the keys of a format end. */
export const ENDINGS: Record<OutputFormat, string> = { json: '.json', gzip: '.json.gz' };

/** `events/date=2026-11-20/hour=05/100011471_2026-11-20T05_0.1.9f1c22ab.json`, with `.gz` in the gzip format. */
export function eventsKey(name: ObjectName, format: OutputFormat): string {
  return `events/${fileOf(name)}${ENDINGS[format]}`;
}

/** `quarantine/date=2026-11-20/hour=05/100011471_2026-11-20T05_0.1.5b21d0c4.jsonl` */
export function quarantineKey(name: ObjectName): string {
  return `quarantine/${fileOf(name)}.jsonl`;
}

function fileOf({ project, hour, part, generation, crc32 }: ObjectName): string {
  return `${hourFolder(hour)}/${project}_${formatHour(hour)}_${part}.${generation}.${crc32}`;
}

const FOLDER = /^(?:events|quarantine)\/date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\//;
const FILE = /^(\d+)_(\d{4}-\d{2}-\d{2}T\d{2})_(\d{1,6})\.(\d{1,9})\.([0-9a-f]{8})\.json(?:\.gz|l)?$/;

/** The hour whose folder a key is in; undefined for a key of another shape. */
export function hourOfKey(key: string): Hour | undefined {
  const match = FOLDER.exec(key);
  return match === null ? undefined : hourNamed(match[1], match[2]);
}

/** The opposite of eventsKey and quarantineKey; undefined for a key that this program did not write. */
export function readKey(key: string): ObjectName | undefined {
  const hour = hourOfKey(key);
  const match = FILE.exec(key.slice(key.lastIndexOf('/') + 1));
  if (hour === undefined || match === null || key.split('/').length !== 4) return undefined;
  const [, project = '', time, part, generation, crc32 = ''] = match;
  if (time !== formatHour(hour)) return undefined;
  return { project, hour, part: Number(part), generation: Number(generation), crc32 };
}

export const UNPROVED = 'unproved/';

/** `unproved/date=2026-11-20/hour=05`: a mark beside the manifest of an unproved hour, so that a listing finds it. */
export function unprovedKey(hour: Hour): string {
  return UNPROVED + hourFolder(hour);
}

/** The hour of such a mark; undefined for any other key. */
export function hourOfUnprovedKey(key: string): Hour | undefined {
  const match = /^unproved\/date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})$/.exec(key);
  return match === null ? undefined : hourNamed(match[1], match[2]);
}

/** The hour of a date and an hour of the day in a name; undefined where there is no such hour. */
export function hourNamed(date = '', hh = ''): Hour | undefined {
  try {
    return readHour(`${date}T${hh.padStart(2, '0')}`);
  } catch {
    return undefined;
  }
}
