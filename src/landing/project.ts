import type { Destination, StoredObject } from '../destination/destination.ts';
import type { Hour } from '../hours.ts';
import { hourOfManifestKey, MANIFESTS, type Manifest } from './manifest.ts';
import { readRecords } from './records.ts';

/** Manifests that are listed before any is read; S3 lists as many in one request. */
const LISTED = 1000;

/** The one project whose hours are under a prefix. It is undefined until a manifest or an archive names it. */
export class PrefixProject {
  #id: string | undefined;
  /** The manifest that names the project, as far as one was read. */
  readonly manifest: Manifest | undefined;

  constructor(manifest?: Manifest) {
    this.#id = manifest?.project ?? undefined;
    this.manifest = manifest;
  }

  /**
   * Reads manifests until one names a project, that of the hour `first` before all others. Throws where the destination
   * cannot be read.
   */
  static async of(destination: Destination, first?: Hour): Promise<PrefixProject> {
    const named = first === undefined ? undefined : await naming([first], destination);
    if (named !== undefined) return new PrefixProject(named);
    let page: StoredObject[] = [];
    for await (const object of destination.list(MANIFESTS)) {
      page.push(object);
      if (page.length < LISTED) continue;
      const manifest = await namingIn(page, destination);
      if (manifest !== undefined) return new PrefixProject(manifest);
      page = [];
    }
    return new PrefixProject(await namingIn(page, destination));
  }

  get id(): string | undefined {
    return this.#id;
  }

  /** Where no manifest names a project, the first archive does. */
  claim(id: string): void {
    this.#id ??= id;
  }
}

async function namingIn(page: readonly StoredObject[], destination: Destination): Promise<Manifest | undefined> {
  // The longest manifest names objects, and then it is sure to name a project. So it is read first, alone.
  const longestFirst = page.toSorted((a, b) => b.bytes - a.bytes);
  const hours = longestFirst.flatMap(({ key }) => hourOfManifestKey(key) ?? []);
  return (await naming(hours.slice(0, 1), destination)) ?? (await naming(hours.slice(1), destination));
}

async function naming(hours: readonly Hour[], destination: Destination): Promise<Manifest | undefined> {
  for await (const { manifest } of readRecords(hours, destination)) {
    if (typeof manifest?.project === 'string') return manifest;
  }
  return undefined;
}
