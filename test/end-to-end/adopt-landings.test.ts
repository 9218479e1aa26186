import { expect } from 'chai';
import { formatHour, type Hour, hoursOf, readHour } from '../../src/hours.ts';
import { manifestKey } from '../../src/landing/manifest.ts';
import { expectedHour } from '../../src/simulator/simulator.ts';
import { below, checksumsOf, expectAdopted, expectWhole, manifestOf, markKey } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, type Files, mergedIds, pythonLayout } from '../support/adopt/source.ts';
import { folderStore, type Store } from '../support/adopt/stores.ts';

const TRAFFIC = { eventsPerHour: 20 };
const RANGE = { start: readHour('2026-03-04T06'), end: readHour('2026-03-04T09') };
const HOURS = hoursOf(RANGE);
const [FIRST] = HOURS as [Hour];
const names = (hours: readonly Hour[]) => hours.map(formatHour);
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;

describe('adopt of a landing of this program', function () {
  this.timeout(60_000);
  let store: Store;
  let scene: Scene;
  let scenes = 0;

  before(async () => {
    store = await folderStore();
  });
  after(() => store.close());
  beforeEach(() => {
    scenes++;
    scene = new Scene(store, store);
    scene.source = `old-${scenes}`;
    scene.destination = `landed-${scenes}`;
  });

  /** Adopts the files into the scene's source, which then is a landing. */
  async function land(files: Files, ...args: string[]): Promise<void> {
    const first = new Scene(store, store);
    first.source = `given-${scenes}`;
    first.destination = scene.source;
    await store.write(first.source, files);
    expect((await first.adopt(args)).code).to.equal(0);
  }

  it('takes over what proved each hour, and its merged IDs', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    for (const [key, bytes] of mergedIds(HOURS)) files.set(key, bytes);
    await land(files);
    const { code, said, stderr } = await scene.adopt();
    expect([code, said.hours.adopted, said.mergedIds.hours], stderr).to.deep.equal([0, names(HOURS), HOURS.length]);
    const landed = await scene.landed();
    const from = store.address(scene.source);
    for (const hour of HOURS) expectAdopted(landed, hour, membersOf(hour), { from, proof: 'manifest' });
    const ids = below(landed, 'merged_ids/');
    for (const hour of HOURS) expect(manifestOf(ids, hour)).to.include({ project: '77', events: 2 });
    expectWhole(ids);
  });

  it('takes hours that nothing proved as not proved', async () => {
    await land(await pythonLayout(HOURS, TRAFFIC));
    const { code, said } = await scene.adopt();
    expect([code, said.hours.unproved]).to.deep.equal([0, names(HOURS)]);
    for (const hour of HOURS) expect((await scene.landed()).has(markKey(hour))).to.equal(true);
  });

  it('leaves a landing of another project', async () => {
    const mine = new Scene(store, store);
    mine.source = `mine-${scenes}`;
    mine.destination = scene.destination;
    await store.write(mine.source, await amplitudeLayout([FIRST], TRAFFIC));
    await mine.adopt();
    const before = await scene.landed();
    await land(await amplitudeLayout(HOURS, { ...TRAFFIC, project: '200000002' }));
    const { code, said, stderr } = await scene.adopt();
    expect([code, said.hours.adopted, said.hours.failed], stderr).to.deep.equal([0, [], []]);
    expect(new Set(said.left.map(({ code }) => code))).to.deep.equal(new Set(['FOREIGN']));
    expect(checksumsOf(await scene.landed())).to.deep.equal(checksumsOf(before));
  });

  it('leaves an hour whose manifest names an object that is damaged or gone', async () => {
    await land(await amplitudeLayout(HOURS, TRAFFIC));
    const old = await store.read(scene.source);
    const [damaged, gone] = HOURS as [Hour, Hour];
    const key = (hour: Hour) => manifestOf(old, hour).objects[0]?.key ?? '';
    const other = Buffer.from(old.get(key(damaged)) as Buffer);
    other[5] = (other[5] ?? 0) ^ 1;
    await store.write(scene.source, new Map([[key(damaged), other]]));
    await store.open(scene.source).delete([key(gone)]);
    const { code, said, stderr } = await scene.adopt();
    expect([code, said.hours.adopted], stderr).to.deep.equal([3, names(HOURS.slice(2))]);
    expect(said.hours.failed.map(({ code }) => code)).to.deep.equal(['ADOPT_BROKEN', 'ADOPT_BROKEN']);
    expect(said.left.map(({ file }) => file)).to.have.members([key(damaged), key(gone)]);
    expectWhole(await scene.landed(), [damaged, gone]);
  });

  it('fails for an hour whose manifest cannot be read, and lands the rest', async () => {
    await land(await amplitudeLayout(HOURS, TRAFFIC));
    await store.write(scene.source, new Map([[manifestKey(FIRST), Buffer.from('{"version":1')]]));
    const { code, said, stderr } = await scene.adopt();
    expect([code, said.hours.adopted], stderr).to.deep.equal([3, names(HOURS.slice(1))]);
    expect(said.hours.failed.map(({ hour, code }) => [hour, code])).to.deep.equal([
      [formatHour(FIRST), 'MANIFEST_UNREADABLE'],
    ]);
  });
});
