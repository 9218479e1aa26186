import { readHour } from '../../../src/hours.ts';
import { expectedHour } from '../../../src/simulator/simulator.ts';

/** The hours that the tests land and load, long settled, and the one of them that things happen to. */
export const START = '2026-03-04T06';
export const END = '2026-03-04T12';
export const HOUR = '2026-03-04T09';
export const EVENTS = { eventsPerHour: 40 };

/** The lines of an hour as Amplitude delivers them. */
export const linesOf = (hour: string) =>
  expectedHour(EVENTS, readHour(hour))
    .parts.flatMap(({ json }) => json.toString().split('\n'))
    .filter((line) => line !== '');

export const countOf = (hour: string) => linesOf(hour).length;
