import PQueue from 'p-queue';
import type { Destination } from '../destination/destination.ts';
import type { Hour } from '../hours.ts';
import { compareObject, lookAt, type Named, readBack } from '../landing/stored.ts';
import type { Difference } from './difference.ts';

export type Depth = 'listing' | 'checksums' | 'deep';

/** A checksum is a small request; the network bounds how many objects are read back at once. */
const AT_ONCE: Readonly<{ [depth in Depth]: number }> = { listing: 1, checksums: 32, deep: 6 };

/** Compares objects with their manifests beyond the listing, many at once. */
export class Contents {
  readonly #destination: Destination;
  readonly #depth: Depth;
  readonly #queue: PQueue;

  constructor(destination: Destination, depth: Depth) {
    this.#destination = destination;
    this.#depth = depth;
    this.#queue = new PQueue({ concurrency: AT_ONCE[depth] });
  }

  async compare(hour: Hour, objects: readonly Named[]): Promise<Difference[]> {
    if (this.#depth === 'listing') return [];
    const see = this.#depth === 'deep' ? readBack : lookAt;
    const compare = async (named: Named) => {
      const mismatch = compareObject(named, await see(named, this.#destination));
      return mismatch === undefined ? [] : [{ hour, key: named.key, ...mismatch }];
    };
    return (await this.#queue.addAll(objects.map((named) => () => compare(named)))).flat();
  }
}
