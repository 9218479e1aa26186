import { expect } from 'chai';
import { formatHour, type Hour, readHour } from '../../src/hours.ts';
import { expectedHour } from '../../src/simulator/simulator.ts';
import { expectAdopted, expectWhole } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, changed, pythonLayout, SIX_HOURS } from '../support/adopt/source.ts';
import { type BucketStore, bucketStore } from '../support/adopt/stores.ts';

const { traffic: TRAFFIC, hours: HOURS, filled: FILLED } = SIX_HOURS;
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;
const FILES = HOURS.flatMap(membersOf).length;
const [FIRST] = FILLED as [Hour];

/** What S3 is asked for is what the page about adopting says that it costs. */
describe('what adopt asks of S3', function () {
  this.timeout(60_000);
  let bucket: BucketStore;
  let scene: Scene;
  let scenes = 0;

  before(async () => {
    bucket = await bucketStore();
    await bucket.write('amplitude', await amplitudeLayout(HOURS, TRAFFIC));
    await bucket.write('script', await pythonLayout(HOURS, TRAFFIC));
    for (const format of ['json', 'gzip']) await adoptedInto(`own-${format}`, 'amplitude', format);
  });
  after(() => bucket.close());
  beforeEach(() => {
    scenes++;
    scene = new Scene(bucket, bucket);
    scene.destination = `landed-${scenes}`;
    bucket.server.requests.length = 0;
    bucket.server.faults.length = 0;
  });

  async function adoptedInto(destination: string, source: string, format: string) {
    const one = new Scene(bucket, bucket, { OUTPUT_FORMAT: format });
    one.source = source;
    one.destination = destination;
    expect((await one.adopt(['--trust'])).code).to.equal(0);
  }

  /** How often each operation was asked for, and of what: files of the source, objects, manifests or marks. */
  function asked(source: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { operation, key } of bucket.server.requests) {
      const [, top = ''] = key.split('/');
      const what = key.startsWith(`${source}/`) && top !== 'manifests' ? 'file' : top;
      const name = operation === 'ListObjectsV2' ? 'list' : `${operation} ${what}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    delete counts.list;
    return counts;
  }

  // One more, which S3 must refuse: that proves its conditions.
  const SEALS = { 'PutObject manifests': HOURS.length + 1 };
  const FILLED_SEALS = { 'PutObject manifests': FILLED.length + 1 };
  const READS = { 'GetObject file': FILES };
  const COPIES = { 'CopyObject events': FILES };
  const PUTS = { 'PutObject events': FILES };
  const OWN = { 'GetObject manifests': HOURS.length + 1 };
  const cases: [source: string, format: string, requests: Record<string, number>][] = [
    ['amplitude', 'json', { ...READS, ...PUTS, ...SEALS }],
    ['amplitude', 'gzip', { ...READS, ...COPIES, ...SEALS }],
    ['script', 'json', { ...READS, ...COPIES, ...FILLED_SEALS }],
    ['script', 'gzip', { ...READS, ...PUTS, ...FILLED_SEALS }],
    ['own-json', 'json', { ...COPIES, ...OWN, ...SEALS }],
    ['own-gzip', 'gzip', { ...COPIES, ...OWN, ...SEALS }],
    ['own-gzip', 'json', { ...READS, ...PUTS, ...OWN, ...SEALS }],
  ];
  for (const [source, format, requests] of cases) {
    it(`is one request for each thing it has to do: ${source} as ${format}`, async () => {
      scene.source = source;
      const { code, said, stderr } = await scene.adopt(['--trust'], { OUTPUT_FORMAT: format });
      expect(code, stderr).to.equal(0);
      expect(asked(source)).to.deep.equal(requests);
      expect(said.copied).to.equal('CopyObject events' in requests ? FILES : 0);
      expectWhole(await scene.landed());
    });
  }

  it('is 8 bytes of each file that landed before', async () => {
    scene.source = 'amplitude';
    await scene.adopt();
    bucket.server.requests.length = 0;
    const { said } = await scene.adopt();
    expect(said.hours.same).to.equal(HOURS.length);
    const { 'GetObject manifests': manifests, ...others } = asked('amplitude');
    expect(others).to.deep.equal(READS);
    expect(manifests).to.be.within(HOURS.length, HOURS.length + 1);
    const ranges = bucket.server.requests.filter(({ key }) => key.endsWith('.gz')).map(({ headers }) => headers.range);
    expect(new Set(ranges)).to.deep.equal(new Set(['bytes=-8']));
  });

  for (const fault of ['not-implemented', 'access-denied', 'page-403', 'vague'] as const) {
    it(`is an upload in place of a copy where S3 refuses to copy (${fault})`, async () => {
      bucket.server.faults.push({ operation: 'CopyObject', fault });
      scene.source = 'amplitude';
      const { code, said, stderr } = await scene.adopt([], { OUTPUT_FORMAT: 'gzip' });
      expect([code, said.copied], stderr).to.deep.equal([0, 0]);
      const landed = await scene.landed();
      const from = bucket.address('amplitude');
      for (const hour of FILLED) expectAdopted(landed, hour, membersOf(hour), { from, proof: 'mark', format: 'gzip' });
      const copies = bucket.server.requests.filter(({ operation }) => operation === 'CopyObject');
      expect(copies.length, 'those that were under way at once').to.be.at.most(8);
    });
  }

  for (const fault of ['html', 'other-checksum', 'etag', 'lost-answer', 'slow-down'] as const) {
    it(`is no copy that the answer does not prove (${fault})`, async () => {
      bucket.server.faults.push({ operation: 'CopyObject', fault, times: 1 });
      scene.source = 'amplitude';
      const { said, stderr } = await scene.adopt([], { OUTPUT_FORMAT: 'gzip' });
      const landed = await scene.landed();
      expectWhole(
        landed,
        said.hours.failed.map(({ hour }) => readHour(hour)),
      );
      const { said: again, code } = await scene.adopt([], { OUTPUT_FORMAT: 'gzip' });
      expect([code, again.hours.failed], stderr).to.deep.equal([0, []]);
      const whole = await scene.landed();
      const from = bucket.address('amplitude');
      for (const hour of FILLED) expectAdopted(whole, hour, membersOf(hour), { from, proof: 'mark', format: 'gzip' });
    });
  }

  /** Adopts the first hour from a source whose file changes just before the first request of that kind. */
  async function adoptChanging(operation: string, format: string) {
    scene.source = `changing-${scenes}`;
    await bucket.write(scene.source, await amplitudeLayout([FIRST], TRAFFIC));
    const [name = ''] = membersOf(FIRST).map((member) => member.name);
    const { server } = bucket;
    const push = server.requests.push.bind(server.requests);
    let isDone = false;
    server.requests.push = (...seen) => {
      if (!isDone && seen.some((request) => request.operation === operation && !request.key.includes('manifests/'))) {
        isDone = true;
        const old = server.objects.get(`bucket/${scene.source}/${name}`)?.body as Buffer;
        void bucket.write(scene.source, new Map([[name, changed(old)]]));
      }
      return push(...seen);
    };
    const adopted = await scene.adopt([], { OUTPUT_FORMAT: format });
    server.requests.push = push;
    expect(isDone, 'the file has changed').to.equal(true);
    expectWhole(await scene.landed(), [FIRST]);
    return adopted;
  }

  for (const format of ['json', 'gzip']) {
    it(`leaves an hour whose file changes between listing and reading (${format})`, async () => {
      const { code, said, stderr } = await adoptChanging('GetObject', format);
      expect([code, said.hours.failed.map(({ hour, code }) => [hour, code])], stderr).to.deep.equal([
        1,
        [[formatHour(FIRST), 'ADOPT_BROKEN']],
      ]);
      // The next run takes it as it is then.
      expect((await scene.adopt([], { OUTPUT_FORMAT: format })).said.hours.adopted).to.deep.equal([formatHour(FIRST)]);
    });
  }

  it('lands what it has read where the file changes before S3 copies it', async () => {
    const { objects } = bucket.server;
    const set = objects.set.bind(objects);
    const bodies = new Map<string, Set<string>>();
    objects.set = (key, object) => {
      if (key.startsWith('bucket/landed-')) bodies.set(key, (bodies.get(key) ?? new Set()).add(object.etag));
      return set(key, object);
    };
    const { code, said, stderr } = await adoptChanging('CopyObject', 'gzip');
    objects.set = set;
    // Another run may have sealed the same key: no other bytes stand there, not even for a moment.
    for (const [key, each] of bodies) expect(each.size, key).to.equal(1);
    expect([code, said.copied, said.hours.adopted], stderr).to.deep.equal([0, 0, [formatHour(FIRST)]]);
    const from = bucket.address(scene.source);
    expectAdopted(await scene.landed(), FIRST, membersOf(FIRST), { from, proof: 'mark', format: 'gzip' });
    const again = await scene.adopt([], { OUTPUT_FORMAT: 'gzip' });
    expect(again.said.hours.failed.map(({ code }) => code)).to.deep.equal(['ADOPT_DIFFERS']);
  });
});
