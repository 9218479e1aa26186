import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { formatHour, type Hour, readHour } from '../../src/hours.ts';
import { linesOf } from '../../src/simulator/events.ts';
import { gzipMember } from '../../src/simulator/gzip.ts';
import { memberName } from '../../src/simulator/traffic.ts';
import { zip } from '../../src/simulator/zip.ts';

/** An archive as its own directory describes it. */
export interface ArchiveFacts {
  readonly members: number;
  /** Of all members, compressed by gzip as they are. */
  readonly memberBytes: number;
  /** The hours that the members are of, the end not included; in the form that EXPORT_START takes. */
  readonly start: string;
  readonly end: string;
}

const DAY = readHour('2026-11-20T00');
const MEMBERS = 24;
const EVENTS = 12_000;
const DIFFERENT = 4;

/** Reads what is in the archive at `path`. Throws where a member's name has no hour in it. */
export async function readArchiveFacts(path: string): Promise<ArchiveFacts> {
  const archive = await openPromise(path);
  let members = 0;
  let memberBytes = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for await (const entry of archive.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    const hour = hourInName(entry.fileName);
    first = Math.min(first, hour);
    last = Math.max(last, hour);
    members++;
    memberBytes += entry.uncompressedSize;
  }
  if (members === 0) throw new Error(`${path} has no members`);
  return { members, memberBytes, start: formatHour(first), end: formatHour(last + 1) };
}

/** Makes an archive of one day at `path`: 24 members of 12,000 events, four of them different, stored. */
export async function makeArchive(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const compressed = Array.from({ length: DIFFERENT }, (_, index) =>
    gzipMember(Buffer.concat([...linesOf(part(DAY + index, EVENTS))])),
  );
  const entries = Array.from({ length: MEMBERS }, (_, index) => ({
    name: memberName(part(DAY + index, EVENTS)),
    data: compressed[index % DIFFERENT] ?? Buffer.alloc(0),
  }));
  await pipeline(zip(entries), createWriteStream(path));
}

function part(hour: Hour, events: number) {
  return { seed: 1, project: '100011471', hour, index: 0, events };
}

function hourInName(name: string): Hour {
  const [, date, hour] = /_(\d{4}-\d{2}-\d{2})_(\d{1,2})#\d+\.json\.gz$/.exec(name) ?? [];
  if (date === undefined || hour === undefined) throw new Error(`${name} does not name its hour`);
  return readHour(`${date}T${hour.padStart(2, '0')}`);
}
