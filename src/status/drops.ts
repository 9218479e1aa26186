import { command } from '../command-line.ts';
import type { Destination } from '../destination/destination.ts';
import { agreeing, count, number } from '../format.ts';
import { formatHour, type Hour, readHour, type Window, weeksBefore } from '../hours.ts';
import { sealedIn } from '../landing/listing.ts';
import { readRecords } from '../landing/records.ts';

/** An hour with far fewer events than the same hour of the same weekday had in the weeks before. */
export interface Drop {
  readonly hour: string;
  readonly events: number;
  readonly median: number;
}

const WEEKS = [1, 2, 3, 4];

/** With two, a single holiday would decide. */
const LEAST_WEEKS = 3;

/** Where fewer are usual, a few visitors make the difference, and every quiet night would be a drop. */
export const LEAST_MEDIAN = 100;

/** A day, and what a daily schedule may be late. An hour that settles is told on two days: its second answer counts too. */
const NEWS_HOURS = 25;

interface Judging {
  /** What is left of the median, above 0 and below 1: an hour with less is a drop. */
  readonly ratio: number;
  /** Of the clock that people live by: its shifts move the usual traffic by an hour of UTC. */
  readonly zone: string;
}

/** Whether an hour landed so lately that nobody has been told of it. */
export function isNews(sealed: Date, now: Date): boolean {
  return now.getTime() - sealed.getTime() <= NEWS_HOURS * 3_600_000;
}

/** The drops among `hours`, by the events of every hour that is known. Without enough weeks there is no judgement. */
export function dropsIn(hours: readonly Hour[], events: ReadonlyMap<Hour, number>, { ratio, zone }: Judging): Drop[] {
  return hours.flatMap((hour) => {
    const now = events.get(hour);
    const before = WEEKS.flatMap((weeks) => events.get(weeksBefore(hour, weeks, zone)) ?? []);
    if (now === undefined || before.length < LEAST_WEEKS) return [];
    const median = medianOf(before);
    return median >= LEAST_MEDIAN && now < ratio * median ? [{ hour: formatHour(hour), events: now, median }] : [];
  });
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (low + high) / 2;
}

/** Adds the events of the hours before `range` that `hours` are compared with. Reads their manifests only. */
export async function readWeeksBefore(
  hours: readonly Hour[],
  range: Window,
  {
    events,
    zone,
    destination,
    owner,
  }: {
    readonly events: Map<Hour, number>;
    readonly zone: string;
    readonly destination: Destination;
    /** The project of the prefix. What another one left there says nothing. */
    readonly owner: string | undefined;
  },
): Promise<void> {
  const wanted = new Set(hours.flatMap((hour) => WEEKS.map((weeks) => weeksBefore(hour, weeks, zone))));
  const earlier = [...wanted].filter((hour) => hour < range.start);
  if (earlier.length === 0) return;
  const sealed = await sealedIn({ start: Math.min(...earlier), end: range.start }, destination);
  for await (const { hour, manifest } of readRecords(
    [...sealed.keys()].filter((at) => wanted.has(at)),
    destination,
  )) {
    const isOurs = owner === undefined || [owner, null].includes(manifest?.project ?? null);
    if (manifest !== undefined && isOurs) events.set(hour, manifest.events);
  }
}

/** At most so many are named with their figures. */
const SHOWN = 6;

/** The hours, the figures and what to do; undefined where there is no drop. */
export function dropSentence(drops: readonly Drop[] = []): string | undefined {
  const [first, last] = [drops[0], drops.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const named = drops
    .slice(0, SHOWN)
    .map(({ hour, events, median }) => `${hour} (${number(events)}, usually ${number(Math.round(median))})`);
  const more = drops.length > SHOWN ? ` and ${number(drops.length - SHOWN)} more` : '';
  const [have, them] = [agreeing(drops.length, 'has', 'have'), agreeing(drops.length, 'it', 'them')];
  const again = command(`export --start ${first.hour} --end ${formatHour(readHour(last.hour) + 1)} --force`);
  return `${count(drops.length, 'hour')} ${have} far fewer events than usual: ${named.join(', ')}${more}. Compare ${them} with Amplitude's charts. If those show more, land ${them} again: \`${again}\`. If they show the same, look at what sends the events.`;
}
