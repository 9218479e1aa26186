import { expect } from 'chai';
import { Random } from '../../src/simulator/random.ts';
import { bucketPlace, folderPlace, memoryPlace, type WeatheredPlace } from '../support/interleavings/places.ts';
import {
  ANSWERS,
  type Answer,
  eventsOf,
  type Mode,
  type Outcome,
  Schedule,
} from '../support/interleavings/schedule.ts';

const SCHEDULES = Number(process.env.KILL_SCHEDULES ?? 100);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

const NAMES = Object.keys(ANSWERS) as (keyof typeof ANSWERS)[];
const TROUBLES = ['none', 'slow', 'failing', 'killed', 'lost answers'] as const;

/** A share of the schedules for each place, by what they cost. */
const PLACES: readonly [string, () => WeatheredPlace | Promise<WeatheredPlace>, number][] = [
  ['a store in memory', memoryPlace, 0.8],
  ['a bucket', bucketPlace, 0.1],
  ['a folder', folderPlace, 0.1],
];

interface Played {
  readonly played: Schedule;
  readonly outcomes: readonly Outcome[];
  /** The answer for one more run after all others. */
  readonly last: Answer;
  readonly when: string;
}

/**
 * Two to five runs on one hour, with the same or other answers, their requests in an order drawn from the seed. A reader
 * looks after each request. The law: what a manifest says is there, byte for byte, at every moment; and no hour ever holds
 * fewer events than the best answer that was sealed, unless a run was forced to take less.
 */
describe(`runs on one hour at once (${SCHEDULES} schedules, KILL_SEED=${SEED})`, function () {
  this.timeout(60_000 + SCHEDULES * 1000);

  for (const [name, open, share] of PLACES) {
    describe(`in ${name}`, () => {
      let place: WeatheredPlace;
      before(async () => {
        place = await open();
      });
      after(() => place.close());

      async function play(nth: number, mode: Mode): Promise<Played> {
        const random = new Random(SEED, nth, mode === 'export' ? 1 : 2);
        const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T;
        const stood = random.below(3) === 0 ? undefined : pick(NAMES);
        const last = pick(NAMES);
        const runs = Array.from({ length: 2 + random.below(4) }, () => ({
          answer: pick(NAMES),
          trouble: pick(TROUBLES),
          mode: random.below(2) === 0 ? mode : ('export' as const),
        }));
        const story = runs.map((run) => `${run.answer} ${run.trouble} ${run.mode}`).join('; ');
        const when = `KILL_SEED=${SEED}, schedule ${nth}: ${stood ?? 'a gap'}; ${story}`;
        place.clear();
        const played = new Schedule(place, random, when);
        if (stood !== undefined) await played.seal(ANSWERS[stood]);
        const outcomes = await played.play(runs.map((run) => ({ ...run, answer: ANSWERS[run.answer] })));
        expect(played.overwritten, when).to.deep.equal([]);
        return { played, outcomes, last: ANSWERS[last], when };
      }

      it('never leave a false manifest or fewer events than were sealed before', async () => {
        const seen = { killed: 0, failed: 0, sealed: 0 };
        for (let nth = 0; nth < SCHEDULES * share; nth++) {
          const { played, outcomes, last, when } = await play(nth, 'export');
          const events = played.manifests.map(eventsOf);
          expect(events, when).to.deep.equal(events.toSorted((a, b) => a - b));
          for (const outcome of outcomes) seen[outcome]++;
          await played.expectMended(last);
        }
        // A generator that never reaches an outcome proves nothing about it.
        if (SCHEDULES * share >= 80)
          for (const [what, times] of Object.entries(seen)) expect(times, what).to.be.above(2);
      });

      it('take less only where a run is forced to, and then still no empty answer', async () => {
        for (let nth = 0; nth < SCHEDULES * share; nth++) {
          const { played, when } = await play(nth, 'force');
          const events = played.manifests.map(eventsOf);
          const emptied = events.findIndex((count, at) => count === 0 && (events[at - 1] ?? 0) > 0);
          expect(emptied, when).to.equal(-1);
        }
      });
    });
  }
});
