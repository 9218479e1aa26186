import { formatHour, type Hour } from '../hours.ts';
import { linesOf, type Part } from './events.ts';
import { Random } from './random.ts';

/** What the data follow from, besides the hour. */
export interface Traffic {
  readonly seed: number;
  /** The mean of a busy hour. */
  readonly eventsPerHour: number;
  readonly project: string;
}

export const DEFAULT_TRAFFIC: Traffic = { seed: 1, eventsPerHour: 200, project: '100011471' };

/** From midnight on, as a share of a busy hour. */
const DAY_CURVE = [
  0.25, 0.2, 0.15, 0.15, 0.2, 0.3, 0.45, 0.65, 0.85, 0.95, 1, 1, 1.05, 1.1, 1.05, 1, 1, 1.05, 1.1, 1.1, 0.95, 0.75, 0.5,
  0.35,
];

const QUIET_SHARE = 0.09;
const QUIET_STREAM = 0x71756965;
const COUNT_STREAM = 0x636f756e;

function mayBeQuiet(seed: number, hour: Hour): boolean {
  return new Random(seed, hour, QUIET_STREAM).chance(QUIET_SHARE);
}

/**
 * How many events `hour` has and how they spread over its parts (`[120, 80]`: `#0` holds 120). About every twelfth
 * hour has none, but never two hours in a row.
 */
export function eventsOfHour(seed: number, hour: Hour, eventsPerHour: number): { events: number; parts: number[] } {
  if (mayBeQuiet(seed, hour) && !mayBeQuiet(seed, hour - 1)) return { events: 0, parts: [] };
  const random = new Random(seed, hour, COUNT_STREAM);
  const share = DAY_CURVE.at(hour % 24) ?? 1;
  const events = Math.max(1, Math.round(eventsPerHour * share * (0.8 + 0.4 * random.fraction())));
  const count = Math.min(events, share < 0.6 ? 1 : 1 + random.below(3));
  const each = Math.floor(events / count);
  return { events, parts: [events - each * (count - 1), ...Array(count - 1).fill(each)] };
}

/** The parts of `hour`, without their events yet. */
export function partsOf({ seed, project, eventsPerHour }: Traffic, hour: Hour): Part[] {
  const { parts } = eventsOfHour(seed, hour, eventsPerHour);
  return parts.map((events, index) => ({ seed, project, hour, index, events }));
}

/** `100011471_2026-11-20_5`, which begins the name of everything about the hour. The hour is not padded. */
export function hourStem(project: string, hour: Hour): string {
  const [date, hh] = formatHour(hour).split('T');
  return `${project}_${date}_${Number(hh)}`;
}

/** `100011471/100011471_2026-11-20_5#0.json.gz` */
export function memberName({ project, hour, index }: Part): string {
  return `${project}/${hourStem(project, hour)}#${index}.json.gz`;
}

/** What a faultless simulator serves for `hour`: the members with their uncompressed lines. */
export function expectedHour(options: Partial<Traffic>, hour: Hour) {
  const parts = partsOf({ ...DEFAULT_TRAFFIC, ...options }, hour);
  return {
    events: parts.reduce((sum, { events }) => sum + events, 0),
    parts: parts.map((part) => ({ name: memberName(part), json: Buffer.concat([...linesOf(part)]) })),
  };
}
