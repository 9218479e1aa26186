import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createGzip, gzip } from 'node:zlib';
import { type Hour, startOf } from '../hours.ts';
import { linesOf, type Part } from './events.ts';
import type { FaultName } from './faults.ts';
import { gzipMember, gzipRepeated } from './gzip.ts';
import { hourStem, memberName, partsOf, type Traffic } from './traffic.ts';
import type { ZipEntry } from './zip.ts';

/** Above this many events, about 10 MB, a member is streamed instead of being held as a whole. */
const MOST_EVENTS_IN_MEMORY = 5000;
const BOMB_LINE_BYTES = 256 * 1024;
const BOMB_LINES = 4096;
const LARGE_MEMBER_BYTES = 500_000_000;

/** The entries for `hour`, with its faults. `windowStart` is the first hour of the request. */
export function entriesOfHour(
  source: Traffic & { readonly gzipLevel: number },
  hour: Hour,
  windowStart: Hour,
  faults: ReadonlySet<FaultName>,
): ZipEntry[] {
  if (faults.has('empty-hour')) return [];
  const { seed, project, eventsPerHour, gzipLevel } = source;
  const entry = (part: Part, name = memberName(part)): ZipEntry => ({
    name,
    data: () => compressed(part, gzipLevel),
    modified: startOf(hour + 1),
  });
  const parts = partsOf(source, hour);
  const members = parts.map((part, index) => ({
    ...entry(part),
    ...(index === 0 && firstOf(part, gzipLevel, faults)),
  }));
  if (faults.has('missing-member')) members.pop();

  const events = Math.max(1, Math.floor(eventsPerHour / 10));
  const extra = { seed, project, hour, index: parts.length, events };
  const stranger = (BigInt(project) + 1n).toString();
  const extras: readonly [FaultName, ZipEntry][] = [
    ['grown', entry(extra)],
    ['traversal', entry(extra, '../../evil.json.gz')],
    ['absolute', entry(extra, '/etc/evil.json.gz')],
    ['unparsable-name', entry(extra, `${project}/events.json.gz`)],
    ['duplicate-names', entry(extra, memberName({ ...extra, index: 0 }))],
    ['second-project', entry({ ...extra, project: stranger, index: 0 })],
    ['outside-window', entry({ ...extra, hour: windowStart - 1, index: 0 })],
    ['complete-marks', { name: `${project}/${hourStem(project, hour)}_complete`, data: Buffer.alloc(0) }],
  ];
  return [...members, ...extras.filter(([name]) => faults.has(name)).map(([, shown]) => shown)];
}

function compressed(part: Part, level: number): Promise<Buffer> | AsyncIterable<Buffer> {
  return part.events > MOST_EVENTS_IN_MEMORY
    ? pipeline(linesOf(part), createGzip({ level }), () => undefined)
    : promisify(gzip)(Buffer.concat([...linesOf(part)]), { level });
}

/** What faults change of the hour's first member. */
function firstOf(part: Part, level: number, faults: ReadonlySet<FaultName>): Partial<ZipEntry> {
  if (faults.size === 0) return {};
  const name = faults.has('backslash') ? { name: memberName(part).replace('/', '\\') } : {};
  if (faults.has('bomb')) return { ...name, data: () => gzipRepeated(bombLine(), BOMB_LINES, 9) };
  if (faults.has('large-member')) return { ...name, data: () => largeMember(part, level) };
  if (faults.has('zero-bytes-member')) return { ...name, data: Buffer.alloc(0) };

  const lines = rewriteLines(Buffer.concat([...linesOf(part)]), faults);
  const json = faults.has('gzip-in-gzip') ? gzipMember(lines, { level }) : lines;
  const form = {
    level,
    streams: faults.has('two-gzip-streams') ? 2 : 1,
    padding: faults.has('trailing-padding') ? 512 : 0,
    half: faults.has('half-gzip'),
  };
  const whole = gzipMember(json, form);
  if (!faults.has('flipped-byte')) return { ...name, data: whole };
  return { ...name, data: gzipMember(json, { ...form, flipped: true }), crc32: crc32(whole), method: 'stored' };
}

function largeMember(part: Part, level: number): Iterable<Buffer> {
  const block = Buffer.concat([...linesOf({ ...part, events: 2000 })]);
  return gzipRepeated(block, Math.ceil(LARGE_MEMBER_BYTES / block.length), level);
}

/** An event that is one long run of a letter: nothing else compresses a thousandfold. */
function bombLine(): Buffer {
  const [head, tail] = ['{"event_type":"bomb","event_properties":{"x":"', '"}}\n'];
  return Buffer.from(`${head}${'x'.repeat(BOMB_LINE_BYTES - head.length - tail.length)}${tail}`);
}

type Rewrite = (text: string) => string;

function onLines(rewrite: (lines: string[], middle: number) => string[]): Rewrite {
  return (text) => {
    const lines = text.split('\n').slice(0, -1);
    return rewrite(lines, Math.floor(lines.length / 2))
      .map((line) => `${line}\n`)
      .join('');
  };
}

/** Adds `field` to the event in the middle, so that the number of events stays. */
function inMiddleEvent(field: string): Rewrite {
  return onLines((lines, middle) => lines.with(middle, `{${field},${lines[middle]?.slice(1)}`));
}

/** What line faults make of a member's text, in the order in which they are applied. */
const REWRITES: Partial<Record<FaultName, Rewrite>> = {
  shrunk: onLines((lines, middle) => lines.slice(0, middle)),
  'bad-line': onLines((lines, middle) => lines.toSpliced(middle, 0, (lines[middle] ?? '{').slice(0, 24))),
  'bad-json': onLines((lines, middle) => lines.toSpliced(middle, 0, '{"event_type":"cut off","event_properties":}')),
  'blank-lines': onLines((lines, middle) => ['', ...lines.slice(0, middle), '', ' \t', ...lines.slice(middle), '']),
  'long-line': inMiddleEvent(`"padding":"${'x'.repeat(1_000_000)}"`),
  'line-separator': inMiddleEvent('"separators":"a\u2028b\u2029c\u0085d"'),
  'json-array': onLines((lines) => [`[${lines.join(',')}]`]),
  'empty-member': () => '',
  crlf: (text) => text.replaceAll('\n', '\r\n'),
  'no-last-newline': (text) => text.replace(/\r?\n$/, ''),
  bom: (text) => `\uFEFF${text}`,
};

/** `json` with the given faults in its lines. Other faults change nothing here. */
export function rewriteLines(json: Buffer, faults: ReadonlySet<FaultName>): Buffer {
  let text = json.toString();
  for (const [name, rewrite] of Object.entries(REWRITES)) if (faults.has(name as FaultName)) text = rewrite(text);
  return faults.has('utf16') ? Buffer.from(`\uFEFF${text}`, 'utf16le') : Buffer.from(text);
}
