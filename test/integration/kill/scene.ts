import { formatHour, hourOf, hoursOf, type Window } from '../../../src/hours.ts';
import {
  eventsOfHour,
  type Fault,
  parseFault,
  type Simulator,
  startSimulator,
} from '../../../src/simulator/simulator.ts';
import type { Contents, Place } from './places.ts';
import { Program } from './program.ts';

const SEED = 1;
const EVENTS_PER_HOUR = 250;
const DAY = 24;

const partsOf = (hour: number) => eventsOfHour(SEED, hour, EVENTS_PER_HOUR).parts.length;

/**
 * The last 30 hours that hold what the tests lean on, whatever day it is: quiet hours, busy ones, and events where a test
 * puts a fault. Long enough ago that an hour sealed when it was ready has had the time to settle.
 */
const RANGE: Window = (() => {
  for (let start = Math.floor(hourOf(new Date()) / DAY) * DAY - 4 * DAY; ; start -= DAY) {
    const range = { start, end: start + 30 };
    const parts = hoursOf(range).map(partsOf);
    const filled = [0, 10, 11, 12].every((at) => (parts[at] as number) > 0);
    if (filled && parts.includes(0) && parts.filter((count) => count > 1).length > 6) return range;
  }
})();

/** `first`: the hours are gaps. `again`: they are sealed, and by now Amplitude answers otherwise for some. */
export type Kind = 'first' | 'again';
export type Format = 'json' | 'gzip';

interface Undisturbed {
  readonly before: Contents;
  readonly after: Contents;
  readonly took: { ms: number };
}

/** The simulator, the program that asks it, and what an undisturbed run makes of it. */
export class Scene {
  readonly range = RANGE;
  readonly simulator: Simulator;
  readonly program: Program;
  readonly #faults: Readonly<Record<Kind, readonly Fault[]>>;
  readonly #undisturbed = new Map<string, Promise<Undisturbed>>();

  private constructor(simulator: Simulator) {
    this.simulator = simulator;
    this.program = new Program(simulator, RANGE);
    const hours = hoursOf(RANGE);
    const busy = hours.filter((hour) => partsOf(hour) > 1);
    const quiet = hours.find((hour) => partsOf(hour) === 0);
    const at = (name: string, hour: number | undefined) =>
      hour === undefined ? [] : [parseFault(`${name}@${formatHour(hour)}`)];
    this.#faults = {
      first: [...at('bad-line', busy[0]), ...at('bad-line', busy[1]), ...at('grown', busy[2])],
      // One hour loses its quarantine, one its bad line stays, one shrinks, others grow, one of them from nothing.
      again: [
        ...at('bad-line', busy[1]),
        ...at('bad-line', busy[3]),
        ...at('blank-lines', busy[4]),
        ...at('grown', busy[5]),
        ...at('grown', busy[6]),
        ...at('grown', hours[2]),
        ...at('grown', hours.at(-1)),
        ...at('grown', quiet),
      ],
    };
  }

  static async open(): Promise<Scene> {
    return new Scene(await startSimulator({ seed: SEED, eventsPerHour: EVENTS_PER_HOUR, gzipLevel: 1 }));
  }

  /** Prepares `place` and the simulator's answers for a run of that kind, and tells how such a run must end. */
  async prepare(place: Place, kind: Kind, format: Format = 'json') {
    const name = `${place.name}, ${kind}, ${format}`;
    const known = this.#undisturbed.get(name) ?? this.#run(place, kind, format);
    this.#undisturbed.set(name, known);
    const { before, after, took } = await known;
    this.answers(this.#faults[kind]);
    await place.lay(before);
    return { before, after, took, env: { OUTPUT_FORMAT: format } };
  }

  answers(faults: readonly Fault[]): void {
    this.simulator.faults.splice(0, Number.POSITIVE_INFINITY, ...faults.map((fault) => ({ ...fault })));
  }

  async close(): Promise<void> {
    await this.program.close();
    await this.simulator.close();
  }

  async #run(place: Place, kind: Kind, format: Format): Promise<Undisturbed> {
    const before: Contents = kind === 'first' ? new Map() : (await this.prepare(place, 'first', format)).after;
    this.answers(this.#faults[kind]);
    await place.lay(before);
    const { ms } = await this.program.finish(place, { env: { OUTPUT_FORMAT: format } });
    return { before, after: await place.read(), took: { ms } };
  }
}
