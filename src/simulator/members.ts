import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createGzip, gzip } from 'node:zlib';
import { type Hour, startOf } from '../hours.ts';
import { linesOf, type Part } from './events.ts';
import type { HourFault } from './faults.ts';
import { type GzipOptions, gzipMember, gzipRepeated } from './gzip.ts';
import { rewriteLines } from './lines.ts';
import { memberName, partsOf, stemOf, type Traffic } from './traffic.ts';
import type { ZipEntry } from './zip.ts';

/** Above this many events, about 10 MB, a member is streamed instead of being held as a whole. */
const MOST_EVENTS_IN_MEMORY = 5000;
const BOMB_LINE_BYTES = 256 * 1024;
const BOMB_LINES = 4096;
const LARGE_MEMBER_BYTES = 500_000_000;
const PADDING_BYTES = 512;
const NO_FAULTS: ReadonlySet<HourFault> = new Set();

/** Where an archive's entries come from. */
export interface Source extends Traffic {
  readonly gzipLevel: number;
}

/** The entries for `hour`, with its faults. `windowStart` is the first hour of the request. */
export function entriesOfHour(
  source: Source,
  hour: Hour,
  windowStart: Hour,
  faults: ReadonlySet<HourFault> = NO_FAULTS,
): ZipEntry[] {
  if (faults.has('empty-hour')) return [];
  const parts = partsOf(source, hour);
  const shown = faults.has('missing-member') ? parts.slice(0, -1) : parts;
  const [first, ...others] = shown;
  const clean = (part: Part, name = memberName(part)): ZipEntry => ({
    name,
    data: () => compressed(part, source.gzipLevel),
    modified: startOf(hour + 1),
  });
  return [
    ...(first === undefined ? [] : [firstEntry(source, first, clean(first), faults)]),
    ...others.map((part) => clean(part)),
    ...extraEntries(source, hour, windowStart, faults, parts.length, clean),
  ];
}

function extraEntries(
  { seed, project, eventsPerHour }: Source,
  hour: Hour,
  windowStart: Hour,
  faults: ReadonlySet<HourFault>,
  index: number,
  clean: (part: Part, name?: string) => ZipEntry,
): ZipEntry[] {
  const events = Math.max(1, Math.floor(eventsPerHour / 10));
  const extra = { seed, project, hour, index, events };
  const stranger = (BigInt(project) + 1n).toString();
  const entries: [HourFault, ZipEntry][] = [
    ['grown', clean(extra)],
    ['traversal', clean(extra, '../../evil.json.gz')],
    ['absolute', clean(extra, '/etc/evil.json.gz')],
    ['unparsable-name', clean(extra, `${project}/events.json.gz`)],
    ['duplicate-names', clean(extra, memberName({ ...extra, index: 0 }))],
    ['second-project', clean({ ...extra, project: stranger, index: 0 })],
    ['outside-window', clean({ ...extra, hour: windowStart - 1, index: 0 })],
    [
      'complete-marks',
      {
        name: `${project}/${stemOf(project, hour)}_complete`,
        data: Buffer.alloc(0),
      },
    ],
  ];
  return entries.filter(([name]) => faults.has(name)).map(([, entry]) => entry);
}

/** The member that line and member faults fall on. */
function firstEntry(
  { gzipLevel: level }: Source,
  part: Part,
  clean: ZipEntry,
  faults: ReadonlySet<HourFault>,
): ZipEntry {
  const name = faults.has('backslash') ? clean.name.toString().replace('/', '\\') : clean.name;
  if (faults.has('bomb')) return { ...clean, name, data: () => gzipRepeated(bombLine(), BOMB_LINES, 9) };
  if (faults.has('large-member')) return { ...clean, name, data: () => largeMember(part, level) };
  if (faults.has('zero-bytes-member')) return { ...clean, name, data: Buffer.alloc(0) };
  if (faults.size === 0) return clean;

  const lines = rewriteLines(Buffer.concat([...linesOf(part)]), faults);
  const json = faults.has('gzip-in-gzip') ? gzipMember(lines, { level }) : lines;
  const options: GzipOptions = {
    level,
    streams: faults.has('two-gzip-streams') ? 2 : 1,
    padding: faults.has('trailing-padding') ? PADDING_BYTES : 0,
    half: faults.has('half-gzip'),
  };
  if (!faults.has('flipped-byte')) return { ...clean, name, data: gzipMember(json, options) };
  return {
    ...clean,
    name,
    data: gzipMember(json, { ...options, flipped: true }),
    crc32: crc32(gzipMember(json, options)),
    method: 'stored',
  };
}

function compressed(part: Part, level: number): Promise<Buffer> | AsyncIterable<Buffer> {
  return part.events > MOST_EVENTS_IN_MEMORY
    ? pipeline(linesOf(part), createGzip({ level }), () => undefined)
    : promisify(gzip)(Buffer.concat([...linesOf(part)]), { level });
}

function largeMember(part: Part, level: number): Iterable<Buffer> {
  const block = Buffer.concat([...linesOf({ ...part, events: 2000 })]);
  return gzipRepeated(block, Math.ceil(LARGE_MEMBER_BYTES / block.length), level);
}

/** An event that is one long run of a letter: nothing else compresses a thousandfold. */
function bombLine(): Buffer {
  const [head, tail] = ['{"event_type":"bomb","event_properties":{"x":"', '"}}\n'];
  const run = 'x'.repeat(BOMB_LINE_BYTES - head.length - tail.length);
  return Buffer.from(head + run + tail);
}
