import { join } from 'node:path';
import type { DestinationAddress } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { count, number } from '../format.ts';
import { formatHour, type Hour } from '../hours.ts';
import { type LocalName, readLocalName } from '../landing/local-name.ts';
import { crcHex, type Manifest } from '../landing/manifest.ts';
import { type HourRecord, readRecord } from '../landing/records.ts';
import { doubtsOf, isStoredItself, landedOf } from './confirm.ts';
import { countJson, type Snapshot, snapshot, Unreadable, unchanged } from './content.ts';
import { keep, type Landed, type MoveCode, type Verdict } from './verdict.ts';

/** Files come in the order of their hours: by then nobody asks for an older one. */
const RECORDS_KEPT = 64;

export interface Judged {
  readonly verdict: Verdict;
  /** The file as it was before it was read. */
  readonly before: Snapshot;
}

/** Holds local files against what has landed. It changes nothing, neither here nor there. */
export class Judge {
  readonly #dir: string;
  readonly #destination: Destination;
  readonly #address: DestinationAddress;
  readonly #signal: AbortSignal;
  /** Of the destination, as far as it is known. */
  readonly #project: string | undefined;
  readonly #records = new Map<Hour, Promise<HourRecord>>();

  constructor(options: {
    dir: string;
    destination: Destination;
    address: DestinationAddress;
    signal: AbortSignal;
    project: string | undefined;
  }) {
    this.#dir = options.dir;
    this.#destination = options.destination;
    this.#address = options.address;
    this.#signal = options.signal;
    this.#project = options.project;
  }

  /** Throws a JobError where the destination does not answer, the signal's reason once that aborts. */
  async judge(file: string): Promise<Judged> {
    const before = await snapshot(join(this.#dir, file));
    if (before === undefined) return { verdict: VANISHED, before };
    const name = readLocalName(file);
    if (name === undefined) {
      return { verdict: move(undefined, 'NOT_AN_EXPORT_FILE', 'its name is not that of an export file'), before };
    }
    return { verdict: await this.#judgeNamed(join(this.#dir, file), name, before), before };
  }

  async #judgeNamed(path: string, name: LocalName, before: NonNullable<Snapshot>): Promise<Verdict> {
    const { hour, project } = name;
    const stranger = (owner: string) =>
      move(hour, 'ANOTHER_PROJECT', `it is of project ${project}; the destination holds project ${owner}`);
    const record = await this.#record(hour);
    if (record.manifest === undefined) {
      if (record.problem !== undefined) return move(hour, 'MANIFEST_UNREADABLE', record.problem.message);
      if (this.#project !== undefined && this.#project !== project) return stranger(this.#project);
      return move(hour, 'NOT_LANDED', `hour ${formatHour(hour)} has not landed`);
    }
    const { manifest } = record;
    if (manifest.project !== null && manifest.project !== project) return stranger(manifest.project);
    const landed = landedOf(manifest, name);
    if (landed === 'unclear') {
      return move(hour, 'MANIFEST_UNREADABLE', `the manifest of hour ${formatHour(hour)} contradicts itself`);
    }
    if (landed === undefined) return unknownTo(manifest, hour, this.#project, project, stranger);

    const differs = await this.#difference(path, name, landed, before);
    if (differs !== undefined) return move(hour, ...differs);
    // Who deletes must not rely on what was read before a file of gigabytes was gone through.
    const doubts = await doubtsOf(landed, this.#destination);
    if (doubts !== undefined) return move(hour, doubts.code, doubts.reason);
    if (!(await this.#stillSealed(name, landed))) {
      return keep('HOUR_CHANGED', `hour ${formatHour(hour)} is being landed again; run the same command later`);
    }
    return (await isStoredItself(path, landed, this.#address)) ?? { kind: 'safe', hour, landed };
  }

  async #difference(
    path: string,
    { gzip }: LocalName,
    { object: { source } }: Landed,
    before: NonNullable<Snapshot>,
  ): Promise<[MoveCode, string] | undefined> {
    const length = (has: string) =>
      ['CONTENT_DIFFERS', `its JSON has ${has}; what landed has ${number(source.bytes)}`] as [MoveCode, string];
    if (!gzip && before.size !== BigInt(source.bytes)) return length(count(Number(before.size), 'byte'));
    try {
      const { bytes, crc32 } = await countJson(path, { gzip, most: source.bytes, signal: this.#signal });
      if (bytes > source.bytes) return length(`more than ${count(source.bytes, 'byte')}`);
      if (bytes !== source.bytes) return length(count(bytes, 'byte'));
      if (crcHex(crc32) === source.crc32) return undefined;
      return ['CONTENT_DIFFERS', `its JSON has CRC-32 ${crcHex(crc32)}; what landed has ${source.crc32}`];
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return ['UNREADABLE', `it ${error.message}`];
    }
  }

  async #stillSealed(name: LocalName, { object, quarantine }: Landed): Promise<boolean> {
    const { manifest } = await readRecord(name.hour, this.#destination);
    const now = manifest === undefined ? undefined : landedOf(manifest, name);
    if (now === undefined || now === 'unclear') return false;
    const same = (one: { key: string; bytes: number; crc32: string }, other: typeof one | undefined) =>
      one.key === other?.key && one.bytes === other.bytes && one.crc32 === other.crc32;
    return (
      same(object, now.object) &&
      object.source.crc32 === now.object.source.crc32 &&
      quarantine.length === now.quarantine.length &&
      quarantine.every((each, at) => same(each, now.quarantine[at]))
    );
  }

  #record(hour: Hour): Promise<HourRecord> {
    const known = this.#records.get(hour);
    if (known !== undefined) return known;
    const record = readRecord(hour, this.#destination);
    this.#records.set(hour, record);
    record.catch(() => this.#records.delete(hour));
    const [oldest] = this.#records.keys();
    if (this.#records.size > RECORDS_KEPT && oldest !== undefined) this.#records.delete(oldest);
    return record;
  }
}

const VANISHED = keep('VANISHED', 'it is not there any more');

/** What comes of a verdict now that it is to be carried out: files that somebody writes to stay where they are. */
export async function unlessChanged(path: string, { verdict, before }: Judged): Promise<Verdict> {
  if (verdict.kind === 'keep') return verdict;
  const after = await snapshot(path);
  if (after === undefined) return VANISHED;
  return unchanged(before, after) ? verdict : keep('CHANGED', 'it changed while it was read');
}

function unknownTo(
  manifest: Manifest,
  hour: Hour,
  owner: string | undefined,
  project: string,
  stranger: (owner: string) => Verdict,
): Verdict {
  // An empty hour names no project.
  if (owner !== undefined && owner !== project) return stranger(owner);
  if (manifest.status === 'empty') return move(hour, 'SEALED_EMPTY', `hour ${formatHour(hour)} is sealed as empty`);
  return move(hour, 'NOT_IN_MANIFEST', `hour ${formatHour(hour)} has landed without a file of this name`);
}

function move(hour: Hour | undefined, code: MoveCode, reason: string): Verdict {
  return { kind: 'move', hour, code, reason };
}
