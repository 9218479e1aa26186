import { expect } from 'chai';
import fc from 'fast-check';
import { adoptCommand } from '../../src/commands/adopt.ts';
import { exportCommand } from '../../src/commands/export.ts';
import { formatHour, type Hour, readHour } from '../../src/hours.ts';
import { eventsOfHour, type FaultName, parseFault, startSimulator } from '../../src/simulator/simulator.ts';
import { essenceOf, expectWhole } from '../support/adopt/landed.ts';
import { Scene } from '../support/adopt/scene.ts';
import { amplitudeLayout, pythonLayout } from '../support/adopt/source.ts';
import { bucketStore, folderStore, type Store } from '../support/adopt/stores.ts';
import { runInProcess } from '../support/in-process.ts';

/** What may be odd about a file that holds events all the same. */
const ODDITIES = [
  'two-gzip-streams',
  'trailing-padding',
  'shrunk',
  'grown',
  'empty-hour',
  'bad-line',
  'bad-json',
  'blank-lines',
  'no-last-newline',
  'crlf',
  'line-separator',
  'bom',
] as const satisfies readonly FaultName[];

const START = readHour('2026-03-04T00');
const LAYOUTS = ['amplitude', 'script, gzip', 'script, json'] as const;
const ROUNDS = Number(process.env.ADOPT_ROUNDS ?? 12);

const sources = fc.record({
  seed: fc.nat(1_000_000),
  eventsPerHour: fc.integer({ min: 1, max: 30 }),
  hours: fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 5 }),
  oddities: fc.array(fc.tuple(fc.nat(4), fc.constantFrom(...ODDITIES)), { maxLength: 5 }),
  layout: fc.constantFrom(...LAYOUTS),
  format: fc.constantFrom('json', 'gzip'),
  from: fc.nat(1),
  to: fc.nat(1),
});

describe(`adopt of any source (${ROUNDS} of them)`, function () {
  this.timeout(30_000 + ROUNDS * 3000);
  let stores: [Store, Store];
  let round = 0;

  before(async () => {
    stores = [await folderStore(), await bucketStore()];
  });
  after(() => Promise.all(stores.map((store) => store.close())));

  it('lands what an export of the same content lands', async () => {
    await fc.assert(
      fc.asyncProperty(sources, async (drawn) => {
        round++;
        const hours = drawn.hours.map((nth): Hour => START + nth).sort((a, b) => a - b);
        const { seed, eventsPerHour, layout, format } = drawn;
        // A script that unpacks a file leaves no trace of how it was packed.
        const isPacked = (fault: FaultName) => fault === 'two-gzip-streams' || fault === 'trailing-padding';
        const faults = drawn.oddities.flatMap(([nth, fault]) => {
          const hour = hours[nth % hours.length] as Hour;
          const isLost = layout === 'script, json' && isPacked(fault);
          // Half of one event is none, which is no file of events.
          const [first] = eventsOfHour(seed, hour, eventsPerHour).parts;
          const isNothing = fault === 'shrunk' && first === 1;
          return isLost || isNothing ? [] : [`${fault}@${formatHour(hour)}`];
        });
        const content = { seed, eventsPerHour, faults };
        const [from, to] = [stores[drawn.from], stores[drawn.to]] as [Store, Store];
        const scene = new Scene(from, to, { OUTPUT_FORMAT: format });
        scene.source = `source-${round}`;
        const gzip = layout === 'script, gzip';
        const files =
          layout === 'amplitude' ? await amplitudeLayout(hours, content) : await pythonLayout(hours, content, { gzip });
        await from.write(scene.source, files);
        // Without a file and without a mark nothing says that there is nothing.
        const there = hours.filter((hour) => [...files.keys()].some((key) => namesOf(hour).test(key)));
        if (there.length === 0) return;

        scene.destination = `adopted-${round}`;
        const adopted = await runInProcess(adoptCommand, [from.address(scene.source), '--trust', '--json'], scene.env);
        expect(adopted.code, adopted.stderr).to.equal(0);
        const adoptedFiles = await scene.landed();

        scene.destination = `exported-${round}`;
        const simulator = await startSimulator({ seed, eventsPerHour, faults: faults.map(parseFault) });
        for (const hour of there) {
          const range = ['--start', formatHour(hour), '--end', formatHour(hour + 1)];
          const exported = await runInProcess(exportCommand, [...range, '--json'], {
            ...scene.env,
            AMPLITUDE_BASE_URL: simulator.url,
            AMPLITUDE_API_KEY: 'simulator-key',
            AMPLITUDE_SECRET_KEY: 'simulator-secret',
          });
          expect(exported.code, exported.stderr).to.equal(0);
        }
        await simulator.close();
        const [is, should] = [essenceOf(adoptedFiles), essenceOf(await scene.landed())];
        expect(is).to.deep.equal(should);
        expectWhole(adoptedFiles);
      }),
      { numRuns: ROUNDS },
    );
  });
});

/** A file or a mark of the hour, in any spelling. */
function namesOf(hour: Hour): RegExp {
  const [date, hh] = formatHour(hour).split('T');
  return new RegExp(`_${date}_0?${Number(hh)}[#_]`);
}
