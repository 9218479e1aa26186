import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Random } from '../../../src/simulator/random.ts';
import { brokenSeals, expectAlike, manifestsIn, strays } from './landed.ts';
import { type Contents, folderPlace, type Place, s3Place } from './places.ts';
import { type Kind, Scene } from './scene.ts';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 20);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const KINDS: readonly Kind[] = ['first', 'again'];

/** Where the kills of all rounds hit, so that a reader sees that they hit everything. */
const hits = { kills: 0, before: 0, within: 0, after: 0, ended: 0, partialFiles: 0, halfLanded: 0 };

describe(`killed and run again: ${ROUNDS} rounds, KILL_SEED=${SEED}`, function () {
  this.timeout(60_000 + ROUNDS * 10_000);
  let scene: Scene;
  let places: Place[];

  before(async () => {
    scene = await Scene.open();
    places = [folderPlace(), await s3Place()];
  });

  afterEach(() => scene.program.end());

  after(async () => {
    for (const place of places) await place.close();
    await scene.close();
    const { kills, before, within, after, ended, partialFiles, halfLanded } = hits;
    process.stdout.write(
      `    ${kills} kills: ${before} before anything changed, ${within} within the run, ${after} after all was sealed, ${ended} after its end;` +
        ` ${partialFiles} left partial files, ${halfLanded} objects of no manifest\n`,
    );
  });

  for (const [at, where] of ['a folder', 'S3'].entries()) {
    for (const [nth, kind] of KINDS.entries()) {
      const rounds = Array.from({ length: ROUNDS }, (_, round) => round).filter(
        (round) => round % 2 === at && (round >> 1) % 2 === nth,
      );
      const what = kind === 'first' ? 'first landings' : 'replacements';
      it(`${what} in ${where} end as if undisturbed (${rounds.length} rounds)`, async () => {
        for (const round of rounds) await killAndRunAgain(places[at] as Place, kind, round);
      });
    }
  }

  async function killAndRunAgain(place: Place, kind: Kind, round: number): Promise<void> {
    const random = new Random(SEED, round, 0);
    const format = random.chance(0.25) ? 'gzip' : 'json';
    const prepared = await scene.prepare(place, kind, format);
    const { before, after, env } = prepared;
    const memory = { ARCHIVE_MEMORY_MB: random.chance(0.5) ? '0' : '64' };
    const kills = random.chance(0.6) ? 1 : 2 + random.below(3);
    const told: string[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      const moment = Math.round(random.fraction() * prepared.took.ms);
      const run = scene.program.start(place, { env: { ...env, ...memory } });
      await Promise.race([pause(moment), run.ended]);
      run.child.kill('SIGKILL');
      const { signal, code, ms } = await run.ended;
      told.push(signal === null ? `ended with ${code}` : `killed after ${moment} ms`);
      const when = `KILL_SEED=${SEED}, round ${round} (${kind}, ${place.name}, ${format}): ${told.join(', ')}`;
      if (signal === null) {
        expect(code, when).to.equal(0);
        // A moment after the end hits nothing, and the first run measured was the slowest.
        if (told.length === 1) prepared.took.ms = Math.min(prepared.took.ms, ms);
      }
      const left = await place.read();
      note(left, before, after, signal === null);
      expect(brokenSeals(left), when).to.deep.equal([]);
      // A replacement that was killed is no gap.
      expect(sealedHours(left), when).to.include.members(sealedHours(before));
      await scene.program.leavesNothing();
    }
    const when = `KILL_SEED=${SEED}, round ${round} (${kind}, ${place.name}, ${format}): ${told.join(', ')}, run again`;
    await scene.program.finish(place, { env: { ...env, ...memory } });
    expectAlike(await place.read(), after, when);
  }
});

function note(left: Contents, before: Contents, after: Contents, ended: boolean): void {
  const same = (one: Contents, other: Contents) =>
    one.size === other.size && [...one].every(([key, bytes]) => other.get(key)?.equals(bytes) === true);
  const sealed = manifestsIn(left).length;
  const partial = [...left.keys()].some((key) => key.endsWith('.partial'));
  hits.kills++;
  if (ended) hits.ended++;
  else if (same(left, before)) hits.before++;
  else if (sealed === manifestsIn(after).length && strays(left).length === 0 && left.size === after.size) hits.after++;
  else hits.within++;
  if (partial) hits.partialFiles++;
  if (strays(left).some((key) => !key.endsWith('.partial'))) hits.halfLanded++;
}

function sealedHours(contents: Contents): string[] {
  return manifestsIn(contents).map(({ date, hour }) => `${date}T${hour}`);
}
