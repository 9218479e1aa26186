import { mkdtemp, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { RequestFault } from '../../src/amplitude/faults.ts';
import { requestWindow } from '../../src/amplitude/request.ts';
import { JobError } from '../../src/errors.ts';
import type { ExportReport } from '../../src/export/report.ts';
import { Tally } from '../../src/export/tally.ts';
import { WindowRunner } from '../../src/export/windows.ts';
import { parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { filesOf, manifestsOf, runProgram } from '../support/program.ts';
import { amplitudeAt, asking, serve, WINDOW } from '../support/requests/asking.ts';
import { hearingLog } from '../support/settings.ts';

const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T12'];

describe('requests', function () {
  this.timeout(60_000);
  let simulator: Simulator;
  let folder: string;
  before(async () => {
    simulator = await startSimulator({ eventsPerHour: 10 });
  });
  after(() => simulator.close());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'requests-'));
    simulator.faults.length = 0;
    simulator.requests.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const faults = (...specs: string[]) => simulator.faults.push(...specs.map(parseFault));
  const run = (args: readonly string[] = [], changed: Record<string, string> = {}) =>
    runProgram(['export', '--json', ...RANGE, ...args], {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      DESTINATION: folder,
      EXPORT_BACKOFF_MS: '1',
      ...changed,
    });
  const manifests = async () => manifestsOf(await filesOf(folder));

  describe('a 404', () => {
    for (const name of ['html-404', 'json-404', 'backend-404']) {
      it(`that is not Amplitude's seals nothing and fails at once: ${name}`, async () => {
        faults(name);
        const { code, report } = await run();
        expect(code).to.equal(1);
        expect([...(await manifests()).keys()]).to.deep.equal([]);
        const { hours, requests } = report();
        expect([requests, hours.failed.length]).to.deep.equal([1, 6]);
        expect(hours.failed[0]).to.include({ code: 'NOT_AMPLITUDE' });
        expect(hours.failed[0]?.message)
          .to.match(/HTTP 404, "(<!doctype|\{"message|default backend)/)
          .and.include('AMPLITUDE_BASE_URL');
      });
    }

    it('of other plain text seals the hours empty, and is quoted once', async () => {
      faults('text-404');
      const { code, report, stderr } = await run([], { REQUEST_HOURS: '1' });
      expect(code).to.equal(0);
      expect(report().hours.empty).to.have.length(6);
      expect(stderr.split('HTTP 404, \\"No data was found for this time range.\\"')).to.have.length(2);
    });

    for (const name of ['no-data', 'empty-404']) {
      it(`in the usual form seals the hours empty without a word: ${name}`, async () => {
        faults(name);
        const { code, report, stderr } = await run();
        expect([code, report().hours.empty.length]).to.deep.equal([0, 6]);
        expect(stderr).not.to.include('404').and.not.to.include('"warn"');
      });
    }

    it('is understood also where AMPLITUDE_BASE_URL is the whole address of the API', async () => {
      const { code, report } = await run([], { AMPLITUDE_BASE_URL: `${simulator.url}/api/2/export/` });
      expect(code).to.equal(0);
      expect(report().events).to.be.above(0);
    });
  });

  describe('a 403', () => {
    const hourly = { REQUEST_HOURS: '1', REQUEST_CONCURRENCY: '1' };
    const hour = (nth: number) => `2026-03-04T${String(nth).padStart(2, '0')}`;
    const codes = ({ hours }: ExportReport) => hours.failed.map(({ hour, code }) => `${hour} ${code}`);

    for (const name of ['forbidden', 'firewall']) {
      it(`before any answer ends the run at once: ${name}`, async () => {
        faults(name);
        const { code, report } = await run([], hourly);
        expect([code, report().requests]).to.deep.equal([4, 1]);
        expect(report().hours.failed[0]).to.include({ code: 'AMPLITUDE_CREDENTIALS' });
      });

      it(`in the middle of a run is tried once more: ${name}`, async () => {
        faults(`${name}@${hour(8)}*1`);
        const { code, report } = await run([], hourly);
        expect([code, report().requests, report().retries]).to.deep.equal([0, 7, 1]);
      });

      it(`in the middle of a run fails its window, and the run goes on: ${name}`, async () => {
        faults(`${name}@${hour(8)}`, `${name}@${hour(10)}`);
        const { code, report } = await run([], hourly);
        expect([code, report().requests]).to.deep.equal([3, 8]);
        const failed = name === 'firewall' ? 'NOT_AMPLITUDE' : 'AMPLITUDE_CREDENTIALS';
        expect(codes(report())).to.deep.equal([`${hour(8)} ${failed}`, `${hour(10)} ${failed}`]);
        const said =
          name === 'firewall' ? /something before the API.*HTTP 403, "<!doctype.*firewall/ : /Invalid API Key/;
        expect(report().hours.failed[0]?.message).to.match(said);
      });
    }

    it('of the API for two windows in a row ends the run: the keys are no longer valid', async () => {
      faults(...[8, 9, 10, 11].map((nth) => `forbidden@${hour(nth)}`));
      const { code, report, stderr } = await run([], hourly);
      expect([code, report().requests]).to.deep.equal([4, 6]);
      expect(codes(report())).to.deep.equal([
        ...[8, 9].map((nth) => `${hour(nth)} AMPLITUDE_CREDENTIALS`),
        ...[10, 11].map((nth) => `${hour(nth)} NOT_ATTEMPTED`),
      ]);
      expect(stderr).to.include('that it took earlier in this run').and.include('AMPLITUDE_SECRET_KEY');
    });

    it('of a firewall for five windows in a row ends the run', async () => {
      faults(...Array.from({ length: 12 }, (_, at) => `firewall@${hour(8 + at)}`));
      const { code, report, stderr } = await run(['--end', hour(20)], hourly);
      expect([code, report().requests]).to.deep.equal([3, 2 + 5 * 2]);
      expect(codes(report()).filter((shown) => shown.endsWith('NOT_ATTEMPTED'))).to.have.length(7);
      expect(stderr).to.include('AMPLITUDE_DOWN');
    });

    it('comes after an answer also where its request was sent before that', async () => {
      let hasAnswered = false;
      const server = await serve((_, response) => {
        hasAnswered = true;
        response.writeHead(403).end('Invalid API Key');
      });
      try {
        const options = asking(amplitudeAt(server.url), { hasAnswered: () => hasAnswered });
        expect(await thrown(requestWindow(WINDOW, options))).to.include({ kind: 'forbidden', endsRun: false });
      } finally {
        await server.close();
      }
    });
  });

  describe('the clock', () => {
    for (const specs of [
      ['clock-ahead'],
      ['clock-behind'],
      ['clock-ahead', 'no-data'],
      ['clock-behind', 'server-error'],
    ]) {
      it(`ends the run before it seals anything where the first answer has another time: ${specs.join(', ')}`, async () => {
        faults(...specs);
        const { code, report } = await run([], { REQUEST_HOURS: '1' });
        expect(code).to.equal(1);
        expect([...(await manifests()).keys()]).to.deep.equal([]);
        expect(report().hours.failed.map((hour) => hour.code)).to.include('CLOCK_SKEW');
        expect(report().hours.failed).to.have.length(6);
        expect(report().requests).to.be.at.most(4);
      });
    }

    it('says nothing where no answer tells the time', async () => {
      faults('no-date');
      expect((await run()).code).to.equal(0);
    });

    it('is judged before the body of an answer', async () => {
      const server = await serve((_, response) => {
        response.sendDate = false;
        response.writeHead(200, { Date: 'Sat, 21 Nov 2026 12:00:00 GMT' }).write('P');
      });
      try {
        const now = () => new Date('2026-11-21T12:20:00Z');
        const error = await thrown(requestWindow(WINDOW, asking(amplitudeAt(server.url), { now })));
        expect(error).to.be.instanceOf(JobError).and.include({ code: 'CLOCK_SKEW', endsRun: true });
      } finally {
        await server.close();
      }
    });
  });

  describe('a body that comes slowly or not at all', () => {
    async function answered(listener: RequestListener, least = '1024', ms = 200) {
      const server = await serve(listener);
      const started = performance.now();
      try {
        const settings = amplitudeAt(server.url, { EXPORT_MIN_BYTES_PER_S: least });
        const options = asking(settings, { errorBodyMs: ms, ratePeriodMs: ms });
        const outcome = await requestWindow(WINDOW, options).catch((error: unknown) => error);
        return { outcome, seconds: (performance.now() - started) / 1000 };
      } finally {
        await server.close();
      }
    }
    /** Writes `piece` again and again until its reader goes away. */
    const dribble =
      (status: number, piece: string, pieces = Number.POSITIVE_INFINITY): RequestListener =>
      (_, response) => {
        response.writeHead(status, { 'Content-Type': 'text/plain' }).flushHeaders();
        let left = pieces;
        const timer = setInterval(() => {
          if (left-- > 0) response.write(piece);
          else response.end();
        }, 20);
        response.on('close', () => clearInterval(timer));
      };

    it('is quoted as far as it came, for an error', async () => {
      const { outcome, seconds } = await answered(dribble(503, 'no. '));
      expect(outcome).to.be.instanceOf(RequestFault).and.include({ kind: 'server' });
      expect((outcome as Error).message).to.match(/HTTP 503, "no\. no\./);
      expect(seconds).to.be.below(5);
    });

    it('is read up to 64 KiB, for an error', async () => {
      const { outcome, seconds } = await answered(dribble(500, 'x'.repeat(50_000)), '1024', 60_000);
      expect(outcome).to.include({ kind: 'server' });
      expect(seconds).to.be.below(5);
    });

    it('means no data where the part that came says so, for a 404', async () => {
      const said = await answered((_, response) => {
        response.writeHead(404).write('Raw data files were not found.');
      });
      expect(said.outcome).to.deep.equal({ kind: 'no-data' });
      for (const beginning of ['', 'Raw ']) {
        const unsaid = await answered((_, response) => {
          response.writeHead(404).flushHeaders();
          if (beginning !== '') response.write(beginning);
        });
        expect(unsaid.outcome, beginning).to.include({ kind: 'stall' });
      }
      const broken = await answered((_, response) => {
        response.writeHead(404, { 'Content-Length': 30 }).flushHeaders();
        setTimeout(() => response.destroy(), 20);
      });
      expect(broken.outcome).to.include({ kind: 'truncated' });
    });

    it('is given up where it is slower than the least rate, for an archive', async () => {
      const { outcome, seconds } = await answered(dribble(200, 'PK34'));
      expect(outcome).to.be.instanceOf(RequestFault).and.include({ kind: 'stall', code: 'AMPLITUDE_TIMEOUT' });
      expect((outcome as Error).message).to.match(/the answer came at \d{2,3} bytes a second\./);
      expect(seconds).to.be.below(5);
    });

    it('is waited for where it is fast enough or any rate will do, for an archive', async () => {
      const fast = await answered(dribble(200, 'x'.repeat(2000), 30));
      expect(fast.outcome).to.include({ kind: 'archive' });
      const any = await answered(dribble(200, 'PK34', 30), '0');
      expect(any.outcome).to.include({ kind: 'archive' });
    });
  });

  describe('an archive that cannot be landed', () => {
    /** The windows that a run requests where landing fails with `error`. */
    async function landing(error: JobError, hours: number, windows = 1) {
      const tally = new Tally();
      const ended: JobError[] = [];
      const runner = new WindowRunner({
        api: asking(amplitudeAt(simulator.url, { EXPORT_MAX_ATTEMPTS: '3', REQUEST_CONCURRENCY: '1' })),
        land: () => Promise.reject(error),
        tally,
        log: hearingLog(),
        keep: async () => false,
        onDone: () => undefined,
        stop: (reason) => void ended.push(reason),
      });
      await runner.run(
        Array.from({ length: windows }, (_, at) => ({
          start: WINDOW.start + at * hours,
          end: WINDOW.start + (at + 1) * hours,
        })),
      );
      const asked = simulator.requests.map(({ start, end }) => `${start.slice(9)}-${end.slice(9)}`);
      const codes = new Set([...tally.failed.values()].map(({ code }) => code));
      return { asked, codes: [...codes], failed: tally.failed.size, ended };
    }
    const notEvents = () => new JobError('NOT_EVENTS', 'a#0.json.gz holds no event.');
    const foreign = () => new JobError('ARCHIVE_REFUSED', 'It holds no hour of the window.', { retry: true });

    it('is retried, and halved after two attempts, where it holds no event', async () => {
      const { asked, codes, failed } = await landing(notEvents(), 2);
      expect(asked).to.deep.equal(['06-07', '06-07', '06-06', '06-06', '06-06', '07-07', '07-07', '07-07']);
      expect({ codes, failed }).to.deep.equal({ codes: ['NOT_EVENTS'], failed: 2 });
    });

    it('is retried and never halved where another request may bring a better one', async () => {
      const { asked, codes, failed } = await landing(foreign(), 2);
      expect(asked).to.deep.equal(['06-07', '06-07', '06-07']);
      expect({ codes, failed }).to.deep.equal({ codes: ['ARCHIVE_REFUSED'], failed: 2 });
    });

    it('fails at once where it is refused', async () => {
      const { asked, codes } = await landing(new JobError('ARCHIVE_REFUSED', 'A path leaves its folder.'), 2);
      expect({ asked, codes }).to.deep.equal({ asked: ['06-07'], codes: ['ARCHIVE_REFUSED'] });
    });

    for (const error of [notEvents(), foreign()]) {
      it(`is no sign that the API is down: ${error.code}`, async () => {
        const { failed, ended } = await landing(error, 1, 7);
        expect({ failed, ended }).to.deep.equal({ failed: 7, ended: [] });
      });
    }
  });

  it('of a failed --force run are made again by the same command and by no other', async () => {
    await run();
    faults('server-error@2026-03-04T08');
    const forced = await run(['--force'], { EXPORT_MAX_ATTEMPTS: '1', REQUEST_HOURS: '1' });
    expect(forced.code).to.equal(3);
    const [failed] = forced.report().hours.failed;
    expect(failed?.message).to.include(
      'Run the same command again: it asks again for every hour of its range that failed.',
    );
    expect(forced.stderr).not.to.include('not sealed').and.not.to.include('without --force asks');
    simulator.faults.length = 0;
    simulator.requests.length = 0;
    expect((await run()).report().requests).to.equal(0);
    expect((await run(['--force'], { REQUEST_HOURS: '1' })).report().requests).to.equal(6);
  });
});

async function thrown(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return expect.fail('it went well');
}
