import { setImmediate as turn } from 'node:timers/promises';
import { crc32, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import PQueue from 'p-queue';
import { type Member, readTrailer } from '../../../src/archive/archive.ts';
import type { Destination } from '../../../src/destination/destination.ts';
import { JobError } from '../../../src/errors.ts';
import { landAnswer } from '../../../src/export/answer.ts';
import { planHours } from '../../../src/export/plan.ts';
import { Tally } from '../../../src/export/tally.ts';
import { type Hour, startOf } from '../../../src/hours.ts';
import { sealedIn } from '../../../src/landing/listing.ts';
import { crcHex, type Manifest, manifestKey, readManifest } from '../../../src/landing/manifest.ts';
import { PrefixProject } from '../../../src/landing/project.ts';
import type { Random } from '../../../src/simulator/random.ts';
import { brokenSeals } from '../../integration/kill/landed.ts';
import type { Contents } from '../../integration/kill/places.ts';
import { hearingLog } from '../settings.ts';
import type { Weather, WeatheredPlace } from './places.ts';

export const HOUR = 495_000;
export const MANIFEST = manifestKey(HOUR);
const FIRST_SEALED = startOf(HOUR + 4);
const NOW = startOf(HOUR + 48);

/** The members of one answer: part and number of events. None: Amplitude's word that there is no data. */
export type Answer = readonly (readonly [part: number, events: number])[];
export type Mode = 'export' | 'force';
export type Outcome = 'sealed' | 'failed' | 'killed';

export const ANSWERS = {
  small: [
    [0, 3],
    [1, 2],
  ],
  grown: [
    [0, 3],
    [1, 4],
    [2, 1],
  ],
  /** As many events as the grown one, in other members. */
  other: [
    [0, 6],
    [1, 2],
  ],
  'one member': [[0, 3]],
  none: [],
} as const satisfies Record<string, Answer>;

export interface Run {
  readonly answer: Answer;
  readonly trouble: 'none' | 'slow' | 'failing' | 'killed' | 'lost answers';
  readonly mode: Mode;
}

export function eventsOf({ events }: Manifest): number {
  return events;
}

export async function runOnce(destination: Destination, answer: Answer, mode: Mode): Promise<Tally> {
  await destination.lock();
  const range = { start: HOUR, end: HOUR + 1 };
  const sealedAt = await sealedIn(range, destination);
  const force = mode === 'force';
  const plan = planHours({
    range,
    now: NOW,
    sealedAt,
    unproved: new Set<Hour>(),
    settleHours: 24,
    requestHours: 24,
    force,
  });
  const tally = new Tally();
  const options = {
    destination,
    rules: { format: 'json', strict: false, mode },
    unproved: new Set<Hour>(),
    uploads: new PQueue({ concurrency: 4 }),
    tally,
    log: hearingLog(),
    now: () => NOW,
    redact: (text: string) => text,
    project: await PrefixProject.of(destination),
  } as const;
  const archive = answer.length === 0 ? undefined : { members: membersOf(answer), close: async () => undefined };
  for (const window of plan.windows) await landAnswer(window, archive, NOW, options);
  return tally;
}

function membersOf(answer: Answer): Member[] {
  return answer.map(([part, events]) => {
    const gz = gzipSync(
      Array.from({ length: events }, (_, n) => `{"part":${part},"of":${events},"n":${n}}\n`).join(''),
    );
    const name = `7/7_${startOf(HOUR).toISOString().slice(0, 10)}_${startOf(HOUR).getUTCHours()}#${part}.json.gz`;
    const open = async function* () {
      yield gz;
    };
    return { name, bytes: gz.length, open, trailer: async () => readTrailer(gz, name) };
  });
}

const KILLED = new JobError('INTERRUPTED', 'Killed.', { endsRun: true });

export const CALM: Weather = { admit: async () => {}, fails: () => false, loses: () => false };

/** Runs on one hour, their requests one after the other in an order drawn from `random`. */
export class Schedule {
  /** Every manifest that stood, in order. */
  readonly manifests: Manifest[] = [];
  /** Keys that were written with other bytes than before. */
  readonly overwritten: string[] = [];
  readonly #place: WeatheredPlace;
  readonly #random: Random;
  readonly #when: string;
  readonly #written = new Map<string, string>();
  #broken: unknown;

  constructor(place: WeatheredPlace, random: Random, when: string) {
    this.#place = place;
    this.#random = random;
    this.#when = when;
  }

  /** What an hour holds before: sealed when it was just ready, so that it is asked for again. */
  async seal(answer: Answer): Promise<void> {
    await this.#alone(answer);
    this.#place.date(MANIFEST, FIRST_SEALED);
  }

  /** Throws whatever was wrong at any moment. */
  async play(runs: readonly Run[]): Promise<Outcome[]> {
    const random = this.#random;
    const waiting: PromiseWithResolvers<void>[][] = runs.map(() => []);
    const outcomes: (Outcome | undefined)[] = runs.map(() => undefined);
    const left = runs.map(({ trouble }) => (trouble === 'killed' ? random.below(12) : Number.POSITIVE_INFINITY));
    const destinations = runs.map((run, nth) =>
      this.#place.open(
        {
          // A run that is killed asks for nothing more. All runs share this process, so what it holds has to come free.
          admit: () => {
            if (outcomes[nth] === 'killed') return Promise.reject(KILLED);
            const request = Promise.withResolvers<void>();
            waiting[nth]?.push(request);
            return request.promise;
          },
          fails: () => run.trouble === 'failing' && random.below(6) === 0,
          loses: () => run.trouble === 'lost answers' && random.below(2) === 0,
        },
        () => this.#look(),
      ),
    );
    const playing = runs.map(async ({ answer, mode }, nth) => {
      const outcome = await this.#run(destinations[nth] as Destination, answer, mode);
      outcomes[nth] ??= outcome;
    });
    while (outcomes.includes(undefined)) {
      const alive = runs.flatMap((_, nth) => (outcomes[nth] === undefined ? [nth] : []));
      const able = alive.filter((nth) => (waiting[nth]?.length ?? 0) > 0);
      // A run that computes makes its next request within some turns. The others wait, so the seed alone decides.
      if (able.length < alive.length) {
        await turn();
        continue;
      }
      const quick = able.filter((nth) => runs[nth]?.trouble !== 'slow' || random.below(8) === 0);
      const among = quick.length > 0 ? quick : able;
      const nth = among[random.below(among.length)] as number;
      // Several requests of one run in a row find more than one at a time.
      for (let steps = 1 + random.below(4); steps > 0 && outcomes[nth] === undefined; steps--) {
        const queue = waiting[nth] as PromiseWithResolvers<void>[];
        if (queue.length === 0) break;
        left[nth] = (left[nth] as number) - 1;
        if ((left[nth] as number) < 0) {
          outcomes[nth] = 'killed';
          for (const request of queue.splice(0)) request.reject(KILLED);
          // A process that dies holds no lock any more.
          await playing[nth];
        } else queue.splice(random.below(queue.length), 1)[0]?.resolve();
        await turn();
      }
    }
    await Promise.all(playing);
    if (this.#broken !== undefined) throw this.#broken;
    return outcomes as Outcome[];
  }

  /** One more undisturbed run ends whole, with no fewer events than its answer has or than stood before. */
  async expectMended(answer: Answer): Promise<void> {
    const stood = this.manifests.at(-1);
    const tally = await this.#alone(answer);
    expect([...tally.failed.values()], this.#when).to.deep.equal([]);
    const given = answer.reduce((total, [, events]) => total + events, 0);
    expect(this.manifests.at(-1)?.events, this.#when).to.be.at.least(stood?.events ?? given);
  }

  async #alone(answer: Answer): Promise<Tally> {
    const destination = this.#place.open(CALM, () => this.#look());
    try {
      return await runOnce(destination, answer, 'export');
    } finally {
      await destination.close();
    }
  }

  async #run(destination: Destination, answer: Answer, mode: Mode): Promise<Outcome> {
    try {
      const tally = await runOnce(destination, answer, mode);
      return tally.failed.size > 0 ? 'failed' : 'sealed';
    } catch (error) {
      if (!(error instanceof JobError)) this.#broken ??= error;
      return 'failed';
    } finally {
      await destination.close();
    }
  }

  /** What a reader sees at this moment. */
  #look(): void {
    const contents = this.#place.contents();
    expect(brokenSeals(contents), this.#when).to.deep.equal([]);
    this.#noteOverwritten(contents);
    const content = contents.get(MANIFEST);
    if (content === undefined) return;
    const manifest = readManifest(content, HOUR);
    const last = this.manifests.at(-1);
    if (last?.generation === manifest.generation) return;
    if (last !== undefined) expect(manifest.generation, this.#when).to.equal(last.generation + 1);
    this.manifests.push(manifest);
  }

  #noteOverwritten(contents: Contents): void {
    for (const [key, bytes] of contents) {
      if (key === MANIFEST) continue;
      const crc = crcHex(crc32(bytes));
      if ((this.#written.get(key) ?? crc) !== crc) this.overwritten.push(key);
      this.#written.set(key, crc);
    }
  }
}
