import { expect } from 'chai';
import { LONGEST_REQUEST_HOURS } from '../../../src/hours.ts';
import { busyHours, type Ended, Scene } from './scene.ts';

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

  it('for 50,000 members in one archive', async function () {
    await using scene = await Scene.open({ members: 50_000, faults: [] }, busyHours(1));
    const ended = await scene.run({}, { mostOpen: MOST_OPEN });
    expectSmall(this.test, ended);
    expect(ended.report).to.include({ requests: 1, events: 50_000 });
  });

  it('for a year in one request, and once more by force: what has landed is read and compared', async function () {
    const { start: end } = busyHours(1);
    const window = { start: end - LONGEST_REQUEST_HOURS, end };
    await using scene = await Scene.open({ eventsPerHour: 1, faults: [] }, window);
    const settings = { REQUEST_HOURS: String(LONGEST_REQUEST_HOURS) };
    for (const flags of [[], ['--force']]) {
      const ended = await scene.run(settings, { mostOpen: MOST_OPEN, flags });
      expectSmall(this.test, ended);
      const { requests, hours } = ended.report ?? expect.fail('there is no report');
      expect([requests, hours.sealed.length + hours.empty.length]).to.deep.equal([1, LONGEST_REQUEST_HOURS]);
      expect(hours.unchanged).to.have.length(flags.length === 0 ? 0 : LONGEST_REQUEST_HOURS);
    }
  });
});
