import { expect } from 'chai';
import type { ExportReport } from '../../src/export/report.ts';
import { formatHour, type Hour, hoursOf, readHour, startOf } from '../../src/hours.ts';
import { manifestKey } from '../../src/landing/manifest.ts';
import { expectedHour, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { expectWhole, manifestOf } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, markOf } from '../support/adopt/source.ts';
import { type BucketStore, bucketStore } from '../support/adopt/stores.ts';

const TRAFFIC = { eventsPerHour: 40 };
const HOURS = hoursOf({ start: readHour('2026-03-04T13'), end: readHour('2026-03-04T15') });
const [FIRST, SECOND] = HOURS as [Hour, Hour];
const RANGE_ARGS = ['--start', formatHour(FIRST), '--end', formatHour(SECOND + 1)];
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;

describe('an hour that was adopted, over time', function () {
  this.timeout(60_000);
  let bucket: BucketStore;
  let simulator: Simulator;
  let scene: Scene;
  let scenes = 0;

  before(async () => {
    bucket = await bucketStore();
    simulator = await startSimulator(TRAFFIC);
  });
  after(async () => {
    await simulator.close();
    await bucket.close();
  });
  beforeEach(() => {
    scenes++;
    scene = new Scene(bucket, bucket);
    scene.source = `source-${scenes}`;
    scene.destination = `landed-${scenes}`;
    simulator.faults.length = 0;
    bucket.server.faults.length = 0;
  });

  const exporting = (...args: string[]) =>
    scene.run(['export', ...RANGE_ARGS, ...args], {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
    });
  const states = async () => [...(await scene.status(FIRST, SECOND + 1)).values()];

  /** As if the hour had been sealed when it was ready. */
  function sealedEarly(hour: Hour): void {
    const key = `bucket/${scene.destination}/${manifestKey(hour)}`;
    const { objects } = bucket.server;
    const object = objects.get(key);
    expect(object, key).not.to.equal(undefined);
    if (object !== undefined) objects.set(key, { ...object, modifiedAt: startOf(hour + 4) });
  }

  it('is not proved by a mark where a file of it has another name', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    for (const { name } of membersOf(FIRST)) {
      files.set(name.replace('.json.gz', ' (1).json.gz'), files.get(name) ?? Buffer.alloc(0));
      files.delete(name);
    }
    await bucket.write(scene.source, files);
    const { code, said } = await scene.adopt();
    expect([code, said.hours.empty, said.hours.unproved]).to.deep.equal([0, [formatHour(FIRST)], [formatHour(FIRST)]]);
    expect(said.left.map((left) => left.code)).to.deep.equal(membersOf(FIRST).map(() => 'UNKNOWN'));
    expect((await exporting()).report<ExportReport>().events).to.equal(expectedHour(TRAFFIC, FIRST).events);
    expectWhole(await scene.landed());
  });

  it('stays where it is too large for the Export API, unless nothing proves it', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    files.delete(markOf(SECOND));
    await bucket.write(scene.source, files);
    await scene.adopt();
    for (const hour of HOURS) simulator.faults.push(parseFault(`too-large@${formatHour(hour)}`));
    sealedEarly(FIRST);
    expect(await states()).to.deep.equal(['unsettled', 'unproved']);
    const { code, report, stderr } = await exporting();
    expect(code).to.equal(3);
    const { unchanged, failed } = report().hours;
    expect([unchanged, failed.map((each) => [each.hour, each.code])]).to.deep.equal([
      [formatHour(FIRST)],
      [[formatHour(SECOND), 'AMPLITUDE_TOO_LARGE']],
    ]);
    expect(stderr).to.include('What was adopted stays.');
    expect(await states()).to.deep.equal(['complete', 'unproved']);
    expect(manifestOf(await scene.landed(), FIRST).source?.proof).to.equal('mark');
    // The way that the message names.
    expect((await scene.adopt(['--trust'])).said.hours.proved).to.deep.equal([formatHour(SECOND)]);
    expect((await exporting()).report<ExportReport>()).to.deep.include({ requests: 0, exitCode: 0 });
  });

  it('fails alone where its manifest cannot be read and Amplitude cannot serve it', async () => {
    await bucket.write(scene.source, await amplitudeLayout(HOURS, TRAFFIC));
    await scene.adopt();
    const key = manifestKey(FIRST);
    await bucket.write(scene.destination, new Map([[key, Buffer.from('{')]]));
    simulator.faults.push(parseFault(`too-large@${formatHour(FIRST)}`));
    const { code, report } = await exporting('--force');
    const { failed, unchanged } = report().hours;
    expect([code, failed.map((each) => [each.hour, each.code]), unchanged]).to.deep.equal([
      3,
      [[formatHour(FIRST), 'MANIFEST_UNREADABLE']],
      [formatHour(SECOND)],
    ]);
  });

  it('settles by a later adopt, where no export asks for it', async () => {
    await bucket.write(scene.source, await amplitudeLayout(HOURS, TRAFFIC));
    await scene.adopt();
    sealedEarly(FIRST);
    expect(await states()).to.deep.equal(['unsettled', 'complete']);
    const { said } = await scene.adopt();
    expect([said.hours.same, said.hours.proved, said.hours.adopted]).to.deep.equal([2, [], []]);
    expect(await states()).to.deep.equal(['complete', 'complete']);
    const landed = await scene.landed();
    expect(HOURS.map((hour) => manifestOf(landed, hour).generation)).to.deep.equal([2, 1]);
  });

  it('grows with the source where a person says so, against the mark', async () => {
    const grown = HOURS.find((hour) => membersOf(hour).length > 1) ?? FIRST;
    const whole = await amplitudeLayout(HOURS, TRAFFIC);
    const files = new Map(whole);
    files.delete(membersOf(grown).at(-1)?.name ?? '');
    await bucket.write(scene.source, files);
    expect((await scene.adopt()).said.hours.unproved).to.deep.equal([]);
    await bucket.write(scene.source, whole);
    const left = await scene.adopt();
    expect([left.code, left.said.hours.failed[0]?.code]).to.deep.equal([3, 'ADOPT_DIFFERS']);
    expect(left.said.hours.failed[0]?.message).to.include('without 1 file of the source').and.include('--trust');
    const { code, said } = await scene.adopt(['--trust']);
    expect([code, said.hours.adopted, said.hours.same]).to.deep.equal([0, [formatHour(grown)], 1]);
    const landed = await scene.landed();
    expect(manifestOf(landed, grown)).to.include({ events: expectedHour(TRAFFIC, grown).events, generation: 2 });
    expectWhole(landed);
  });

  it('is left where one of its files cannot be read, and no other hour is', async () => {
    await bucket.write(scene.source, await amplitudeLayout(HOURS, TRAFFIC));
    const [{ name } = { name: '' }] = membersOf(FIRST);
    bucket.server.faults.push({ operation: 'GetObject', key: new RegExp(name), fault: 'access-denied' });
    const { code, said } = await scene.adopt();
    expect([code, said.hours.adopted]).to.deep.equal([3, [formatHour(SECOND)]]);
    expect(said.hours.failed.map((each) => [each.hour, each.code])).to.deep.equal([
      [formatHour(FIRST), 'ADOPT_UNREADABLE'],
    ]);
    expect(said.left.map((left) => [left.file, left.code])).to.deep.equal([[name, 'UNREADABLE']]);
    expect(said.hours.failed[0]?.message).to.include('Allow s3:GetObject');
    bucket.server.faults.length = 0;
    expect((await scene.adopt()).said.hours.adopted).to.deep.equal([formatHour(FIRST)]);
    expectWhole(await scene.landed());
  });
});
