import type { Destination } from '../destination.ts';

/** The project whose hours are under the prefix, from the first object's name; undefined while there is none. */
export async function projectOf(destination: Destination): Promise<string | undefined> {
  for await (const { key } of destination.list('events/')) {
    return /\/(\d+)_[^/]+$/.exec(key)?.[1];
  }
  return undefined;
}
