import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { contentOf, type Destination } from '../../src/destination/destination.ts';
import { FileDestination } from '../../src/destination/file.ts';
import { formatHour, type Hour, hoursOf, readHour } from '../../src/hours.ts';
import { gapsOf } from '../../src/landing/gaps.ts';
import { makeManifest, manifestKey, writeManifest } from '../../src/landing/manifest.ts';
import { calendar } from '../../src/status/calendar.ts';
import { failure, type StatusReport, statusReport, statusSummary } from '../../src/status/report.ts';
import { type HourState, STATES, stateOf } from '../../src/status/state.ts';
import { type HourStatus, type RangeFlags, type Status, takeStatus } from '../../src/status/status.ts';
import { runProgram } from '../support/program.ts';
import { hearingLog } from '../support/settings.ts';

const START = readHour('2026-11-01T00');
const NOW = '2026-12-01T02:30:00.000Z';

function hourStatus(hour: Hour, state: HourState, events = 0): HourStatus {
  const landed = !['missing', 'pending'].includes(state);
  return {
    hour: formatHour(hour),
    state,
    objects: events > 0 ? 1 : 0,
    bytes: events * 100,
    events: landed ? events : null,
    sealedAt: landed ? NOW : null,
  };
}

function report(hours: readonly HourStatus[], withEvents = true): StatusReport {
  return statusReport(statusOf(hours, withEvents), { failOnGapsOlderThan: undefined, seconds: 1 });
}

function statusOf(hours: readonly HourStatus[], withEvents = true): Status {
  return {
    destination: 's3://landing/amplitude',
    now: NOW,
    range: { start: '2026-11-01T00', end: '2026-12-01T03' },
    project: '1',
    hours,
    problems: [],
    warnings: [],
    requests: { listings: 2, reads: 3, looks: 0 },
    withEvents,
  };
}

describe('the state of an hour', () => {
  const hour = readHour('2026-11-20T05');
  const known = (sealed: string | undefined, now = '2026-11-30T00:00:00Z', changed = {}) =>
    stateOf(hour, {
      now: new Date(now),
      settleHours: 24,
      sealedAt: sealed === undefined ? undefined : new Date(sealed),
      stored: { objects: 1, bytes: 1, quarantine: 0, files: [] },
      manifest: undefined,
      isMarked: false,
      unreadable: false,
      ...changed,
    });

  it('is pending until three hours after its start, then missing', () => {
    expect(known(undefined, '2026-11-20T07:59:59Z')).to.equal('pending');
    expect(known(undefined, '2026-11-20T08:00:00Z')).to.equal('missing');
  });

  it('is unsettled where it was sealed within 24 hours after its end, however old it is', () => {
    expect(known('2026-11-21T05:59:59Z')).to.equal('unsettled');
    expect(known('2026-11-21T06:00:00Z')).to.equal('complete');
    expect(known('2026-11-21T05:59:59Z', undefined, { settleHours: 0 })).to.equal('complete');
  });

  it('is empty without objects, unless they are all in quarantine', () => {
    const stored = { objects: 0, bytes: 0, files: [] };
    expect(known('2026-11-22T00:00:00Z', undefined, { stored: { ...stored, quarantine: 0 } })).to.equal('empty');
    expect(known('2026-11-22T00:00:00Z', undefined, { stored: { ...stored, quarantine: 1 } })).to.equal('complete');
  });

  it('is unreadable where its manifest is, whatever the listing shows', () => {
    expect(known('2026-11-22T00:00:00Z', undefined, { unreadable: true })).to.equal('unreadable');
  });
});

describe('a destination', () => {
  const hour = readHour('2026-11-20T05');
  let folder: string;
  let destination: Destination;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'status-'));
    const options = { signal: new AbortController().signal, log: hearingLog() };
    destination = new FileDestination(folder, options);
    const seal = { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '' };
    const manifest = makeManifest({ hour, generation: 1, project: null, objects: [], quarantine: [] }, seal);
    await destination.put(manifestKey(hour), contentOf(writeManifest(manifest)));
  });
  after(async () => {
    destination.close();
    await rm(folder, { recursive: true });
  });
  const take = (now: string, flags: RangeFlags) =>
    takeStatus({
      destination,
      flags,
      settings: { range: { start: undefined, end: undefined, lookbackDays: 7, timezone: 'UTC' }, settleHours: 24 },
      now: new Date(now),
      withEvents: true,
      withFiles: false,
      onReading: () => undefined,
    });

  it('warns of a wrong clock where an hour has landed before it is ready, and has no gap there', async () => {
    const right = await take('2026-11-20T08:10:00Z', { lookbackDays: 1 });
    const behind = await take('2026-11-20T07:10:00Z', { lookbackDays: 1 });
    expect(right.warnings).to.deep.equal([]);
    expect(behind.warnings.join()).to.include('2026-11-20T05').and.include('One of the clocks is wrong');
    expect(behind.hours.find((at) => at.hour === formatHour(hour))?.sealedAt).to.be.a('string');
  });

  it('has no gaps before the first hour that has landed, wherever the range ends', async () => {
    const now = '2026-11-25T00:00:00Z';
    for (const end of ['2026-11-20T05', '2026-11-10']) {
      const status = await take(now, { end });
      const told = statusReport(status, { failOnGapsOlderThan: 0, seconds: 1 });
      expect([told.exitCode, told.gaps, told.totals.missing]).to.deep.equal([0, [], 0]);
      expect(told.warnings).to.deep.equal([
        `Nothing has landed before ${formatHour(readHour(end.padEnd(13, 'T00')))}; the first hour is 2026-11-20T05. --all shows the rest.`,
      ]);
      expect(statusSummary(told)).to.include(told.warnings[0]).and.include('No gaps.');
      expect(calendar(told, false)).to.include('complete');
    }
    const all = await take(now, { end: '2026-11-20T05', all: true });
    expect([all.hours.length, all.warnings]).to.deep.equal([720, []]);
    const upTo = await take(now, { end: '2026-11-20T06' });
    expect(upTo.hours.map((at) => at.hour)).to.deep.equal([formatHour(hour)]);
  });
});

describe('gaps', () => {
  it('together are exactly the missing hours, and no two touch', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300), { maxLength: 80 }), (offsets) => {
        const missing = offsets.map((at) => START + at).sort((a, b) => a - b);
        const gaps = gapsOf(missing);
        const covered = gaps.flatMap(({ start, end }) => hoursOf({ start: readHour(start), end: readHour(end) }));
        expect(covered).to.deep.equal(missing);
        for (const [at, { start }] of gaps.entries()) expect(start > (gaps[at - 1]?.end ?? '')).to.equal(true);
        expect(gaps.reduce((sum, { hours }) => sum + hours, 0)).to.equal(missing.length);
      }),
    );
  });

  it('have an age from the end of an hour on', () => {
    const hours = [START, START + 1, START + 2].map((hour) => hourStatus(hour, 'missing'));
    const status = { ...statusOf(hours), now: '2026-11-02T02:00:00.000Z' };
    const failed = (age: number) => failure(statusReport(status, { failOnGapsOlderThan: age, seconds: 1 }), age);
    expect(failed(24)).to.include('2 hours have not landed for more than 1 day: 2026-11-01T00 to 2026-11-01T02 ');
    expect(failed(0)).to.include('3 hours have not landed: 2026-11-01T00 to 2026-11-01T03 ');
    expect(failed(26)).to.equal(undefined);
  });
});

describe('what --fail-on-gaps fails for', () => {
  const failed = (states: readonly HourState[], age = 0) => {
    const status = statusOf(states.map((state, at) => hourStatus(START + at, state)));
    const options = { failOnGapsOlderThan: age, seconds: 1 };
    return failure(statusReport(status, options), age);
  };

  it('is a gap with the command that fills it, and nothing else', () => {
    expect(failed(['missing', 'complete', 'missing', 'complete'], 48)).to.match(
      /^2 hours have not landed for more than 2 days: 2026-11-01T00, 2026-11-01T02\. To fill them: `\S.* export --start 2026-11-01T00 --end 2026-11-01T03`$/,
    );
    expect(failed(['complete', 'pending'])).to.equal(undefined);
  });

  it('is an unreadable hour, without that command', () => {
    expect(failed(['unreadable', 'complete', 'unreadable'])).to.equal(
      '2 hours have a manifest that proves nothing: 2026-11-01T00, 2026-11-01T02.',
    );
    const both = failed(['unreadable', 'missing', 'complete']);
    expect(both).to.match(/^1 hour has a manifest that proves nothing: 2026-11-01T00\. 1 hour has not landed: /);
    expect(both).to.include('--start 2026-11-01T01 --end 2026-11-01T02`');
  });
});

describe('the calendar', () => {
  const mixed = () =>
    hoursOf({ start: START, end: START + 30 * 24 }).map((hour, at) =>
      hourStatus(
        hour,
        STATES[at % STATES.length] as HourState,
        STATES[at % STATES.length] === 'complete' ? 9_999_999 : 0,
      ),
    );

  it('fits 80 columns without colour, a day a line', () => {
    const lines = calendar(report(mixed()), false).split('\n');
    for (const line of lines) expect(line.length, line).to.be.at.most(80);
    expect(lines.filter((line) => line.startsWith('2026-11-'))).to.have.length(30);
  });

  it('says the same with and without colour', () => {
    const plain = calendar(report(mixed()), false);
    const coloured = calendar(report(mixed()), true);
    expect(plain).not.to.include('\u001b');
    expect(coloured).to.include('\u001b[1;31mX');
    expect(stripVTControlCharacters(coloured)).to.equal(plain);
  });

  it('has a sign for each state and names it', () => {
    const [, row = ''] = calendar(report(mixed().slice(0, 24)), false).split('\n');
    const cells = row.slice(12).match(/../g)?.slice(0, STATES.length);
    expect(new Set(cells).size).to.equal(STATES.length);
    const text = calendar(report(mixed()), false);
    for (const state of STATES) expect(text).to.include(state);
  });

  it('shades by events, and by bytes where events are not known', () => {
    const hours = [1, 30, 60, 100].map((events, at) => hourStatus(START + at, 'complete', events));
    for (const withEvents of [true, false]) {
      expect(calendar(report(hours, withEvents), false)).to.include('2026-11-01  ░ ▒ ▓ █ ');
    }
  });

  it('puts an hour below its number', () => {
    const [head = '', row = ''] = calendar(report([hourStatus(START + 15, 'missing')]), false).split('\n');
    expect(row.indexOf('X')).to.equal(head.indexOf('15'));
  });
});

describe('the summary', () => {
  it('names the newest gaps first, each with its command, and many at once by one', () => {
    const hours = hoursOf({ start: START, end: START + 100 }).map((hour) =>
      hourStatus(hour, hour % 2 === 0 ? 'missing' : 'complete', 1),
    );
    const text = statusSummary(report(hours));
    const first = text.split('\n').find((line) => line.includes('export --start'));
    expect(first).to.include(formatHour(START + 98));
    expect(text).to.include('and 30 more');
    expect(text).to.include(`export --start ${formatHour(START)} --end ${formatHour(START + 99)}`);
  });

  it('counts the hours without proof, with one command that asks for all of them', () => {
    const state = (at: number) => ([3, 5].includes(at) ? 'unproved' : 'complete');
    const hours = Array.from({ length: 9 }, (_, at) => hourStatus(START + at, state(at), 1));
    const told = report(hours);
    const fill = `export --start ${formatHour(START + 3)} --end ${formatHour(START + 6)}`;
    expect(statusSummary(told)).to.match(
      new RegExp(`No gaps\\.\\n2 hours are adopted without proof; this asks Amplitude for them:\\n.* ${fill}$`),
    );
    expect(told.unproved.map(({ start, hours }) => [start, hours])).to.deep.equal([
      [formatHour(START + 3), 1],
      [formatHour(START + 5), 1],
    ]);
  });

  it('says what it cost', () => {
    expect(statusSummary(report([hourStatus(START, 'complete', 5)]))).to.include(
      '5 requests: 2 listings, 3 objects read',
    );
  });
});

describe('the command line of status and verify', () => {
  const refused: readonly [string[], RegExp][] = [
    [['status', '--fail-on-gaps=soon'], /--fail-on-gaps=soon is no age.*36h/s],
    [['status', '--start', '2026-11-20', '--lookback-days', '3'], /give one of them/],
    [['status', '--start', '2026-11-21', '--end', '2026-11-20'], /is not after the start/],
    [['verify', '--start', '2026-11-21', '--end', '2026-11-20'], /is not after the start/],
    [['status', '--lookback-days', '0'], /from 1 to 3650/],
    [['verify', '--force'], /--force/],
    [['status', '--html', '/no/such/folder/x.html'], /--html names .* cannot be written \(ENOENT\)/],
  ];
  for (const [args, message] of refused) {
    it(`refuses ${args.join(' ')} with exit code 2`, async () => {
      const { code, stderr } = await runProgram(args, {
        DESTINATION: '/tmp/no-such-destination',
        LOG_FORMAT: 'pretty',
      });
      expect(stderr).to.match(message);
      expect(code).to.equal(2);
    });
  }

  it('needs the keys of Amplitude for a repair only', async () => {
    const env = { DESTINATION: '/tmp/no-such-destination', LOG_FORMAT: 'pretty' };
    expect((await runProgram(['verify'], env)).code).to.equal(3);
    const { code, stderr } = await runProgram(['verify', '--repair'], env);
    expect(code).to.equal(2);
    expect(stderr).to.include('AMPLITUDE_API_KEY');
  });

  it('speaks to Kestra in its protocol', async () => {
    const env = { DESTINATION: '/tmp/no-such-destination', LOG_FORMAT: 'kestra' };
    for (const [command, output] of [
      ['status', 'hoursMissing'],
      ['verify', 'differences'],
    ] as const) {
      const { stdout } = await runProgram([command], env);
      const lines = stdout.trim().split('\n');
      for (const line of lines) expect(line).to.match(/^::\{.*\}::$/);
      const said = lines.map((line) => JSON.parse(line.slice(2, -2)) as { outputs?: object });
      expect(said.find(({ outputs }) => outputs !== undefined)?.outputs).to.have.property(output);
    }
  });
});
