import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { ExportReport } from '../../../src/export/report.ts';
import { formatHour, hourFolder, hoursOf } from '../../../src/hours.ts';
import { type FaultName, parseFault } from '../../../src/simulator/simulator.ts';
import { brokenSeals, expectAlike, manifestsIn } from './landed.ts';
import { folderPlace, type Place, s3Place } from './places.ts';
import type { Ended, Run } from './program.ts';
import { type Kind, Scene } from './scene.ts';

const CODES = { SIGTERM: 143, SIGINT: 130 } as const;
type Signal = keyof typeof CODES;
const END_MS = 10_000;

describe('told to stop', function () {
  this.timeout(120_000);
  let scene: Scene;
  let folder: Place;
  let s3: Awaited<ReturnType<typeof s3Place>>;

  before(async () => {
    scene = await Scene.open();
    folder = folderPlace();
    s3 = await s3Place();
  });

  afterEach(() => scene.program.end());

  after(async () => {
    await folder.close();
    await s3.close();
    await scene.close();
  });

  async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
    for (const from = performance.now(); !(await is()); await pause(10)) {
      if (performance.now() - from > 60_000) throw new Error(`never came to pass: ${what}`);
    }
  }

  /** A look at names alone, since what is being written may be large. */
  async function namesIn(path: string): Promise<string[]> {
    return await readdir(join(folder.env.DESTINATION ?? '', path), { recursive: true }).catch(() => []);
  }

  async function sealedInFolder(): Promise<number> {
    return (await namesIn('manifests')).filter((name) => /hour=\d+\.json$/.test(name)).length;
  }

  async function largestPartial(hour: number): Promise<number> {
    const at = `events/${hourFolder(hour)}`;
    const files = (await namesIn(at)).map((name) => join(folder.env.DESTINATION ?? '', at, name));
    const sizes = await Promise.all(files.map((file) => stat(file).catch(() => ({ size: 0 }))));
    return Math.max(0, ...sizes.map(({ size }) => size));
  }

  async function stop(run: Run, signal: Signal): Promise<Ended> {
    const at = performance.now();
    run.child.kill(signal);
    const ended = await run.ended;
    expect(ended.code, ended.stderr.slice(-2000)).to.equal(CODES[signal]);
    expect(performance.now() - at).to.be.below(END_MS);
    expect(ended.stderr).to.contain(`Stopped by ${signal}. Run the same command again`);
    await scene.program.leavesNothing();
    return ended;
  }

  /** What the run says it sealed is there, and is whole. */
  async function sealedAsSaid(place: Place, { stdout, stderr }: Ended): Promise<string[]> {
    const { hours, exitCode } = JSON.parse(stdout) as ExportReport;
    const said = [...hours.sealed, ...hours.empty].sort();
    const contents = await place.read();
    const there = manifestsIn(contents).map(({ date, hour }) => `${date}T${hour}`);
    expect(there).to.include.members(said);
    expect(brokenSeals(contents)).to.deep.equal([]);
    expect(hours.failed).to.deep.equal([]);
    const summary = stderr.split('\n').find((line) => line.includes('"exitCode"')) ?? '{}';
    expect(JSON.parse(summary)).to.include({ sealed: hours.sealed.length, empty: hours.empty.length, exitCode });
    expect(JSON.parse(summary).msg).to.contain('goes on with what is left');
    return said;
  }

  for (const signal of Object.keys(CODES) as Signal[]) {
    for (const kind of ['first', 'again'] as const satisfies readonly Kind[]) {
      for (const where of ['a folder', 'S3']) {
        it(`by ${signal} amid ${kind === 'first' ? 'first landings' : 'replacements'} in ${where}, says what is sealed; the next run completes it`, async () => {
          const place = where === 'S3' ? s3 : folder;
          const { before, after, env } = await scene.prepare(place, kind);
          const changed = (key: string, bytes: Buffer) => before.get(key)?.equals(bytes) !== true;
          const run = scene.program.start(place, { env });
          // Two windows of three hours may be between a manifest's landing and its answer: of nine, the run knows three.
          await until('nine hours are sealed', async () => {
            const contents = await place.read();
            return (
              [...contents].filter(([key, bytes]) => key.startsWith('manifests/') && changed(key, bytes)).length >= 9
            );
          });
          const ended = await stop(run, signal);
          expect(await sealedAsSaid(place, ended))
            .to.have.length.above(2)
            .and.below(30);
          await scene.program.finish(place, { env });
          expectAlike(await place.read(), after, 'run again');
        });
      }
    }
  }

  for (const [fault, what] of [
    ['stall-first-byte', 'no answer comes'],
    ['stall-body', 'an answer stands still'],
    ['unavailable', 'it waits to try again'],
  ] as const satisfies readonly (readonly [FaultName, string])[]) {
    it(`while ${what}`, async () => {
      const { after, env } = await scene.prepare(folder, 'first');
      const answers = [...scene.simulator.faults];
      const [first] = hoursOf(scene.range);
      scene.answers([...answers, parseFault(`${fault}@${formatHour(first as number)}`)]);
      const slow = { ...env, EXPORT_BACKOFF_MS: '60000', REQUEST_HOURS: '1' };
      const run = scene.program.start(folder, { env: slow });
      await until('all but one hour is sealed', async () => (await sealedInFolder()) === 29);
      const ended = await stop(run, 'SIGTERM');
      expect(await sealedAsSaid(folder, ended)).to.have.length(29);
      scene.answers(answers);
      await scene.program.finish(folder, { env });
      expectAlike(await folder.read(), after, 'run again');
    });
  }

  it('while an upload to S3 stands still', async function () {
    const { server } = s3;
    if (server === undefined) return this.skip();
    const { after, env } = await scene.prepare(s3, 'first');
    server.faults.push({ operation: 'PutObject', key: /events\/.*hour=0[5-9]/, fault: 'stall' });
    const run = scene.program.start(s3, { env });
    await until('an upload stands still', () => server.requests.some(({ key }) => /events\/.*hour=0[5-9]/.test(key)));
    await pause(200);
    await sealedAsSaid(s3, await stop(run, 'SIGTERM'));
    server.faults.length = 0;
    await scene.program.finish(s3, { env });
    expectAlike(await s3.read(), after, 'run again');
  });

  for (const memory of ['64', '0']) {
    it(`while a large member is inflated, its archive ${memory === '0' ? 'spilled' : 'in memory'}`, async () => {
      const { after } = await scene.prepare(folder, 'first');
      const answers = [...scene.simulator.faults];
      const large = hoursOf(scene.range)[10] as number;
      scene.answers([...answers, parseFault(`large-member@${formatHour(large)}`)]);
      const env = { REQUEST_HOURS: '1', ARCHIVE_MEMORY_MB: memory };
      const run = scene.program.start(folder, { env });
      await until('all but one hour is sealed', async () => (await sealedInFolder()) === 29);
      await until('its object grows', async () => (await largestPartial(large)) > 20e6);
      expect(await sealedAsSaid(folder, await stop(run, 'SIGTERM'))).to.have.length(29);
      scene.answers(answers);
      await scene.program.finish(folder);
      expectAlike(await folder.read(), after, 'run again');
    });
  }

  it('while large members are looked through before they are written', async () => {
    const { after, env } = await scene.prepare(folder, 'first', 'gzip');
    const answers = [...scene.simulator.faults];
    const large = hoursOf(scene.range).slice(10, 13);
    scene.answers([...answers, ...large.map((hour) => parseFault(`large-member@${formatHour(hour)}`))]);
    const run = scene.program.start(folder, { env: { ...env, REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '1' } });
    await until('the first of them is sealed', async () => (await sealedInFolder()) === 11);
    await pause(800);
    const said = await sealedAsSaid(folder, await stop(run, 'SIGTERM'));
    expect(said).to.have.length.of.at.least(11).and.at.most(12);
    scene.answers(answers);
    // Its large members are sealed and not to be had again, so the run lands all of it again.
    await scene.program.finish(folder, { args: ['--force'], env });
    expectAlike(await folder.read(), after, 'run again');
  });

  it('twice, ends at once', async () => {
    const { after, env } = await scene.prepare(folder, 'first');
    const run = scene.program.start(folder, { env });
    await until('an hour is sealed', async () => (await sealedInFolder()) > 0);
    // Held while both are sent, the program meets the second one before it can have ended by the first.
    run.child.kill('SIGSTOP');
    run.child.kill('SIGTERM');
    run.child.kill('SIGINT');
    const at = performance.now();
    run.child.kill('SIGCONT');
    const [code] = await once(run.child, 'exit');
    expect(performance.now() - at).to.be.below(1000);
    expect(Object.values(CODES)).to.include(code);
    await run.ended;
    await scene.program.leavesNothing();
    await scene.program.finish(folder, { env });
    expectAlike(await folder.read(), after, 'run again');
  });
});
