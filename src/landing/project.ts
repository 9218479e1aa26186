import type { Destination, StoredObject } from '../destination/destination.ts';
import { hourOfManifestKey, MANIFESTS } from './manifest.ts';
import { readRecords } from './records.ts';

/** Manifests that are listed before any is read; S3 lists as many in one request. */
const LISTED = 1000;

/** The one project whose hours are under a prefix. It is undefined until a manifest or an archive names it. */
export class PrefixProject {
  #id: string | undefined;

  constructor(id?: string) {
    this.#id = id;
  }

  /** Reads manifests until one names a project. Throws where the destination cannot be read. */
  static async of(destination: Destination): Promise<PrefixProject> {
    let page: StoredObject[] = [];
    for await (const object of destination.list(MANIFESTS)) {
      page.push(object);
      if (page.length < LISTED) continue;
      const id = await projectIn(page, destination);
      if (id !== undefined) return new PrefixProject(id);
      page = [];
    }
    return new PrefixProject(await projectIn(page, destination));
  }

  get id(): string | undefined {
    return this.#id;
  }

  /** Where no manifest names a project, the first archive does. */
  claim(id: string): void {
    this.#id ??= id;
  }
}

async function projectIn(page: readonly StoredObject[], destination: Destination): Promise<string | undefined> {
  // The longest manifest names objects, and then it is sure to name a project. So it is read first, alone.
  const longestFirst = page.toSorted((a, b) => b.bytes - a.bytes);
  const hours = longestFirst.flatMap(({ key }) => hourOfManifestKey(key) ?? []);
  for (const some of [hours.slice(0, 1), hours.slice(1)]) {
    for await (const { manifest } of readRecords(some, destination)) {
      if (typeof manifest?.project === 'string') return manifest.project;
    }
  }
  return undefined;
}
