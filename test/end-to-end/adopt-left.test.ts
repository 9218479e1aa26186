import { expect } from 'chai';
import { formatHour, type Hour, hoursOf, readHour } from '../../src/hours.ts';
import { expectedHour } from '../../src/simulator/simulator.ts';
import { expectWhole } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import {
  amplitudeLayout,
  changed,
  damaged,
  type Files,
  pythonLayout,
  repacked,
  servedHour,
} from '../support/adopt/source.ts';
import { folderStore, type Store } from '../support/adopt/stores.ts';
import { failure } from '../support/destination-contract.ts';

const TRAFFIC = { eventsPerHour: 20 };
const OTHER = { ...TRAFFIC, project: '200000002' };
const RANGE = { start: readHour('2026-03-04T06'), end: readHour('2026-03-04T09') };
const HOURS = hoursOf(RANGE);
const [FIRST] = HOURS as [Hour];
const FILES = HOURS.flatMap((hour) => expectedHour(TRAFFIC, hour).parts).length;
const names = (hours: readonly Hour[]) => hours.map(formatHour);
const firstFile = (hour: Hour) => expectedHour(TRAFFIC, hour).parts[0]?.name ?? '';

describe('what adopt leaves', function () {
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
    scene.source = `source-${scenes}`;
    scene.destination = `landed-${scenes}`;
  });

  const lay = (...sources: Files[]) => store.write(scene.source, new Map(sources.flatMap((files) => [...files])));
  const codesOf = (left: readonly { code: string; hour: string | null }[]) =>
    left.map(({ code, hour }) => [code, hour]);

  it('is FOREIGN: the files of the project that has fewer', async () => {
    await lay(await amplitudeLayout(HOURS, TRAFFIC), await amplitudeLayout([FIRST], OTHER, { folder: 'a/' }));
    const { code, said, stderr } = await scene.adopt();
    expect([code, said.project, said.hours.adopted], stderr).to.deep.equal([0, '100011471', names(HOURS)]);
    expect(new Set(said.left.map(({ code }) => code))).to.deep.equal(new Set(['FOREIGN']));
    expectWhole(await scene.landed());
  });

  it('is FOREIGN: all files of another project than the destination holds', async () => {
    await lay(await amplitudeLayout([FIRST], TRAFFIC));
    await scene.adopt();
    scene.source += '-other';
    await lay(await amplitudeLayout(HOURS, OTHER));
    const { code, said } = await scene.adopt();
    expect([code, said.project, said.hours.adopted, said.hours.failed]).to.deep.equal([0, '100011471', [], []]);
    expect(said.left.length).to.be.above(0);
    for (const { code } of said.left) expect(code).to.equal('FOREIGN');
  });

  it('is OVERLAP: an hour with two files of one part and other content', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    const original = files.get(firstFile(FIRST)) as Buffer;
    await lay(files, new Map([[`again/${firstFile(FIRST)}`, changed(original)]]));
    const { code, said } = await scene.adopt();
    expect([code, said.hours.adopted]).to.deep.equal([3, names(HOURS.slice(1))]);
    expect(said.hours.failed.map(({ hour, code }) => [hour, code])).to.deep.equal([
      [formatHour(FIRST), 'ADOPT_OVERLAP'],
    ]);
    expect(new Set(codesOf(said.left).map(String))).to.deep.equal(new Set([`OVERLAP,${formatHour(FIRST)}`]));
    const told = said.left.map(({ file, reason }) => `${file} ${reason}`).join();
    expect(told).to.include(`again/${firstFile(FIRST)}`);
  });

  it('is not a second file of the same content, in any layout or packing', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    const original = files.get(firstFile(FIRST)) as Buffer;
    const scripts = await pythonLayout(HOURS, TRAFFIC, { folder: 'python-import/' });
    await lay(files, scripts, new Map([[`again/${firstFile(FIRST)}`, repacked(original)]]));
    const { code, said, stderr } = await scene.adopt();
    expect([code, said.left], stderr).to.deep.equal([0, []]);
    expect([said.hours.adopted, said.hours.unproved]).to.deep.equal([names(HOURS), []]);
    expect(said.files.adopted).to.equal(said.files.found);
    expect([...(await scene.landed()).keys()].filter((key) => key.startsWith('events/'))).to.have.length(FILES);
    expectWhole(await scene.landed());
  });

  it('is BROKEN: a damaged file, half a file, no event, no bytes', async () => {
    const whole = (await servedHour(FIRST, TRAFFIC)).get(firstFile(FIRST)) as Buffer;
    const faults: [string, Buffer][] = [
      ['a wrong bit', damaged(whole)],
      ['half', whole.subarray(0, whole.length >> 1)],
      ['no bytes', Buffer.alloc(0)],
      ['no gzip', Buffer.from('<html>not found</html>')],
      ...(await Promise.all(
        ['json-array', 'gzip-in-gzip', 'utf16', 'empty-member'].map(async (fault): Promise<[string, Buffer]> => {
          const served = await servedHour(FIRST, { ...TRAFFIC, faults: [`${fault}@${formatHour(FIRST)}`] });
          return [fault, served.get(firstFile(FIRST)) as Buffer];
        }),
      )),
    ];
    for (const [what, bytes] of faults) {
      scene.destination = `landed-${what}`;
      await lay(await amplitudeLayout([FIRST], TRAFFIC), new Map([[firstFile(FIRST), bytes]]));
      const { code, said, stderr } = await scene.adopt();
      expect(
        said.hours.failed.map(({ hour, code }) => [hour, code]),
        what,
      ).to.deep.equal([[formatHour(FIRST), 'ADOPT_BROKEN']]);
      expect(codesOf(said.left), what).to.deep.equal([['BROKEN', formatHour(FIRST)]]);
      expect([code, said.exitCode], `${what}: ${stderr}`).to.deep.equal([1, 1]);
      const landed = [...(await scene.landed()).keys()].filter((key) => key.startsWith('manifests/'));
      expect(landed, what).to.deep.equal([]);
    }
  });

  it('is UNKNOWN: counted, and the first ones named', async () => {
    const others = Array.from({ length: 200 }, (_, nth) => [`notes/${nth}.txt`, Buffer.from('x')] as const);
    const odd = ['100011471_2026-13-40_5#0.json.gz', '100011471_2026-03-04_25#0.json.gz', '.json.gz', 'events.json'];
    await lay(
      await amplitudeLayout(HOURS, TRAFFIC),
      new Map([...others, ...odd.map((name) => [name, Buffer.from('{}\n')] as const)]),
    );
    const { code, said } = await scene.adopt();
    expect([code, said.files.unknown, said.hours.adopted]).to.deep.equal([0, 204, names(HOURS)]);
    const unknown = said.left.filter(({ code }) => code === 'UNKNOWN');
    expect(unknown.length).to.be.within(1, 50);
  });

  it('says what it found before it starts', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    await lay(files);
    const { stderr } = await scene.adopt();
    const data = [...files].filter(([key]) => key.endsWith('.gz'));
    expect(stderr).to.include(`${data.length} files`).and.to.include(`${HOURS.length} hours`);
  });

  it('is all of a source that holds no file of an export, or that does not exist: then the run fails', async () => {
    await lay(new Map([['a.txt', Buffer.from('x')]]));
    expect(await failure(scene.adopt())).to.include({ code: 'ADOPT_NOTHING', exitCode: 1 });
    scene.source = 'nowhere';
    expect(await failure(scene.adopt())).to.include({ code: 'USAGE', exitCode: 2 });
  });
});
