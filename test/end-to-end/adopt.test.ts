import { expect } from 'chai';
import { formatHour, type Hour, hourOf, readyEnd } from '../../src/hours.ts';
import { expectedHour, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { below, checksumsOf, expectAdopted, expectWhole, manifestOf } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, type Files, markOf, mergedIds, pythonLayout, SIX_HOURS } from '../support/adopt/source.ts';
import { bucketStore, folderStore, type Store } from '../support/adopt/stores.ts';

const { traffic: TRAFFIC, range: RANGE, hours: HOURS, quiet: QUIET, filled: FILLED } = SIX_HOURS;
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;
const EVENTS = HOURS.reduce((sum, hour) => sum + expectedHour(TRAFFIC, hour).events, 0);
const FILES = HOURS.flatMap(membersOf).length;

for (const kind of ['a folder', 'S3'] as const) {
  describe(`adopt in ${kind}`, function () {
    this.timeout(60_000);
    let store: Store;
    let simulator: Simulator;
    let scenes = 0;

    before(async () => {
      store = kind === 'S3' ? await bucketStore() : await folderStore();
      simulator = await startSimulator(TRAFFIC);
    });
    after(async () => {
      await simulator.close();
      await store.close();
    });

    /** A source and a destination that no other test uses. */
    async function sceneOf(files: Files, env: Record<string, string> = {}): Promise<Scene> {
      const scene = new Scene(store, store, env);
      scenes++;
      scene.source = `source ${scenes}`;
      scene.destination = `landed-${scenes}`;
      await store.write(scene.source, files);
      return scene;
    }

    const exporting = () => ({
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
    });
    const RANGE_ARGS = ['--start', formatHour(RANGE.start), '--end', formatHour(RANGE.end)];

    for (const format of ['json', 'gzip'] as const) {
      const layouts: [string, () => Promise<Files>][] = [
        ['.json', () => pythonLayout(HOURS, TRAFFIC, { folder: 'python-import/' })],
        ['.json, the hour not padded', () => pythonLayout(HOURS, TRAFFIC, { padded: false })],
        ['.json.gz', () => pythonLayout(HOURS, TRAFFIC, { folder: 'python-import/', gzip: true })],
      ];
      for (const [spelling, make] of layouts) {
        it(`takes the flat files of a script (${spelling}) as ${format}, and says that nothing proves them`, async () => {
          const scene = await sceneOf(await make(), { OUTPUT_FORMAT: format });
          const { code, said, stderr } = await scene.adopt();
          expect(code, stderr).to.equal(0);
          expect(said.hours.adopted).to.deep.equal(FILLED.map(formatHour));
          expect(said.hours.unproved).to.deep.equal(FILLED.map(formatHour));
          expect(said.files).to.include({ found: FILES, adopted: FILES, marks: 0, unknown: 0 });
          const copies = kind === 'S3' && (format === 'gzip') === spelling.endsWith('.gz') ? FILES : 0;
          expect(said).to.include({ events: EVENTS, copied: copies });
          const landed = await scene.landed();
          const from = store.address(scene.source);
          for (const hour of FILLED) expectAdopted(landed, hour, membersOf(hour), { from, proof: 'none', format });
          expectWhole(landed);
        });
      }

      for (const before of ['json', 'gzip'] as const) {
        it(`takes what this program landed elsewhere as ${before}, as ${format}`, async () => {
          const scene = await sceneOf(new Map(), { OUTPUT_FORMAT: format });
          const DESTINATION = store.address(scene.source);
          const bad = FILLED[1] as Hour;
          simulator.faults.push(parseFault(`bad-line@${formatHour(bad)}`));
          const exported = await scene.run(['export', ...RANGE_ARGS], {
            ...exporting(),
            DESTINATION,
            OUTPUT_FORMAT: before,
          });
          simulator.faults.length = 0;
          expect(exported.code, exported.stderr).to.equal(0);
          const [stray] = [...(await store.read(scene.source))].filter(([key]) => key.startsWith('events/'));
          await store.write(scene.source, new Map([[`${stray?.[0].replace('.1.', '.2.')}`, Buffer.from('{"a":1}\n')]]));
          const files = await store.read(scene.source);

          const { code, said, stderr } = await scene.adopt();
          expect(code, stderr).to.equal(0);
          expect(said.hours.adopted).to.deep.equal(FILLED.map(formatHour));
          expect(said.hours.empty).to.deep.equal([formatHour(QUIET)]);
          expect([said.hours.unproved, said.events, said.quarantined]).to.deep.equal([[], EVENTS, 1]);
          const landed = await scene.landed();
          const from = DESTINATION;
          for (const hour of HOURS.filter((hour) => hour !== bad)) {
            expectAdopted(landed, hour, membersOf(hour), { from, proof: 'manifest', format });
          }
          const [old, now] = [manifestOf(files, bad), manifestOf(landed, bad)];
          expect(now.objects.map(({ source, events }) => [source, events])).to.deep.equal(
            old.objects.map(({ source, events }) => [source, events]),
          );
          expect(now.quarantine.map(({ lines, crc32 }) => [lines, crc32])).to.deep.equal(
            old.quarantine.map(({ lines, crc32 }) => [lines, crc32]),
          );
          expectWhole(landed);
          expect(await scene.differences()).to.deep.equal([]);
          expect(checksumsOf(await store.read(scene.source))).to.deep.equal(checksumsOf(files));
          const again = await scene.adopt();
          expect([again.code, again.said.hours.same, again.said.hours.adopted]).to.deep.equal([0, 6, []]);
        });
      }
    }

    it('takes the files of a script that lie below the destination itself', async () => {
      const scene = await sceneOf(new Map());
      scene.source = scene.destination;
      const [exported, left] = [FILLED.slice(0, 2), FILLED.slice(2)];
      const until = ['--start', formatHour(RANGE.start), '--end', formatHour(RANGE.start + 2)];
      expect((await scene.run(['export', ...until], exporting())).code).to.equal(0);
      const scripts = await pythonLayout(HOURS, TRAFFIC, { folder: 'python-import/' });
      await store.write(scene.source, scripts);
      const { code, said, stderr } = await scene.adopt();
      expect(code, stderr).to.equal(0);
      expect(said.hours.adopted).to.deep.equal(left.map(formatHour));
      expect([said.hours.same, said.left]).to.deep.equal([exported.length, []]);
      const landed = await scene.landed();
      for (const [key, bytes] of scripts) expect(landed.get(key)?.equals(bytes), key).to.equal(true);
      for (const hour of exported) expect(manifestOf(landed, hour)).to.have.property('request');
      const again = await scene.adopt();
      expect([again.code, again.said.hours.adopted, again.said.hours.same]).to.deep.equal([0, [], FILLED.length]);
      expect([said.files.unknown, again.said.files.unknown]).to.deep.equal([0, 0]);
    });

    it('takes no file of its own landing where that lies below the source', async () => {
      const scene = await sceneOf(await amplitudeLayout(HOURS, TRAFFIC));
      scene.destination = `${scene.source}/landed`;
      const { code, said } = await scene.adopt();
      expect([code, said.hours.adopted, said.files]).to.deep.equal([
        0,
        FILLED.map(formatHour),
        { found: FILES, adopted: FILES, marks: HOURS.length, manifests: 0, unknown: 0, left: 0 },
      ]);
      const again = (await scene.adopt()).said;
      expect([again.hours.same, again.left, again.files.unknown]).to.deep.equal([HOURS.length, [], 0]);
    });

    it('lands the merged IDs as a landing of their own', async () => {
      const files = await amplitudeLayout(HOURS, TRAFFIC);
      for (const [key, bytes] of mergedIds(FILLED, { org: '77', lines: 3 })) files.set(key, bytes);
      const scene = await sceneOf(files);
      const { code, said, stderr } = await scene.adopt();
      expect(code, stderr).to.equal(0);
      expect(said.mergedIds).to.include({ hours: FILLED.length, lines: 3 * FILLED.length });
      expect([said.events, said.project, said.left]).to.deep.equal([EVENTS, '100011471', []]);
      const landed = await scene.landed();
      const merged = below(landed, 'merged_ids/');
      for (const hour of FILLED) {
        const manifest = manifestOf(merged, hour);
        expect(manifest).to.include({ project: '77', events: 3, status: 'complete' });
        expect(merged.has(manifest.objects[0]?.key ?? ''), formatHour(hour)).to.equal(true);
      }
      expectWhole(merged);
      expectWhole(new Map([...landed].filter(([key]) => !key.startsWith('merged_ids/'))));
      const again = await scene.adopt();
      expect([again.code, again.said.hours.adopted, again.said.mergedIds.hours]).to.deep.equal([0, [], 0]);
      expect(checksumsOf(await scene.landed())).to.deep.equal(checksumsOf(landed));
    });

    it('finds files in folders of any name, and copies them inside S3', async () => {
      const odd = ['with spaces', 'a#b', '100%', '50%25', 'a+b', 'a&b=c?d', 'çã 日本', "it's (1)!~*", '🧀'];
      const files = new Map<string, Buffer>();
      for (const [nth, hour] of FILLED.entries()) {
        const folder = `${odd[nth]}/${odd[(nth + 5) % odd.length]}/`;
        for (const [key, bytes] of await amplitudeLayout([hour], TRAFFIC, { folder })) files.set(key, bytes);
      }
      const scene = await sceneOf(files, { OUTPUT_FORMAT: 'gzip' });
      const { code, said, stderr } = await scene.adopt();
      expect(code, stderr).to.equal(0);
      expect([said.hours.adopted, said.hours.unproved]).to.deep.equal([FILLED.map(formatHour), []]);
      expect(said.copied).to.equal(kind === 'S3' ? FILES : 0);
      const landed = await scene.landed();
      const from = store.address(scene.source);
      for (const hour of FILLED) expectAdopted(landed, hour, membersOf(hour), { from, proof: 'mark', format: 'gzip' });
    });

    it('leaves hours that are not ready', async () => {
      const pending = readyEnd(new Date()) + 1;
      const old = hourOf(new Date()) - 100;
      const { project, ...more } = { project: '100011471', ...TRAFFIC, faults: [`grown@${formatHour(pending)}`] };
      const files = await amplitudeLayout([old, pending], { project, ...more });
      const scene = await sceneOf(files);
      const { code, said } = await scene.adopt();
      expect([code, said.hours.pending]).to.deep.equal([0, [formatHour(pending)]]);
      expect([...said.hours.adopted, ...said.hours.empty]).to.deep.equal([formatHour(old)]);
      expect([...(await scene.landed()).keys()].filter((key) => key.startsWith('manifests/'))).to.have.length(1);
    });

    it('takes only the range that is asked for', async () => {
      const scene = await sceneOf(await amplitudeLayout(HOURS, TRAFFIC));
      const [first, last] = [HOURS[1] as Hour, HOURS[2] as Hour];
      const { code, said } = await scene.adopt(['--start', formatHour(first), '--end', formatHour(last + 1)]);
      expect([code, said.hours.adopted]).to.deep.equal([0, [first, last].map(formatHour)]);
      expect(said.range).to.deep.equal({ start: formatHour(first), end: formatHour(last + 1) });
    });

    it('writes nothing in a dry run, and says what a run would do', async () => {
      const files = await amplitudeLayout(HOURS, TRAFFIC);
      files.delete(markOf(FILLED[0] as Hour));
      const scene = await sceneOf(files);
      const dry = await scene.adopt(['--dry-run']);
      expect([dry.code, dry.said.dryRun], dry.stderr).to.deep.equal([0, true]);
      expect([...(await scene.landed()).keys()]).to.deep.equal([]);
      const { said } = await scene.adopt();
      for (const name of ['adopted', 'empty', 'unproved', 'pending'] as const) {
        expect(dry.said.hours[name], name).to.deep.equal(said.hours[name]);
      }
      expect(dry.said.files.found).to.equal(said.files.found);
    });
  });
}
