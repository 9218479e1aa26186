import { expect } from 'chai';
import { LONGEST_REQUEST_HOURS, type Window } from '../../../src/hours.ts';
import { busyHours, type Ended, Scene } from './scene.ts';
import type { Served } from './simulator.ts';

const MOST_MIB = 256;
const MOST_OPEN = 256;

/** The figures stand beside the test's name in the output. */
function expectSmall(test: Mocha.Runnable | undefined, ended: Ended): void {
  const { code, peakMiB, openFiles, seconds, stderr } = ended;
  if (test !== undefined) test.title += `: peak ${peakMiB} MiB, ${openFiles} open files, ${seconds} s`;
  expect(code, stderr.slice(-2000)).to.equal(0);
  expect(peakMiB).to.be.above(30).and.at.most(MOST_MIB);
}

describe(`at most ${MOST_MIB} MiB and ${MOST_OPEN} open files`, function () {
  this.timeout(300_000);

  /** Lands `window`, then again by force: what has landed is read and compared. */
  async function expectTwice(test: Mocha.Runnable | undefined, served: Served, window: Window, requestHours: number) {
    await using scene = await Scene.open(served, window);
    const settings = { REQUEST_HOURS: String(requestHours), REQUEST_CONCURRENCY: '1' };
    const first = await scene.run(settings, { mostOpen: MOST_OPEN });
    expectSmall(test, first);
    const again = await scene.run(settings, { mostOpen: MOST_OPEN, flags: ['--force'] });
    expectSmall(test, again);
    expect(again.report?.events).to.equal(first.report?.events);
    expect([first.report?.requests, again.report?.requests]).to.deep.equal([1, 1]);
    expect(again.report?.hours.unchanged).to.have.length(window.end - window.start);
    return first.report;
  }

  it('for 50,000 members in one archive', async function () {
    const report = await expectTwice(this.test, { members: 50_000, faults: [] }, busyHours(1), 1);
    expect(report?.events).to.equal(50_000);
  });

  it('for a year in one request', async function () {
    const { start: end } = busyHours(1);
    const window = { start: end - LONGEST_REQUEST_HOURS, end };
    await expectTwice(this.test, { eventsPerHour: 1, faults: [] }, window, LONGEST_REQUEST_HOURS);
  });
});
