import { expect } from 'chai';
import { busyHours, type Ended, faultAt, Scene, untilLanding, untilSpilled } from './scene.ts';

const MB = 2 ** 20;
const SPILL = { ARCHIVE_MEMORY_MB: '0', EXPORT_MAX_ATTEMPTS: '2' };

describe('no temporary file is left in WORK_DIR', function () {
  this.timeout(120_000);
  const window = busyHours(1);
  const large = faultAt('large-member', window.start);

  /** Runs until the moment that `meanwhile` waits for, looks, sends the signal and looks again. */
  async function interrupted(
    faults: string[],
    signal: NodeJS.Signals,
    moment: (pid: number, scene: Scene) => Promise<void>,
  ): Promise<Ended> {
    await using scene = await Scene.open({ faults }, window);
    const ended = await scene.run(SPILL, {
      meanwhile: async (pid) => {
        await moment(pid, scene);
        await scene.expectNoTemporaryFile();
        process.kill(pid, signal);
      },
    });
    await scene.expectNoTemporaryFile();
    return ended;
  }

  it('after a success, nor meanwhile', async () => {
    await using scene = await Scene.open({ faults: [large] }, window);
    const ended = await scene.run(SPILL, {
      meanwhile: async (pid) => {
        await untilSpilled(pid, scene.workDir, MB);
        await scene.expectNoTemporaryFile();
      },
    });
    expect(ended.code, ended.stderr).to.equal(0);
    await scene.expectNoTemporaryFile();
  });

  for (const fault of ['truncated-zip', 'cut-chunked', 'flipped-byte', 'half-gzip', 'traversal', 'duplicate-names']) {
    it(`after the error of ${fault}`, async () => {
      await using scene = await Scene.open({ eventsPerHour: 4000, faults: [faultAt(fault, window.start)] }, window);
      const ended = await scene.run(SPILL);
      expect(ended.code, ended.stderr).to.equal(1);
      expect(ended.report?.hours.failed).to.have.length(1);
      await scene.expectNoTemporaryFile();
    });
  }

  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGKILL', null],
  ] as const) {
    it(`after ${signal} while the answer comes in`, async () => {
      const stalled = [large, faultAt('stall-body', window.start)];
      const ended = await interrupted(stalled, signal, (pid, { workDir }) => untilSpilled(pid, workDir, MB));
      expect(ended.code).to.equal(code);
      expect(ended.signal).to.equal(code === null ? signal : null);
    });

    it(`after ${signal} while objects are written`, async () => {
      const ended = await interrupted([large], signal, (_, { folder }) => untilLanding(folder));
      expect(ended.code).to.equal(code);
      expect(ended.signal).to.equal(code === null ? signal : null);
    });
  }
});
