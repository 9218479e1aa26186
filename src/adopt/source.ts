import { join } from 'node:path';
import type { DestinationAddress } from '../config/settings.ts';
import type { Destination, StoredObject } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import type { Hour, Window } from '../hours.ts';
import { type Manifest, manifestKey, readManifest } from '../landing/manifest.ts';
import { type Branch, FOLDERS, folderOf, readSourceName, type SourceName } from './names.ts';

/** A file of an hour, not read yet. `key` is below SOURCE. */
export interface SourceFile {
  readonly key: string;
  readonly bytes: number;
  readonly part: number;
  readonly isPlain: boolean;
  /** When it was last changed, in milliseconds. */
  readonly modifiedMs?: number;
}

/** What SOURCE has of an hour, by listing. */
export interface SourceHour {
  readonly hour: Hour;
  readonly files: SourceFile[];
  /** Amplitude has marked the hour as complete. */
  isMarked: boolean;
  /** There is a file of this hour that cannot be adopted, such as a copy under another name. */
  hasStray: boolean;
  /** The time of its manifest, where SOURCE is a landing of this program. */
  sealedAt: Date | undefined;
}

/** How much there is of one project. */
export interface Amount {
  files: number;
  bytes: number;
  /** Files of each hour; 0 where there is a mark alone. */
  readonly hours: Map<Hour, number>;
}

/** How much SOURCE has, without a list of its files: there may be millions. */
export class Survey {
  readonly projects: Readonly<Record<Branch, Map<string, Amount>>> = { events: new Map(), mergedIds: new Map() };
  /** Hours that have a manifest of this program. */
  readonly sealed: Readonly<Record<Branch, Set<Hour>>> = { events: new Set(), mergedIds: new Set() };
  marks = 0;
  unknown = 0;
  readonly firstUnknown: string[] = [];

  add(name: SourceName, { key, bytes }: StoredObject): void {
    if (name.kind === 'unknown') {
      this.unknown++;
      if (this.firstUnknown.length < 20) this.firstUnknown.push(key);
    } else if (name.kind === 'manifest') this.sealed[name.branch].add(name.hour);
    else if (name.kind === 'mark') {
      this.marks++;
      const { hours } = this.#amountOf('events', name.project);
      if (!hours.has(name.hour)) hours.set(name.hour, 0);
    } else if (name.kind === 'file') {
      const amount = this.#amountOf(name.branch, name.project);
      amount.files++;
      amount.bytes += bytes;
      amount.hours.set(name.hour, (amount.hours.get(name.hour) ?? 0) + 1);
    }
  }

  /** The project that has the most files, or hours if there are none. Undefined where there is none. */
  largest(branch: Branch): string | undefined {
    const weight = ({ files, hours }: Amount) => files * 1e6 + hours.size;
    return [...this.projects[branch]].sort(([, some], [, others]) => weight(others) - weight(some))[0]?.[0];
  }

  #amountOf(branch: Branch, project: string): Amount {
    const amount = this.projects[branch].get(project) ?? { files: 0, bytes: 0, hours: new Map() };
    this.projects[branch].set(project, amount);
    return amount;
  }
}

/** Files of one project, of one branch, in a range. */
export interface Part {
  readonly branch: Branch;
  readonly project: string;
  readonly range: Window;
}

/** The folder or prefix that `adopt` takes files from. It is only read. */
export class Source {
  /** As people write it. */
  readonly name: string;
  readonly store: Destination;
  readonly #isOurs: (key: string) => boolean;

  /** `from` and `to` are the addresses of the source and of the destination, which may be one or contain the other. */
  constructor(store: Destination, from: DestinationAddress, to: DestinationAddress) {
    this.store = store;
    this.name = store.name;
    this.#isOurs = landedBelow(from, to);
  }

  /** How much there is in the range. */
  async survey(range: Window): Promise<Survey> {
    const survey = new Survey();
    for await (const { name, object } of this.#entries(range)) survey.add(name, object);
    return survey;
  }

  /** The manifest of an hour, where the source is a landing of this program. Throws where it cannot be read. */
  async manifest(branch: Branch, hour: Hour): Promise<Manifest | undefined> {
    const content = await this.store.read(folderOf(branch) + manifestKey(hour));
    return content === undefined ? undefined : readManifest(content, hour);
  }

  /** The project that the manifests of the source name. One that cannot be read fails its own hour alone. */
  async project(branch: Branch, sealed: Iterable<Hour>): Promise<string | undefined> {
    for (const hour of sealed) {
      const manifest = await this.manifest(branch, hour).catch(ifUnreadable);
      if (typeof manifest?.project === 'string') return manifest.project;
    }
    return undefined;
  }

  /** The hours of a project in the range, in order. */
  async hours({ branch, project, range }: Part): Promise<SourceHour[]> {
    const found = new Map<Hour, SourceHour>();
    const at = (hour: Hour) => {
      const there = found.get(hour) ?? { hour, files: [], isMarked: false, hasStray: false, sealedAt: undefined };
      found.set(hour, there);
      return there;
    };
    for await (const { name, object } of this.#entries(range)) {
      const { key, bytes, modifiedAt } = object;
      if (name.kind === 'mark' && branch === 'events' && name.project === project) at(name.hour).isMarked = true;
      if (name.kind === 'unknown' && name.hour !== undefined && branch === 'events' && name.project === project) {
        at(name.hour).hasStray = true;
      }
      if (name.kind === 'manifest' && name.branch === branch) at(name.hour).sealedAt = modifiedAt;
      if (name.kind !== 'file' || name.branch !== branch || name.project !== project) continue;
      // A key is a slice of a whole page of the listing, which must not stay in memory with it.
      at(name.hour).files.push({
        ...partOf(name),
        key: Buffer.from(key).toString(),
        bytes,
        modifiedMs: modifiedAt.getTime(),
      });
    }
    return [...found.values()].sort((a, b) => a.hour - b.hour);
  }

  /** The files of all other projects. */
  async *foreign({ branch, project, range }: Part) {
    for await (const { name, object } of this.#entries(range)) {
      if (name.kind !== 'file' || name.branch !== branch || name.project === project) continue;
      yield { file: object.key, hour: name.hour, project: name.project };
    }
  }

  async *#entries(range: Window): AsyncGenerator<{ name: SourceName; object: StoredObject }> {
    for await (const object of this.store.list('')) {
      if (this.#isOurs(object.key)) continue;
      const name = readSourceName(object.key);
      const hour = 'hour' in name ? name.hour : undefined;
      if (hour !== undefined && (hour < range.start || hour >= range.end)) continue;
      yield { name, object };
    }
  }
}

function ifUnreadable(error: unknown): undefined {
  const isOfManifest = error instanceof JobError && ['MANIFEST_UNREADABLE', 'MANIFEST_NEWER'].includes(error.code);
  if (!isOfManifest) throw error;
}

function partOf({ part, isPlain }: SourceName & { readonly kind: 'file' }): Pick<SourceFile, 'part' | 'isPlain'> {
  return { part, isPlain };
}

/** Tells the keys below `from` that are what has landed in `to`. */
function landedBelow(from: DestinationAddress, to: DestinationAddress): (key: string) => boolean {
  if (from.kind !== to.kind || (from.kind === 's3' && to.kind === 's3' && from.bucket !== to.bucket))
    return () => false;
  const root = (address: DestinationAddress) =>
    address.kind === 's3' ? (address.prefix === '' ? '' : `${address.prefix}/`) : join(address.folder, '/');
  const [base, landing] = [root(from), root(to)];
  const folders = FOLDERS.map((folder) => landing + folder);
  return (key) => folders.some((folder) => (base + key).startsWith(folder));
}
