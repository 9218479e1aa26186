import { gunzipSync, gzipSync } from 'node:zlib';
import { formatHour, type Hour, hoursOf, readHour } from '../../../src/hours.ts';
import { meetFaults } from '../../../src/simulator/faults.ts';
import { entriesOfHour } from '../../../src/simulator/members.ts';
import { DEFAULTS, eventsOfHour, parseFault } from '../../../src/simulator/simulator.ts';
import { hourStem, type Traffic } from '../../../src/simulator/traffic.ts';

/** What lies in a source, by keys relative to it. Whoever wants another source deletes or sets some. */
export type Files = Map<string, Buffer>;

/** The simulator makes the same content from the same settings and faults. */
export interface Content extends Partial<Traffic> {
  /** Of one hour each: `bad-line@2026-11-20T05`. */
  readonly faults?: readonly string[];
}

/** The members that the simulator serves for an hour, byte for byte, by their names. */
export async function servedHour(hour: Hour, { faults = [], ...traffic }: Content = {}): Promise<Files> {
  const settings = { ...DEFAULTS, ...traffic };
  const filled = eventsOfHour(settings.seed, hour, settings.eventsPerHour).events > 0 ? [hour] : [];
  const met = meetFaults(faults.map(parseFault), { start: hour, end: hour + 1 }, filled, hour + 1);
  const entries = entriesOfHour(settings, hour, hour, new Set(met.map(({ name }) => name)));
  const members = entries.map(async ({ name, data }) => {
    const made = typeof data === 'function' ? await data() : data;
    return [String(name), Buffer.isBuffer(made) ? made : Buffer.concat(await Array.fromAsync(made))] as const;
  });
  return new Map(await Promise.all(members));
}

const range = { start: readHour('2026-03-04T13'), end: readHour('2026-03-04T19') };

/** Six hours of the simulator. `quiet`, the fourth, has no events, and several others have more than one part. */
export const SIX_HOURS = {
  traffic: { eventsPerHour: 40 },
  range,
  hours: hoursOf(range),
  quiet: readHour('2026-03-04T16'),
  filled: hoursOf(range).filter((hour) => hour !== readHour('2026-03-04T16')),
};

interface Place {
  /** In front of every key; ends with `/`. */
  readonly folder?: string;
}

/** Amplitude's own S3 export of `hours`: `100011471/100011471_2026-11-20_5#0.json.gz`, and a mark for each hour. */
export async function amplitudeLayout(
  hours: Iterable<Hour>,
  content: Content = {},
  { folder = '', marks = true }: Place & { readonly marks?: boolean } = {},
): Promise<Files> {
  const files: Files = new Map();
  for (const hour of hours) {
    for (const [name, bytes] of await servedHour(hour, content)) files.set(folder + name, bytes);
    if (marks) files.set(folder + markOf(hour, content), Buffer.alloc(0));
  }
  return files;
}

/** `100011471/100011471_2026-11-20_5_complete` */
export function markOf(hour: Hour, { project = DEFAULTS.project }: Content = {}): string {
  return `${project}/${hourStem(project, hour)}_complete`;
}

/** What scripts leave: one flat folder of `100011471_2026-11-20_05#0.json`, without marks. */
export async function pythonLayout(
  hours: Iterable<Hour>,
  content: Content = {},
  { folder = '', gzip = false, padded = true }: Place & { readonly gzip?: boolean; readonly padded?: boolean } = {},
): Promise<Files> {
  const files: Files = new Map();
  for (const hour of hours) {
    for (const [member, bytes] of await servedHour(hour, content)) {
      const name = member.slice(member.indexOf('/') + 1);
      const spelled = padded ? name.replace(/_(\d)#/, '_0$1#') : name;
      files.set(folder + (gzip ? spelled : spelled.replace(/\.gz$/, '')), gzip ? bytes : gunzipSync(bytes));
    }
  }
  return files;
}

/** The merged-ID files that Amplitude's own export puts beside the events: `-77/-77_2026-11-20_5.json.gz`. */
export function mergedIds(hours: Iterable<Hour>, { org = '77', lines = 2 } = {}, { folder = '' }: Place = {}): Files {
  const files: Files = new Map();
  for (const hour of hours) {
    const ids = Array.from(
      { length: lines },
      (_, nth) =>
        `{"scheduled_at":"${formatHour(hour).replace('T', ' ')}:00:00","amplitude_id":${hour}${nth},"merged_amplitude_id":9007199254740993}\n`,
    );
    files.set(`${folder}-${org}/-${hourStem(org, hour)}.json.gz`, gzipSync(ids.join('')));
  }
  return files;
}

/** The same events, compressed in another way: other bytes, the same content. */
export function repacked(gz: Buffer): Buffer {
  return gzipSync(gunzipSync(gz), { level: 1 });
}

/** One event more, so other content of a sound file. */
export function changed(gz: Buffer): Buffer {
  return gzipSync(Buffer.concat([gunzipSync(gz), Buffer.from('{"event_type":"added by hand"}\n')]));
}

/** One wrong bit in the middle of the compressed data. */
export function damaged(gz: Buffer): Buffer {
  const copy = Buffer.from(gz);
  const middle = copy.length >> 1;
  copy.writeUInt8(copy.readUInt8(middle) ^ 0x10, middle);
  return copy;
}
