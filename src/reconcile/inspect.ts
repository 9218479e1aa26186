import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { DestinationAddress } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { formatHour, type Hour } from '../hours.ts';
import { type LocalName, readLocalName } from '../landing/local-name.ts';
import { readRecord } from '../landing/records.ts';
import { compareObject, lookAt, namedIn, readBack } from '../landing/stored.ts';
import { compareContent, findLanded, keep, type Landed, move, type Verdict } from './judge.ts';
import { isSameFile, isUnchanged, readJson, snapshot } from './local-file.ts';

/** Files come in the order of their hours, so older manifests are not needed again. */
const RECORDS_KEPT = 64;

const GONE = keep('VANISHED', 'it is gone');
export const CHANGED = keep('CHANGED', 'it changed while it was read');

interface InspectorOptions {
  readonly dir: string;
  readonly destination: Destination;
  readonly address: DestinationAddress;
  /** That of the destination, as far as it is known. */
  readonly project: string | undefined;
  readonly signal: AbortSignal;
}

/** Reads what is needed to judge a local file. It changes nothing. */
export class Inspector {
  readonly #options: InspectorOptions;
  readonly #records = new Map<Hour, ReturnType<typeof readRecord>>();

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  /** Throws a JobError where the destination does not answer, and the signal's reason once that aborts. */
  async inspect(file: string): Promise<Verdict> {
    const path = join(this.#options.dir, file);
    const before = await snapshot(path);
    if (before === undefined) return GONE;
    const verdict = await this.#verdictOn(path, readLocalName(file));
    if (verdict.kind === 'keep') return verdict;
    const after = await snapshot(path);
    if (after === undefined) return GONE;
    return isUnchanged(before, after) ? verdict : CHANGED;
  }

  async #verdictOn(path: string, name: LocalName | undefined): Promise<Verdict> {
    const { destination, project, signal } = this.#options;
    if (name === undefined) return move(undefined, 'NOT_AN_EXPORT_FILE', 'its name is not that of an export file');
    const { hour, gzip } = name;
    const landed = findLanded(name, await this.#record(hour), project);
    if ('kind' in landed) return landed;
    const content = await readJson(path, { gzip, most: landed.object.source.bytes, signal });
    const differs = compareContent(name, landed, content);
    if (differs !== undefined) return differs;
    // Last, since reading a large file takes long and the answer must hold when the file is deleted.
    for (const named of namedIn({ objects: [landed.object], quarantine: landed.quarantine })) {
      const kept = await lookAt(named, destination);
      const seen = kept?.crc32 === null ? await readBack(named, destination) : kept;
      const mismatch = compareObject(named, seen);
      if (mismatch?.kind === 'missing') return move(hour, 'STORED_MISSING', mismatch.message);
      if (mismatch !== undefined) return move(hour, 'STORED_DIFFERS', mismatch.message);
    }
    if (!isDeepStrictEqual(findLanded(name, await readRecord(hour, destination), project), landed)) {
      return keep('HOUR_CHANGED', `a run is replacing hour ${formatHour(hour)}; run the same command later`);
    }
    const itself = await this.#storedItself(path, landed);
    if (itself === undefined) return { kind: 'delete', hour, landed };
    return keep('STORED_ITSELF', `it is the stored object ${itself} itself, or a link to it`);
  }

  #record(hour: Hour): ReturnType<typeof readRecord> {
    const known = this.#records.get(hour);
    if (known !== undefined) return known;
    const record = readRecord(hour, this.#options.destination);
    record.catch(() => this.#records.delete(hour));
    this.#records.set(hour, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > RECORDS_KEPT && oldest !== undefined) this.#records.delete(oldest);
    return record;
  }

  /** The key of the stored object that the local file is, by a link or a second mount: deleting one would delete both. */
  async #storedItself(path: string, { object, quarantine }: Landed): Promise<string | undefined> {
    const { address } = this.#options;
    if (address.kind !== 'file') return undefined;
    const local = await stat(path, { bigint: true });
    for (const { key } of [object, ...quarantine]) {
      const stored = await stat(join(address.folder, key), { bigint: true }).catch(() => undefined);
      if (isSameFile(local, stored)) return key;
    }
    return undefined;
  }
}
