import type { Destination, StoredObject } from '../destination/destination.ts';
import { hourOfManifestKey, MANIFESTS } from './manifest.ts';
import { readRecords } from './records.ts';

/** Manifests that are listed before any is read; S3 lists as many in one request. */
const LISTED = 1000;

/** The project whose hours are under a prefix, by what its manifests say. A prefix holds one. */
export class PrefixProject {
  #id: string | undefined;

  private constructor(id: string | undefined) {
    this.#id = id;
  }

  /** Reads manifests until one names a project. Throws where the destination cannot be read. */
  static async of(destination: Destination): Promise<PrefixProject> {
    for await (const page of pages(destination)) {
      // A manifest that names objects is longer than one of an empty hour, and only the former is sure to name a project.
      const longestFirst = page.sort((a, b) => b.bytes - a.bytes);
      const hours = longestFirst.flatMap(({ key }) => hourOfManifestKey(key) ?? []);
      for (const some of [hours.slice(0, 1), hours.slice(1)]) {
        for await (const { manifest } of readRecords(some, destination)) {
          if (typeof manifest?.project === 'string') return new PrefixProject(manifest.project);
        }
      }
    }
    return new PrefixProject(undefined);
  }

  static unknown(): PrefixProject {
    return new PrefixProject(undefined);
  }

  /** Undefined until a manifest or an archive names it. */
  get id(): string | undefined {
    return this.#id;
  }

  /** The first project that an archive names is the prefix's own, where no manifest names one. */
  claim(id: string): void {
    this.#id ??= id;
  }
}

async function* pages(destination: Destination): AsyncGenerator<StoredObject[]> {
  let page: StoredObject[] = [];
  for await (const object of destination.list(MANIFESTS)) {
    page.push(object);
    if (page.length < LISTED) continue;
    yield page;
    page = [];
  }
  yield page;
}
