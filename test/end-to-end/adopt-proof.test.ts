import { expect } from 'chai';
import type { DryRunReport, ExportReport } from '../../src/export/report.ts';
import { formatHour, type Hour } from '../../src/hours.ts';
import { expectedHour, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { checksumsOf, expectAdopted, expectWhole, manifestOf, markKey } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, type Files, markOf, SIX_HOURS } from '../support/adopt/source.ts';
import { bucketStore, folderStore, type Store } from '../support/adopt/stores.ts';

const { traffic: TRAFFIC, range: RANGE, hours: HOURS, quiet: QUIET, filled: FILLED } = SIX_HOURS;
const RANGE_ARGS = ['--start', formatHour(RANGE.start), '--end', formatHour(RANGE.end)];
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;
const eventsOf = (hour: Hour) => expectedHour(TRAFFIC, hour).events;
const names = (hours: readonly Hour[]) => hours.map(formatHour);

for (const kind of ['a folder', 'S3'] as const) {
  describe(`what proves an hour that was adopted into ${kind}`, function () {
    this.timeout(60_000);
    let store: Store;
    let simulator: Simulator;
    let scene: Scene;
    let scenes = 0;

    before(async () => {
      store = kind === 'S3' ? await bucketStore() : await folderStore();
      simulator = await startSimulator(TRAFFIC);
    });
    after(async () => {
      await simulator.close();
      await store.close();
    });
    beforeEach(() => {
      scenes++;
      scene = new Scene(store, store);
      scene.source = `source-${scenes}`;
      scene.destination = `landed-${scenes}`;
      simulator.faults.length = 0;
      simulator.requests.length = 0;
    });

    const lay = (files: Files) => store.write(scene.source, files);
    const exporting = (...args: string[]) =>
      scene.run(['export', ...RANGE_ARGS, ...args], {
        AMPLITUDE_BASE_URL: simulator.url,
        AMPLITUDE_API_KEY: 'simulator-key',
        AMPLITUDE_SECRET_KEY: 'simulator-secret',
      });
    const states = async () => [...(await scene.status(RANGE.start, RANGE.end)).values()];
    const marksIn = (landed: Files) => [...landed.keys()].filter((key) => key.startsWith('unproved/'));

    it("is Amplitude's mark, also where there is no file: then the hour is empty", async () => {
      await lay(await amplitudeLayout(HOURS, TRAFFIC));
      const { code, said } = await scene.adopt();
      expect([code, said.hours.adopted, said.hours.empty]).to.deep.equal([0, names(FILLED), names([QUIET])]);
      expect([said.hours.unproved, said.files.marks]).to.deep.equal([[], 6]);
      expect(await states()).to.deep.equal(HOURS.map((hour) => (hour === QUIET ? 'empty' : 'complete')));
      const planned = (await exporting('--dry-run')).report<DryRunReport>();
      expect([planned.requests, planned.hours.skipped]).to.deep.equal([[], 6]);
    });

    it('is nothing else: an export asks for the rest, keeps the same content, and never asks again', async () => {
      await lay(await amplitudeLayout(HOURS, TRAFFIC, { marks: false }));
      expect((await scene.adopt()).said.hours.unproved).to.deep.equal(names(FILLED));
      expect(await states()).to.deep.equal(HOURS.map((hour) => (hour === QUIET ? 'missing' : 'unproved')));
      const before = await scene.landed();
      expect(marksIn(before)).to.deep.equal(FILLED.map(markKey));

      const planned = (await exporting('--dry-run')).report<DryRunReport>();
      const reasons = planned.requests.flatMap(({ hours }) => hours.map(({ reason }) => reason as string));
      expect(reasons).to.deep.equal(HOURS.map((hour) => (hour === QUIET ? 'gap' : 'unproved')));
      expect(checksumsOf(await scene.landed())).to.deep.equal(checksumsOf(before));

      const { code, report, stderr } = await exporting();
      expect([code, report().hours.unchanged], stderr).to.deep.equal([0, names(FILLED)]);
      const landed = await scene.landed();
      expect(marksIn(landed)).to.deep.equal([]);
      expect(await states()).to.deep.equal(HOURS.map((hour) => (hour === QUIET ? 'empty' : 'complete')));
      for (const hour of FILLED) {
        const manifest = manifestOf(landed, hour);
        expect(manifest.objects, formatHour(hour)).to.deep.equal(manifestOf(before, hour).objects);
        expect(manifest, formatHour(hour)).to.have.property('request');
        expect(manifest, formatHour(hour)).not.to.have.property('source');
      }
      simulator.requests.length = 0;
      expect((await exporting()).report<ExportReport>().requests).to.equal(0);
      const again = await scene.adopt();
      expect([again.code, again.said.hours.adopted, again.said.hours.same]).to.deep.equal([0, [], FILLED.length]);
    });

    it('is an answer that holds more: it replaces the hour', async () => {
      const hours = FILLED.slice(0, 2);
      const [half, part] = hours as [Hour, Hour];
      // Half of the events of the first file, and a file that is not there.
      const faults = [`shrunk@${formatHour(half)}`, `missing-member@${formatHour(part)}`];
      await lay(await amplitudeLayout(hours, { ...TRAFFIC, faults }));
      expect((await scene.adopt()).said.hours.adopted).to.include(formatHour(half));
      // A mark proves that Amplitude wrote the hour. Only one that is not proved is asked for.
      expect((await exporting('--dry-run')).report<DryRunReport>().hours.skipped).to.equal(2);

      scene.destination += '-unproved';
      for (const hour of hours) await forget(markOf(hour));
      expect((await scene.adopt()).said.hours.unproved).to.deep.equal(names(hours));
      const { code, report, stderr } = await exporting();
      expect(code, stderr).to.equal(0);
      expect([report().hours.unchanged, report().hours.shrunk]).to.deep.equal([[], []]);
      const landed = await scene.landed();
      for (const hour of hours) {
        expect(manifestOf(landed, hour)).to.include({ events: eventsOf(hour), generation: 2 });
        expect(manifestOf(landed, hour)).not.to.have.property('source');
      }
      expect(marksIn(landed)).to.deep.equal([]);
      expectWhole(landed);
    });

    it('is an answer that holds less, or nothing: the hour stays, and its manifest says so', async () => {
      const [grown, gone] = FILLED as [Hour, Hour];
      const content = { ...TRAFFIC, faults: [`grown@${formatHour(grown)}`] };
      await lay(await amplitudeLayout([grown, gone], content, { marks: false }));
      expect((await scene.adopt()).said.hours.unproved).to.deep.equal(names([grown, gone]));
      const before = await scene.landed();
      simulator.faults.push(parseFault(`empty-hour@${formatHour(gone)}`));
      const { code, report, stderr } = await exporting();
      expect([code, report().hours.shrunk], stderr).to.deep.equal([0, names([grown, gone])]);
      const landed = await scene.landed();
      for (const [hour, events] of [
        [grown, eventsOf(grown)],
        [gone, 0],
      ] as const) {
        const { shrunk, objects } = manifestOf(landed, hour);
        expect([shrunk?.events, objects]).to.deep.equal([events, manifestOf(before, hour).objects]);
      }
      expect(marksIn(landed)).to.deep.equal([]);
      expect((await states()).slice(0, 2)).to.deep.equal(['shrunk', 'shrunk']);
      expect((await exporting()).report<ExportReport>().requests).to.equal(0);
      expect(await scene.differences()).to.deep.equal([]);
    });

    it('is --trust, at once or in a later run', async () => {
      await lay(await amplitudeLayout(FILLED, TRAFFIC, { marks: false }));
      const first = FILLED[0] as Hour;
      const only = ['--start', formatHour(first), '--end', formatHour(first + 1)];
      expect((await scene.adopt(only)).said.hours.unproved).to.deep.equal([formatHour(first)]);
      const { code, said } = await scene.adopt(['--trust']);
      expect([code, said.hours.adopted]).to.deep.equal([0, names(FILLED.slice(1))]);
      expect([said.hours.unproved, said.hours.proved]).to.deep.equal([[], [formatHour(first)]]);
      const landed = await scene.landed();
      const from = store.address(scene.source);
      for (const hour of FILLED) expectAdopted(landed, hour, membersOf(hour), { from, proof: 'trust' });
      expect(await states()).to.deep.equal(HOURS.map((hour) => (hour === QUIET ? 'missing' : 'complete')));
      const again = (await scene.adopt(['--trust'])).said;
      expect([again.hours.proved, again.hours.same]).to.deep.equal([[], FILLED.length]);
    });

    it('is a mark that comes later', async () => {
      await lay(await amplitudeLayout(FILLED, TRAFFIC, { marks: false }));
      await scene.adopt();
      const late = FILLED.slice(0, 2);
      await lay(new Map(late.map((hour) => [markOf(hour), Buffer.alloc(0)])));
      const { code, said } = await scene.adopt();
      expect([code, said.hours.proved, said.hours.adopted]).to.deep.equal([0, names(late), []]);
      const landed = await scene.landed();
      const from = store.address(scene.source);
      for (const hour of FILLED) {
        expectAdopted(landed, hour, membersOf(hour), { from, proof: late.includes(hour) ? 'mark' : 'none' });
      }
      expectWhole(landed);
    });

    it('is no mark where a part is missing before the last', async () => {
      const files = await amplitudeLayout(FILLED, TRAFFIC);
      const [torn] = FILLED.filter((hour) => membersOf(hour).length > 1) as [Hour];
      files.delete(membersOf(torn)[0]?.name ?? '');
      await lay(files);
      const { code, said } = await scene.adopt();
      expect([code, said.hours.unproved]).to.deep.equal([0, [formatHour(torn)]]);
      expect(manifestOf(await scene.landed(), torn).objects).to.have.length(membersOf(torn).length - 1);
    });

    it('can come with the files that were missing: then the hour lands again, whole', async () => {
      const grown = FILLED.filter((hour) => membersOf(hour).length > 1);
      const files = await amplitudeLayout(FILLED, TRAFFIC);
      // One hour lacks its first file, the others all but that, as when Amplitude is still writing. Only one has a mark.
      const [torn] = grown as [Hour];
      for (const hour of grown) {
        for (const [part, { name }] of membersOf(hour).entries()) {
          if ((hour === torn) === (part === 0)) files.delete(name);
        }
        if (hour !== torn) files.delete(markOf(hour));
      }
      await lay(files);
      expect((await scene.adopt()).said.hours.unproved).to.deep.equal(names(grown));
      await lay(await amplitudeLayout(grown, TRAFFIC));
      const { code, said, stderr } = await scene.adopt();
      expect([code, said.hours.adopted, said.hours.unproved], stderr).to.deep.equal([0, names(grown), []]);
      const landed = await scene.landed();
      for (const hour of grown) {
        const { source, generation, events } = manifestOf(landed, hour);
        expect([source?.proof, generation, events]).to.deep.equal(['mark', 2, eventsOf(hour)]);
      }
      expect(marksIn(landed)).to.deep.equal([]);
      expectWhole(landed);
      expect(await scene.differences()).to.deep.equal([]);
    });

    it('is nothing that adds a file to an hour that was proved', async () => {
      const [proved] = FILLED.filter((hour) => membersOf(hour).length > 1) as [Hour];
      const files = await amplitudeLayout([proved], TRAFFIC);
      const last = membersOf(proved).at(-1)?.name ?? '';
      await lay(new Map([...files].filter(([key]) => key !== last)));
      expect((await scene.adopt()).said.hours.unproved).to.deep.equal([]);
      await lay(files);
      const { code, said } = await scene.adopt();
      expect([code, said.hours.failed.map(({ code }) => code)]).to.deep.equal([1, ['ADOPT_DIFFERS']]);
    });

    async function forget(key: string): Promise<void> {
      const source = store.open(scene.source);
      await source.delete([key]);
      await source.close();
    }
  });
}
