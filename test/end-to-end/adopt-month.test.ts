import { expect } from 'chai';
import type { AdoptReport } from '../../src/adopt/report.ts';
import { formatHour, type Hour, hoursOf, readHour } from '../../src/hours.ts';
import { hourOfKey } from '../../src/landing/keys.ts';
import { expectedHour } from '../../src/simulator/simulator.ts';
import { checksumsOf, expectAdopted, expectWhole } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, changed, damaged, type Files, markOf, repacked } from '../support/adopt/source.ts';
import { bucketStore, folderStore, type Store } from '../support/adopt/stores.ts';

const TRAFFIC = { eventsPerHour: 3 };
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;
const fileOf = (hour: Hour, part = 0) => membersOf(hour)[part]?.name ?? '';
const named = (hours: readonly Hour[]) => hours.toSorted((a, b) => a - b).map(formatHour);

/** Some days of hours, and the hours that something is wrong with: far apart, each of at least two files. */
function calendar(days: number) {
  const start = readHour('2026-03-01T00');
  const range = { start, end: start + days * 24 };
  const hours = hoursOf(range);
  const busy = hours.filter((hour) => membersOf(hour).length > 1);
  const [gone, hole, unmarked, altered, broken, twice, torn, badLine, stranger] = Array.from(
    { length: 9 },
    (_, nth) => busy[Math.floor(((nth + 1) * busy.length) / 10)] as Hour,
  ) as [Hour, Hour, Hour, Hour, Hour, Hour, Hour, Hour, Hour];
  const quiet = hours.filter((hour) => membersOf(hour).length === 0);
  /** Nothing says that Amplitude had no data for it. */
  const unknownQuiet = quiet[1] as Hour;
  const failed = {
    [formatHour(altered)]: 'ADOPT_DIFFERS',
    [formatHour(broken)]: 'ADOPT_BROKEN',
    [formatHour(torn)]: 'ADOPT_OVERLAP',
  };
  const lands = hours.filter((hour) => membersOf(hour).length > 0 && hour !== gone && !(formatHour(hour) in failed));
  const empty = quiet.filter((hour) => hour !== unknownQuiet);
  return {
    range,
    hours,
    gone,
    hole,
    unmarked,
    altered,
    broken,
    twice,
    torn,
    badLine,
    stranger,
    unknownQuiet,
    failed,
    lands,
    empty,
  };
}
type Calendar = ReturnType<typeof calendar>;

/** Amplitude's own layout, with one of everything that happens to a bucket. */
async function bucketOf({
  hours,
  gone,
  hole,
  unmarked,
  broken,
  twice,
  torn,
  badLine,
  stranger,
  unknownQuiet,
}: Calendar): Promise<Files> {
  const files = await amplitudeLayout(hours, { ...TRAFFIC, faults: [`bad-line@${formatHour(badLine)}`] });
  const get = (name: string) => files.get(name) as Buffer;
  for (const { name } of membersOf(gone)) files.delete(name);
  files.delete(markOf(gone));
  files.delete(fileOf(hole));
  files.delete(markOf(unmarked));
  files.delete(markOf(unknownQuiet));
  files.set(fileOf(broken), damaged(get(fileOf(broken))));
  files.set(`copy/${fileOf(twice)}`, repacked(get(fileOf(twice))));
  files.set(`copy/${fileOf(torn)}`, changed(get(fileOf(torn))));
  files.set(fileOf(stranger).replaceAll('100011471', '100011472'), get(fileOf(stranger)));
  files.set('README.txt', Buffer.from('Do not touch!\n'));
  return files;
}

function expectLeft({ hours, left, files, exitCode }: AdoptReport, { failed, stranger }: Calendar): void {
  expect(Object.fromEntries(hours.failed.map(({ hour, code }) => [hour, code]))).to.deep.equal(failed);
  expect(hours.failed).to.have.length(3);
  const codes = Map.groupBy(left, ({ code }) => code);
  expect([...codes.keys()]).to.have.members(['DIFFERS', 'BROKEN', 'OVERLAP', 'FOREIGN', 'UNKNOWN']);
  const [foreign] = codes.get('FOREIGN') ?? [];
  expect(foreign).to.include({ hour: formatHour(stranger) });
  expect(foreign?.file).to.include('100011472_');
  expect(codes.get('UNKNOWN')).to.have.length(1);
  for (const { file, reason } of left) expect([file, reason]).not.to.include('');
  expect([files.unknown, exitCode]).to.deep.equal([1, 3]);
}

const KINDS = { 'a folder': folderStore, S3: bucketStore };
const CASES = [
  ['a folder', 'a folder', 'gzip', 2],
  ['a folder', 'S3', 'json', 2],
  ['S3', 'a folder', 'json', 2],
  ['S3', 'S3', 'gzip', 30],
] as const;

for (const [source, destination, format, days] of CASES) {
  describe(`adopt of ${days} days in ${source} into ${destination} as ${format}`, function () {
    this.timeout(60_000);
    const those = calendar(days);
    const { range, gone, hole, unmarked, altered, broken, torn, badLine, unknownQuiet, lands, empty } = those;
    let stores: Store[];
    let scene: Scene;
    let files: Files;

    before(async () => {
      const from = await KINDS[source]();
      const to = source === destination ? from : await KINDS[destination]();
      stores = [...new Set([from, to])];
      scene = new Scene(from, to, { OUTPUT_FORMAT: format });
      files = await bucketOf(those);
      await from.write('source', files);
    });
    after(() => Promise.all(stores.map((store) => store.close())));

    it('lands every hour that is sound, and names the rest', async () => {
      // This hour landed before its file was changed.
      const first = await scene.adopt(['--start', formatHour(altered), '--end', formatHour(altered + 1)]);
      expect([first.code, first.said.hours.adopted], first.stderr).to.deep.equal([0, [formatHour(altered)]]);
      const other = changed(files.get(fileOf(altered)) as Buffer);
      files.set(fileOf(altered), other);
      await scene.from.write('source', new Map([[fileOf(altered), other]]));

      const { code, said, stderr } = await scene.adopt();
      expect(code, stderr).to.equal(3);
      expectLeft(said, those);
      const { hours } = said;
      expect(hours.adopted).to.deep.equal(named(lands));
      expect(hours.empty).to.deep.equal(named(empty));
      expect(hours.unproved).to.deep.equal(named([hole, unmarked]));
      expect([hours.proved, hours.pending, hours.same]).to.deep.equal([[], [], 0]);

      const landing = lands.map((hour) => membersOf(hour).filter(({ name }) => name !== fileOf(hole)));
      const count = landing.flat().length;
      const marks = [...files.keys()].filter((key) => key.endsWith('_complete')).length;
      const events = landing.flat().reduce((sum, { json }) => sum + json.toString().split('\n').length - 1, 0);
      // Of two files with the same content one lands, and both are done with.
      expect(said.files).to.include({ adopted: count + 1, marks });
      expect(said).to.include({ command: 'adopt', dryRun: false, range: null, project: '100011471', events });
      expect([said.quarantined, said.mergedIds.hours]).to.deep.equal([1, 0]);
      // All but the one with a bad line; and of the broken hour perhaps what was sound.
      const copies = source === 'S3' && destination === 'S3' ? count - 1 : 0;
      expect(said.copied).to.be.within(copies, copies === 0 ? 0 : copies + membersOf(broken).length - 1);
    });

    it('holds exactly the content of the files, sealed with what proves each hour', async () => {
      const landed = await scene.landed();
      const from = scene.from.address('source');
      for (const hour of lands.filter((hour) => hour !== badLine)) {
        const members = membersOf(hour).filter(({ name }) => name !== fileOf(hole));
        const proof = hour === hole || hour === unmarked ? 'none' : 'mark';
        expectAdopted(landed, hour, members, { from, proof, format });
      }
      for (const hour of empty) expectAdopted(landed, hour, [], { from, proof: 'mark' });
      expectWhole(landed, [broken]);
      const states = await scene.status(range.start, range.end);
      const missing = [gone, unknownQuiet, broken, torn].map(formatHour);
      expect([...states].filter(([, state]) => state === 'missing').map(([hour]) => hour)).to.have.members(missing);
      expect([...states].filter(([, state]) => state === 'unproved').map(([hour]) => hour)).to.have.members(
        named([hole, unmarked]),
      );
      expect(await scene.differences(days < 30 ? ['--deep'] : [])).to.deep.equal([]);
    });

    it('adopts nothing twice, and never changes the source', async () => {
      const before = await scene.landed();
      const { code, said, stderr } = await scene.adopt();
      expect(code, stderr).to.equal(3);
      expectLeft(said, those);
      expect([said.hours.adopted, said.hours.empty, said.files.adopted]).to.deep.equal([[], [], 0]);
      expect(said.hours.same).to.equal(lands.length + empty.length);
      expect(said.events).to.equal(0);
      // Of the broken hour, what is sound may or may not be written before the rest is found damaged.
      const isSealed = ([key]: [string, Buffer]) => hourOfKey(key) !== broken;
      expect(checksumsOf([...(await scene.landed())].filter(isSealed))).to.deep.equal(
        checksumsOf([...before].filter(isSealed)),
      );
      expect(checksumsOf(await scene.from.read('source'))).to.deep.equal(checksumsOf(files));
    });
  });
}
