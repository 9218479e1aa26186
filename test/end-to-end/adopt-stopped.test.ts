import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { formatHour, type Hour, hourFolder, hoursOf, readHour } from '../../src/hours.ts';
import { hourOfManifestKey, manifestKey } from '../../src/landing/manifest.ts';
import { expectedHour, parseFault, startSimulator } from '../../src/simulator/simulator.ts';
import { brokenSeals } from '../integration/kill/landed.ts';
import { checksumsOf, essenceOf, expectAdopted, expectWhole, manifestOf, markKey } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, markOf } from '../support/adopt/source.ts';
import { type BucketStore, bucketStore, folderStore, type Store } from '../support/adopt/stores.ts';

const TRAFFIC = { eventsPerHour: 20 };
/** No two hours in a row are without events. */
const RANGE = { start: readHour('2026-03-04T06'), end: readHour('2026-03-05T00') };
const HOURS = hoursOf(RANGE);
const FILLED = HOURS.filter((hour) => expectedHour(TRAFFIC, hour).events > 0);
/** Far enough in that hours before it have landed, and others come after it. */
const MIDDLE = FILLED[FILLED.length >> 1] as Hour;

/** Some hours without a proof, so that a stop may fall between a manifest and its mark. */
async function sourceFiles() {
  const files = await amplitudeLayout(HOURS, TRAFFIC);
  for (const hour of FILLED.filter((_, nth) => nth % 3 === 0)) files.delete(markOf(hour, {}));
  return files;
}

describe('adopt that is stopped', function () {
  this.timeout(60_000);
  let stores: Store[];
  let bucket: BucketStore;
  let folder: Store;

  before(async () => {
    folder = await folderStore();
    bucket = await bucketStore();
    stores = [folder, bucket];
    for (const store of stores) await store.write('source', await sourceFiles());
  });
  after(() => Promise.all(stores.map((store) => store.close())));

  async function expectAsUndisturbed(scene: Scene, store: Store): Promise<void> {
    const broken = await scene.landed();
    expect(brokenSeals(broken)).to.deep.equal([]);
    const sealed = [...broken.keys()].filter((key) => hourOfManifestKey(key) !== undefined).length;
    const { code, said, stderr } = await scene.adopt();
    expect(code, stderr).to.equal(0);
    expect(said.hours.same + said.hours.adopted.length + said.hours.empty.length).to.equal(HOURS.length);
    expect(said.hours.same).to.equal(sealed);
    const whole = new Scene(store, store);
    whole.destination = `whole-${scene.destination}`;
    expect((await whole.adopt()).code).to.equal(0);
    expect(essenceOf(await scene.landed())).to.deep.equal(essenceOf(await whole.landed()));
    expectWhole(await scene.landed());
  }

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const [what, fault] of [
      ['an object', { operation: 'PutObject', key: new RegExp(`events/${hourFolder(MIDDLE)}`) }],
      ['a manifest', { operation: 'PutObject', key: new RegExp(manifestKey(MIDDLE)) }],
      ['a mark', { operation: 'PutObject', key: /unproved\// }],
    ] as const) {
      it(`by ${signal} while it writes ${what} to S3 goes on as if nothing had happened`, async () => {
        const scene = new Scene(bucket, bucket);
        scene.destination = `${signal}-${what.split(' ')[1]}`;
        const { server } = bucket;
        server.requests.length = 0;
        server.faults.push({ ...fault, times: 1, fault: 'stall' });
        const { child, ended } = scene.start();
        const isStalled = () => server.faults[0]?.times === 0;
        while (!isStalled() && child.exitCode === null) await pause(5);
        child.kill(signal);
        expect(await ended).to.deep.equal(signal === 'SIGTERM' ? [143, null] : [null, signal]);
        server.faults.length = 0;
        await expectAsUndisturbed(scene, bucket);
      });
    }

    it(`by ${signal} while it writes to a folder goes on as if nothing had happened`, async () => {
      const scene = new Scene(folder, folder);
      scene.destination = signal;
      const { child, ended } = scene.start();
      const sealed = async () => (await Array.fromAsync(folder.open(signal).list('manifests/'))).length;
      while ((await sealed()) < 2 && child.exitCode === null) await pause(2);
      child.kill(signal);
      expect(await ended).to.deep.equal(signal === 'SIGTERM' ? [143, null] : [null, signal]);
      await expectAsUndisturbed(scene, folder);
    });
  }
});

describe('adopt that is killed between the mark and the manifest of an hour', function () {
  this.timeout(60_000);

  it('takes the mark away once the hour is proved', async () => {
    const bucket = await bucketStore();
    const scene = new Scene(bucket, bucket);
    await bucket.write('source', await amplitudeLayout([MIDDLE], TRAFFIC, { marks: false }));
    await bucket.write(scene.destination, new Map([[markKey(MIDDLE), Buffer.alloc(0)]]));
    const { code, said } = await scene.adopt(['--trust']);
    expect([code, said.hours.adopted, said.hours.unproved]).to.deep.equal([0, [formatHour(MIDDLE)], []]);
    const landed = await scene.landed();
    const { parts } = expectedHour(TRAFFIC, MIDDLE);
    expectAdopted(landed, MIDDLE, parts, { from: bucket.address('source'), proof: 'trust' });
    await bucket.close();
  });
});

describe('adopt of an hour that another run seals at the same moment', function () {
  this.timeout(60_000);
  let bucket: BucketStore;
  const files = () => amplitudeLayout([MIDDLE], TRAFFIC);

  before(async () => {
    bucket = await bucketStore();
    await bucket.write('source', await files());
  });
  after(() => bucket.close());

  /** An export lands the hour just before the adoption puts its manifest. */
  async function contested(name: string, ...faults: string[]) {
    const simulator = await startSimulator({ ...TRAFFIC, faults: faults.map(parseFault) });
    const other = new Scene(bucket, bucket);
    other.destination = `${name}-other`;
    const range = ['--start', formatHour(MIDDLE), '--end', formatHour(MIDDLE + 1)];
    const { code } = await other.run(['export', ...range], {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
    });
    await simulator.close();
    expect(code).to.equal(0);
    const theirs = await other.landed();
    const scene = new Scene(bucket, bucket);
    scene.destination = name;
    const { server } = bucket;
    const push = server.requests.push.bind(server.requests);
    let isFirst = true;
    server.requests.push = (...seen) => {
      const isSeal = seen.some(({ method, key }) => method === 'PUT' && key === `${name}/${manifestKey(MIDDLE)}`);
      if (isSeal && isFirst) {
        isFirst = false;
        void bucket.write(name, theirs);
      }
      return push(...seen);
    };
    const adopted = await scene.adopt();
    server.requests.push = push;
    expect(isFirst, 'the adoption put a manifest').to.equal(false);
    return { ...adopted, theirs, landed: await scene.landed() };
  }

  it('leaves the hour to the other run where the content is the same', async () => {
    const { code, said, theirs, landed, stderr } = await contested('same');
    expect([code, said.hours.failed], stderr).to.deep.equal([0, []]);
    expect(checksumsOf(landed)).to.deep.equal(checksumsOf(theirs));
  });

  it('leaves the hour to the other run where the content differs, and says so', async () => {
    const { code, said, theirs, landed } = await contested('differs', `grown@${formatHour(MIDDLE)}`);
    expect([code, said.hours.failed.map(({ code }) => code)]).to.deep.equal([1, ['ADOPT_DIFFERS']]);
    expect(checksumsOf(landed)).to.deep.equal(checksumsOf(theirs));
  });

  it('lands the hour where nobody else does', async () => {
    const scene = new Scene(bucket, bucket);
    scene.destination = 'alone';
    await scene.adopt();
    const { parts } = expectedHour(TRAFFIC, MIDDLE);
    expectAdopted(await scene.landed(), MIDDLE, parts, { from: bucket.address('source'), proof: 'mark' });
    expect(manifestOf(await scene.landed(), MIDDLE).generation).to.equal(1);
  });
});
