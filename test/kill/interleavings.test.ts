import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import PQueue from 'p-queue';
import { type Member, readTrailer } from '../../src/archive.ts';
import type { Destination, StoredObject } from '../../src/destination.ts';
import { landAnswer } from '../../src/export/landing.ts';
import { planHours, sealedIn } from '../../src/export/plan.ts';
import { Tally } from '../../src/export/tally.ts';
import { startOf } from '../../src/hours.ts';
import { MANIFESTS } from '../../src/manifest.ts';
import { Random } from '../../src/simulator/random.ts';
import { hearingLog } from '../settings.ts';
import { brokenSeals, expectAlike, strays } from './landed.ts';

const SCHEDULES = Number(process.env.KILL_SCHEDULES ?? 300);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const HOUR = 495_000;
const FIRST_SEALED = startOf(HOUR + 4);
const NOW = startOf(HOUR + 48);

/** The members of one answer: part and number of events. */
type Answer = readonly (readonly [part: number, events: number])[];

/**
 * Objects in memory. Every run has a view of its own, whose operations wait until the schedule lets them happen.
 *
 * A look at a manifest and what the run does upon it are one step: no destination can compare and swap, so the
 * milliseconds between them stay open where two runs hold different answers.
 */
class Store {
  readonly objects = new Map<string, { bytes: Buffer; modifiedAt: Date }>();
  now = FIRST_SEALED;

  view(admit: () => Promise<void>): Destination {
    const { objects } = this;
    let looked = false;
    const step = async () => {
      if (!looked) await admit();
      looked = false;
    };
    return {
      name: 'memory',
      async *list(prefix, { after = '', before = '~' } = {}): AsyncGenerator<StoredObject> {
        await step();
        for (const [key, { bytes, modifiedAt }] of [...objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
          if (key.startsWith(prefix) && key > after && key < before) yield { key, bytes: bytes.length, modifiedAt };
        }
      },
      read: async (key) => {
        await step();
        looked = true;
        return objects.get(key)?.bytes;
      },
      requests: { listings: 0, reads: 0, looks: 0 },
      look: async () => undefined,
      stream: async () => undefined,
      put: async (key, content, { ifAbsent = false } = {}) => {
        const chunks: Buffer[] = [];
        for await (const chunk of content.open()) chunks.push(Buffer.from(chunk));
        await step();
        if (ifAbsent && objects.has(key)) return 'present';
        objects.set(key, { bytes: Buffer.concat(chunks), modifiedAt: this.now });
        return 'written';
      },
      delete: async (keys) => {
        await step();
        for (const key of keys) objects.delete(key);
      },
      sweep: async () => undefined,
      close: () => undefined,
    };
  }

  get lying(): Map<string, Buffer> {
    return new Map([...this.objects].map(([key, { bytes }]) => [key, bytes]));
  }
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

async function run(destination: Destination, answer: Answer): Promise<Tally> {
  const range = { start: HOUR, end: HOUR + 1 };
  const sealedAt = await sealedIn(range, destination);
  const plan = planHours({ range, now: NOW, sealedAt, settleHours: 24, requestHours: 24, force: false });
  const tally = new Tally();
  const options = {
    destination,
    format: 'json',
    strict: false,
    force: false,
    repair: false,
    members: new PQueue({ concurrency: 4 }),
    tally,
    log: hearingLog(),
    now: () => NOW,
    project: { id: undefined },
  } as const;
  const archive = { members: membersOf(answer), close: async () => undefined };
  for (const window of plan.windows) await landAnswer(window, archive, NOW, options);
  return tally;
}

/**
 * Two runs on one hour, their operations in an order drawn from `random`. `killed`: the second one is abandoned after so
 * many of its operations, the last of which may have happened without its knowing.
 */
async function interleave(store: Store, answers: readonly [Answer, Answer], random: Random, killed = Infinity) {
  const waiting: (() => void)[][] = [[], []];
  const ended = [false, false];
  let operations = 0;
  const runs = answers.map(async (answer, nth) => {
    const admit = () => new Promise<void>((resolve) => waiting[nth]?.push(resolve));
    try {
      return await run(store.view(admit), answer);
    } finally {
      ended[nth] = true;
    }
  });
  const alive = (nth: number) => ended[nth] !== true && !(nth === 1 && operations >= killed);
  while (alive(0) || alive(1)) {
    const able = [0, 1].filter((nth) => alive(nth) && (waiting[nth]?.length ?? 0) > 0);
    const all = [0, 1].filter(alive);
    if (able.length < all.length) {
      await turn();
      continue;
    }
    // Runs of turns of one run hit more than a fair coin at each operation.
    const nth = able[random.below(able.length)] ?? 0;
    for (let steps = 1 + random.below(4); steps > 0; steps--) {
      const queue = waiting[nth] ?? [];
      const [go] = queue.splice(random.below(Math.max(1, queue.length)), 1);
      if (nth === 1 && operations++ >= killed) break;
      go?.();
      await turn();
    }
  }
  const tallies = await Promise.all(killed === Infinity ? runs : runs.slice(0, 1));
  for (const tally of tallies) expect([...tally.failed.values()]).to.deep.equal([]);
}

const SMALL: Answer = [
  [0, 3],
  [1, 2],
];
const GROWN: Answer = [
  [0, 3],
  [1, 4],
  [2, 1],
];
/** As many events as the grown one, in other members: neither shrinks the other where it lacks none of its members. */
const OTHER: Answer = [
  [0, 6],
  [1, 2],
];

describe(`two runs on one hour, in every order (${SCHEDULES} schedules, KILL_SEED=${SEED})`, function () {
  this.timeout(60_000 + SCHEDULES * 500);

  async function landed(answer: Answer): Promise<Store> {
    const store = new Store();
    await run(
      store.view(async () => undefined),
      answer,
    );
    store.now = NOW;
    return store;
  }

  for (const [name, before, answers] of [
    ['first landings of the same answer', undefined, [GROWN, GROWN]],
    ['replacements by the same answer', SMALL, [GROWN, GROWN]],
    ['askings again that change nothing', GROWN, [GROWN, GROWN]],
    ['first landings of different answers', undefined, [SMALL, GROWN]],
    ['a replacement beside an unchanged answer', SMALL, [SMALL, GROWN]],
    ['replacements by different answers', SMALL, [OTHER, GROWN]],
  ] as const) {
    it(`${name} leave a sealed hour that is whole`, async () => {
      for (let schedule = 0; schedule < SCHEDULES; schedule++) {
        const when = `KILL_SEED=${SEED}, schedule ${schedule}`;
        const store = before === undefined ? new Store() : await landed(before);
        await interleave(store, answers, new Random(SEED, schedule, 1));
        const { lying } = store;
        expect(brokenSeals(lying), when).to.deep.equal([]);
        expect(strays(lying), when).to.deep.equal([]);
        expect(
          [...lying.keys()].filter((key) => key.startsWith(MANIFESTS)),
          when,
        ).to.have.length(1);
        if (answers[0] === answers[1]) expectAlike(lying, (await landed(answers[0])).lying, when);
      }
    });
  }

  for (const [name, before] of [
    ['first landings', undefined],
    ['replacements', SMALL],
  ] as const) {
    it(`${name} of which one is killed end as undisturbed after one run more`, async () => {
      const undisturbed = (await landed(GROWN)).lying;
      for (let schedule = 0; schedule < SCHEDULES; schedule++) {
        const random = new Random(SEED, schedule, 2);
        const when = `KILL_SEED=${SEED}, schedule ${schedule}`;
        const store = before === undefined ? new Store() : await landed(before);
        await interleave(store, [GROWN, GROWN], random, random.below(12));
        expect(brokenSeals(store.lying), when).to.deep.equal([]);
        await run(
          store.view(async () => undefined),
          GROWN,
        );
        expectAlike(store.lying, undisturbed, when);
      }
    });
  }
});
