import type { Destination } from '../destination.ts';
import { type Hour, hourFolder, hoursOf, type Window } from '../hours.ts';

/** What lies in the folders of the window's hours before anything is written. */
export async function keysByHour(destination: Destination, window: Window): Promise<Map<Hour, Set<string>>> {
  const folders = new Map(hoursOf(window).map((hour) => [hourFolder(hour), hour]));
  const found = new Map<Hour, Set<string>>();
  for (const top of ['events/', 'quarantine/']) {
    const range = { after: top + hourFolder(window.start), before: top + hourFolder(window.end) };
    for await (const { key } of destination.list(top, range)) {
      const hour = folders.get(key.split('/').slice(1, 3).join('/'));
      if (hour === undefined) continue;
      const keys = found.get(hour);
      if (keys === undefined) found.set(hour, new Set([key]));
      else keys.add(key);
    }
  }
  return found;
}
