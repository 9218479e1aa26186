import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { ExportReport } from '../../../src/export/report.ts';
import { Random } from '../../../src/simulator/random.ts';
import { brokenSeals, expectAlike, strays } from './landed.ts';
import { folderPlace, type Place, s3Place } from './places.ts';
import { type Kind, Scene } from './scene.ts';

const TIMES = 3;
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const KINDS: readonly Kind[] = ['first', 'again'];
const WHAT: Readonly<Record<Kind, string>> = { first: 'first landings', again: 'replacements' };

describe(`two runs at once, KILL_SEED=${SEED}`, function () {
  this.timeout(120_000);
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
  });

  for (const [at, where] of ['a folder', 'S3'].entries()) {
    for (const kind of KINDS) {
      it(`${WHAT[kind]} in ${where} end as after one`, async () => {
        for (let time = 0; time < TIMES; time++) {
          const place = places[at] as Place;
          const { after, env } = await scene.prepare(place, kind);
          const one = scene.program.start(place, { env });
          await pause(new Random(SEED, time, at).below(400));
          const other = scene.program.start(place, { env });
          const runs = await Promise.all([one.ended, other.ended]);
          for (const { code, stderr, stdout } of runs) {
            if (where === 'a folder' && stderr.includes('DESTINATION_LOCKED')) continue;
            expect(code, stderr.slice(-2000)).to.equal(0);
            expect((JSON.parse(stdout) as ExportReport).hours.failed).to.deep.equal([]);
          }
          expect(runs.map(({ code }) => code)).to.include(0);
          await scene.program.leavesNothing();
          const contents = await place.read();
          expectAlike(contents, after, `time ${time}`);
          expect(strays(contents), `time ${time}`).to.deep.equal([]);
        }
      });
    }

    it(`in ${where}, one of them killed, end as after one with one run more`, async () => {
      for (const [time, kind] of [...KINDS, ...KINDS].entries()) {
        const random = new Random(SEED, time, 2 + at);
        const place = places[at] as Place;
        const { after, env, took } = await scene.prepare(place, kind);
        const one = scene.program.start(place, { env });
        const other = scene.program.start(place, { env });
        await pause(took.ms * (0.3 + random.fraction()));
        other.child.kill('SIGKILL');
        const { code, stderr } = await one.ended;
        if (!stderr.includes('DESTINATION_LOCKED')) expect(code, stderr.slice(-2000)).to.equal(0);
        await other.ended;
        expect(brokenSeals(await place.read())).to.deep.equal([]);
        await scene.program.finish(place, { env });
        expectAlike(await place.read(), after, `time ${time}`);
      }
    });
  }
});
