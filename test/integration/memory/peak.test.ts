import { expect } from 'chai';
import { hoursOf } from '../../../src/hours.ts';
import { busyHours, type Ended, faultAt, Scene } from './scene.ts';
import type { Served } from './simulator.ts';

const MOST_MIB = 256;
const FORMATS = ['json', 'gzip'] as const;

/** The figures stand beside the test's name in the output. */
function expectSmall(test: Mocha.Runnable | undefined, { code, peakMiB, seconds, stderr }: Ended): void {
  expect(code, stderr.slice(-2000)).to.equal(0);
  if (test !== undefined) test.title += `: peak ${peakMiB} MiB, ${seconds} s`;
  expect(peakMiB).to.be.above(30).and.at.most(MOST_MIB);
}

describe(`at most ${MOST_MIB} MiB`, function () {
  this.timeout(300_000);

  describe('for four archives of 60 MB and more at once', () => {
    const window = busyHours(8);
    const served: Served = {
      eventsPerHour: 12_000,
      gzipLevel: 6,
      faults: hoursOf(window)
        .filter((hour) => (hour - window.start) % 2 === 0)
        .map((hour) => faultAt('large-member', hour)),
    };
    for (const compression of ['stored', 'deflated'] as const) {
      for (const format of FORMATS) {
        it(`${compression} members as ${format}`, async function () {
          await using scene = await Scene.open({ ...served, compression }, window);
          const settings = { OUTPUT_FORMAT: format, REQUEST_HOURS: '2', REQUEST_CONCURRENCY: '4' };
          const ended = await scene.run(settings);
          expectSmall(this.test, ended);
          expect(ended.report?.requests).to.equal(4);
          expect(ended.report?.hours.sealed).to.have.length(8);
          expect(await scene.mostAtOnce()).to.equal(4);
          if (format === 'gzip') expect(ended.report?.bytes).to.be.above(240_000_000);
          await scene.expectNoTemporaryFile();
        });
      }
    }
  });

  describe('for one archive of more than 4 GiB', () => {
    const window = busyHours(9);
    // Without compression, so that the archive is as large as its content and made in seconds.
    const served: Served = {
      gzipLevel: 0,
      faults: hoursOf(window).map((hour) => faultAt('large-member', hour)),
    };
    for (const format of FORMATS) {
      it(`as ${format}`, async function () {
        await using scene = await Scene.open(served, window);
        const ended = await scene.run({ OUTPUT_FORMAT: format });
        expectSmall(this.test, ended);
        expect(ended.report?.requests).to.equal(1);
        expect(ended.report?.hours.sealed).to.have.length(9);
        expect(ended.report?.bytes).to.be.above(2 ** 32);
        await scene.expectNoTemporaryFile();
      });
    }
  });

  const single: Record<string, { fault: string; bytes: number }> = {
    'a member of 500 MB': { fault: 'large-member', bytes: 500_000_000 },
    'a member that inflates a thousandfold': { fault: 'bomb', bytes: 2 ** 30 },
  };
  for (const [what, { fault, bytes }] of Object.entries(single)) {
    describe(`for ${what}`, () => {
      const window = busyHours(1);
      for (const compression of ['stored', 'deflated'] as const) {
        for (const format of FORMATS) {
          for (const [where, settings] of [
            ['in memory', {}],
            ['in a file', { ARCHIVE_MEMORY_MB: '0' }],
          ] as const) {
            it(`${compression}, as ${format}, the archive ${where}`, async function () {
              await using scene = await Scene.open({ compression, faults: [faultAt(fault, window.start)] }, window);
              const ended = await scene.run({ ...settings, OUTPUT_FORMAT: format });
              expectSmall(this.test, ended);
              const [landed = expect.fail('nothing landed')] = await scene.landedObjects();
              expect(landed.source.bytes).to.be.at.least(bytes);
              await scene.expectNoTemporaryFile();
            });
          }
        }
      }

      it('strict, where every line is parsed', async function () {
        await using scene = await Scene.open({ faults: [faultAt(fault, window.start)] }, window);
        const ended = await scene.run({}, { flags: ['--strict'] });
        expectSmall(this.test, ended);
        await scene.expectNoTemporaryFile();
      });
    });
  }
});
