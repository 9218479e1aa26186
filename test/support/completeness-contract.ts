import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { COMMANDS } from '../../src/commands/all.ts';
import { contentOf, type Destination } from '../../src/destination/destination.ts';
import { formatHour, hourFolder, hoursOf, readHour, type Window } from '../../src/hours.ts';
import { eventsKey } from '../../src/landing/keys.ts';
import { type Manifest, writeManifest } from '../../src/landing/manifest.ts';
import { expectedHour, parseFault, type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { StatusReport } from '../../src/status/report.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import { sweep } from '../../src/verify/sweep.ts';
import { runInProcess } from './in-process.ts';
import { runProgram, STARTED } from './program.ts';

/** An empty destination: the settings that lead the program there, and access without the program. */
export interface Place {
  readonly env: Readonly<Record<string, string>>;
  readonly destination: Destination;
}

const EVENTS_PER_HOUR = 40;
/** Long settled. The fourth hour has no events. */
const range: Window = { start: readHour('2026-03-04T06'), end: readHour('2026-03-04T12') };
const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T12'];
const TARGET = readHour('2026-03-04T09');

/** How `status`, `verify` and `export` work together, for any destination. */
export function completenessContract(
  open: () => Promise<Place>,
  { keepsChecksums }: { keepsChecksums: boolean } = { keepsChecksums: true },
): void {
  let simulator: Simulator;
  let place: Place;

  before(async () => {
    simulator = await startSimulator({ eventsPerHour: EVENTS_PER_HOUR });
  });
  after(() => simulator?.close());
  beforeEach(async () => {
    simulator.faults.length = 0;
    simulator.requests.length = 0;
    place = await open();
  });
  afterEach(() => place.destination.close());

  const withKeys = () => ({
    AMPLITUDE_BASE_URL: simulator.url,
    AMPLITUDE_API_KEY: 'simulator-key',
    AMPLITUDE_SECRET_KEY: 'simulator-secret',
    EXPORT_BACKOFF_MS: '1',
    ...place.env,
  });
  const land = async (...args: string[]) => {
    const ended = await runProgram(['export', '--json', ...(args.length > 0 ? args : RANGE)], withKeys());
    expect(ended.code, ended.stderr).to.equal(0);
    return ended.report();
  };
  /** Lands what a first run lands. Most tests start with it, and only the first of them runs the program for it. */
  let firstLanding: Map<string, Buffer> | undefined;
  const landed = async () => {
    const { destination } = place;
    if (firstLanding !== undefined) {
      for (const [key, content] of firstLanding) await destination.put(key, contentOf(content));
      return;
    }
    await land();
    firstLanding = new Map();
    for await (const { key } of destination.list('')) {
      firstLanding.set(key, (await destination.read(key)) ?? Buffer.alloc(0));
    }
  };
  /** Without Amplitude keys, which status does not need. */
  const status = async (...args: string[]) => {
    const ended = await runInProcess<StatusReport>(await COMMANDS.status(), [...RANGE, ...args], place.env);
    return { ...ended, status: ended.report };
  };
  const verify = async (...args: string[]) => {
    const env = args.includes('--repair') ? withKeys() : place.env;
    const ended = await runInProcess<VerifyReport>(await COMMANDS.verify(), args, env);
    return { ...ended, verify: ended.report };
  };
  const expected = (hour: number) => expectedHour({ eventsPerHour: EVENTS_PER_HOUR }, hour);
  const windows = () => simulator.requests.map(({ start, end }) => `${start?.slice(9)}-${end?.slice(9)}`);
  const manifestAt = (hour: number) => `manifests/${hourFolder(hour)}.json`;
  const manifestOf = async (hour: number) =>
    JSON.parse(((await place.destination.read(manifestAt(hour))) ?? '').toString()) as Manifest;
  const write = (key: string, content: string | Buffer) => place.destination.put(key, contentOf(Buffer.from(content)));
  const rewrite = async (hour: number, changed: Partial<Manifest>) =>
    write(manifestAt(hour), writeManifest({ ...(await manifestOf(hour)), ...changed }));
  const statesOf = ({ hours }: StatusReport) => Object.fromEntries(hours.map(({ hour, state }) => [hour, state]));
  const busy = hoursOf(range).filter((hour) => expected(hour).parts.length > 0);
  const sum = (hours: readonly number[]) => hours.reduce((total, hour) => total + expected(hour).events, 0);
  async function expectWhole() {
    for (const hour of hoursOf(range)) {
      const { parts } = expected(hour);
      const { objects } = await manifestOf(hour);
      expect(objects.map(({ member }) => member)).to.deep.equal(parts.map(({ name }) => name));
      for (const [part, { key }] of objects.entries()) {
        expect((await place.destination.read(key))?.equals(parts[part]?.json ?? Buffer.alloc(0)), key).to.equal(true);
      }
    }
    const stored = await Array.fromAsync(place.destination.list('events/'));
    expect(stored).to.have.length(busy.reduce((total, hour) => total + expected(hour).parts.length, 0));
  }

  describe('export fills', () => {
    const hole = (...hours: number[]) => place.destination.delete(hours.map((hour) => manifestAt(range.start + hour)));
    const cases: readonly [string, () => Promise<unknown>, readonly string[]][] = [
      ['an empty destination in one request', () => place.destination.delete([]), ['06-11']],
      ['a hole in the middle', () => landed().then(() => hole(2)), ['08-08']],
      ['several holes, each with a request of its own', () => landed().then(() => hole(0, 2, 3)), ['06-06', '08-09']],
      ['a hole at the end', () => landed().then(() => hole(4, 5)), ['10-11']],
      ['nothing where nothing is missing', () => landed(), []],
    ];
    for (const [name, prepare, asked] of cases) {
      it(name, async () => {
        await prepare();
        simulator.requests.length = 0;
        await land();
        expect(windows().sort()).to.deep.equal(asked);
        await expectWhole();
        expect((await verify('--deep')).code).to.equal(0);
      });
    }

    it('hours before the look-back only with --start', async () => {
      const report = await land('--lookback-days', '1');
      expect(report.range.start > '2026-03-04T12').to.equal(true);
      expect((await status()).status.totals.missing).to.equal(6);
      await land();
      expect((await status()).status.gaps).to.deep.equal([]);
    });
  });

  describe('status', () => {
    it('says that an empty destination misses every hour, and how to fill it', async () => {
      const { code, status: report } = await status();
      expect(code).to.equal(0);
      expect(report.totals).to.include({ missing: 6, complete: 0, events: 0, objects: 0 });
      expect(report).to.include({ firstLanded: null, lastLanded: null, project: null });
      const command = `${STARTED} export --start 2026-03-04T06 --end 2026-03-04T12`;
      expect(report.gaps).to.deep.equal([{ start: '2026-03-04T06', end: '2026-03-04T12', hours: 6, command }]);
    });

    it('shows each hour with events and objects, and each gap with the command that fills it', async () => {
      await landed();
      await place.destination.delete([range.start + 1, range.start + 4].map(manifestAt));
      const { status: report } = await status();
      const gone = [range.start + 1, range.start + 4];
      const left = busy.filter((hour) => !gone.includes(hour));
      expect(statesOf(report)).to.deep.equal(
        Object.fromEntries(
          hoursOf(range).map((hour) => [
            formatHour(hour),
            gone.includes(hour) ? 'missing' : busy.includes(hour) ? 'complete' : 'empty',
          ]),
        ),
      );
      for (const hour of left) {
        const { events, parts } = expected(hour);
        const bytes = parts.reduce((total, { json }) => total + json.length, 0);
        const found = report.hours.find((each) => each.hour === formatHour(hour));
        expect(found).to.include({ events, bytes, objects: parts.length });
      }
      expect(report.totals.events).to.equal(sum(left));
      expect(report).to.include({ firstLanded: '2026-03-04T06', lastLanded: '2026-03-04T11', project: '100011471' });
      expect(report.gaps).to.have.length(2);
      for (const { command } of report.gaps) await land(...command.slice(`${STARTED} export `.length).split(' '));
      expect((await status()).status.gaps).to.deep.equal([]);
    });

    it('knows pending and unsettled hours', async () => {
      await land('--lookback-days', '1');
      const { stdout } = await runProgram(['status', '--json', '--lookback-days', '1'], { ...place.env });
      const { totals, hours } = JSON.parse(stdout) as StatusReport;
      expect(totals).to.include({ pending: 3, missing: 0 });
      expect(totals.unsettled).to.be.within(20, 21);
      expect(hours.at(-1)?.state).to.equal('pending');
      const atOnce = { ...place.env, SETTLE_HOURS: '0' };
      const settled = JSON.parse((await runProgram(['status', '--json', '--lookback-days', '1'], atOnce)).stdout);
      expect((settled as StatusReport).totals.unsettled).to.equal(0);
    });

    it('knows hours that Amplitude returned less of', async () => {
      await landed();
      const [hour = 0] = busy;
      await rewrite(hour, { shrunk: { events: 1, at: '2026-03-06T00:00:00Z' } });
      const { status: report } = await status();
      expect(statesOf(report)[formatHour(hour)]).to.equal('shrunk');
      expect(report.hours.find((each) => each.state === 'shrunk')?.shrunk).to.include({ events: 1 });
      expect(report.totals.events).to.equal(sum(busy));
    });

    it('shows states, objects and bytes from listings alone with --no-events', async () => {
      await landed();
      await place.destination.delete([manifestAt(range.start)]);
      const full = (await status()).status;
      const { status: report } = await status('--no-events');
      expect(report.requests.reads).to.equal(0);
      expect(statesOf(report)).to.deep.equal(statesOf(full));
      expect(report.totals).to.include({ bytes: full.totals.bytes, objects: full.totals.objects, events: null });
    });

    it('lists every object with its size, time and checksum with --files', async () => {
      await landed();
      const { status: report } = await status('--files');
      const files = report.hours.flatMap((hour) => hour.files ?? []);
      const objects = (await Promise.all(hoursOf(range).map(manifestOf))).flatMap((manifest) => manifest.objects);
      expect(files.map(({ key, bytes, crc32 }) => ({ key, bytes, crc32 }))).to.deep.equal(
        objects.map(({ key, bytes, crc32 }) => ({ key, bytes, crc32 })),
      );
      for (const { modifiedAt } of files) expect(Date.now() - Date.parse(modifiedAt)).to.be.within(-2000, 60_000);
    });

    it('fails on gaps when asked to, and only on those that are old enough', async () => {
      await landed();
      expect((await status('--fail-on-gaps')).code).to.equal(0);
      await place.destination.delete([manifestAt(TARGET)]);
      expect((await status()).code).to.equal(0);
      const { code, status: report, stderr } = await status('--fail-on-gaps=1d');
      expect([code, report.exitCode]).to.deep.equal([3, 3]);
      expect(stderr).to.include(formatHour(TARGET)).and.include('1 hour has not landed for more than 1 day');
      expect((await status('--fail-on-gaps=90000h')).code).to.equal(0);
    });

    it('starts at the first landed hour, unless --start or --all says otherwise', async () => {
      await land('--start', '2026-03-04T08', '--end', '2026-03-04T12');
      const look = async (...args: string[]) => {
        const given = ['status', '--json', '--end', '2026-03-04T12', '--fail-on-gaps', ...args];
        const ended = await runProgram(given, { ...place.env });
        const { range: shown, totals } = ended.report<StatusReport>();
        return [ended.code, shown.start, totals.missing];
      };
      expect(await look()).to.deep.equal([0, '2026-03-04T08', 0]);
      expect(await look('--lookback-days', '1')).to.deep.equal([0, '2026-03-04T08', 0]);
      expect(await look('--lookback-days', '1', '--all')).to.deep.equal([3, '2026-03-03T12', 20]);
      expect(await look('--start', '2026-03-04T06')).to.deep.equal([3, '2026-03-04T06', 2]);
    });

    it('counts every gap of the look-back when the first landed hour is before it', async () => {
      await land('--start', '2026-03-02T00', '--end', '2026-03-02T01');
      await land('--start', '2026-03-04T08', '--end', '2026-03-04T12');
      const look = ['status', '--json', '--end', '2026-03-04T12', '--lookback-days', '1'];
      const report = (await runProgram(look, { ...place.env })).report<StatusReport>();
      expect([report.range.start, report.totals.missing]).to.deep.equal(['2026-03-03T12', 20]);
    });

    it('has no gaps before the first landed hour, and says so', async () => {
      await land('--start', '2026-03-04T08', '--end', '2026-03-04T09');
      const look = ['status', '--json', '--end', '2026-03-04T08', '--lookback-days', '1', '--fail-on-gaps'];
      const ended = await runProgram(look, { ...place.env });
      const report = ended.report<StatusReport>();
      expect([ended.code, report.hours, report.gaps]).to.deep.equal([0, [], []]);
      expect(report.warnings).to.deep.equal([
        'Nothing has landed before 2026-03-04T08; the first hour is 2026-03-04T08. --all shows the rest.',
      ]);
    });

    const spoilt: readonly [string, (hour: number) => Promise<unknown>, string, RegExp][] = [
      ['is not JSON', (hour) => write(manifestAt(hour), 'oops'), 'MANIFEST_UNREADABLE', /not JSON/],
      [
        'is of a newer format',
        (hour) => rewrite(hour, { version: 2 as 1 }),
        'MANIFEST_NEWER',
        /version 2, which is newer/,
      ],
      ['is of another project', (hour) => rewrite(hour, { project: '222' }), 'MANIFEST_FOREIGN', /of project 222/],
    ];
    for (const [name, spoil, code, message] of spoilt) {
      it(`says which manifest ${name}, and does not count its hour as landed`, async () => {
        await landed();
        const [hour = 0] = busy;
        await spoil(hour);
        const report = await status();
        expect(report.code).to.equal(0);
        expect(statesOf(report.status)[formatHour(hour)]).to.equal('unreadable');
        const [problem] = report.status.problems;
        expect(problem).to.include({ hour: formatHour(hour), code });
        expect(problem?.message).to.match(message);
        expect((await status('--fail-on-gaps')).code).to.equal(3);
        const verified = await verify();
        expect(verified.code).to.equal(3);
        expect(verified.verify.differences.map(({ kind }) => kind)).to.include('manifest');
      });
    }

    it('is consistent while an export runs', async () => {
      const landing = land();
      const looks: StatusReport[] = [];
      let over = false;
      void landing.finally(() => {
        over = true;
      });
      while (!over) looks.push((await status()).status);
      await landing;
      for (const { totals } of looks) expect(totals.unreadable).to.equal(0);
      const sealed = looks.map(({ totals }) => totals.complete + totals.empty);
      expect(sealed).to.deep.equal(sealed.toSorted((a, b) => a - b));
      expect((await verify('--deep')).code).to.equal(0);
    });
  });

  describe('verify', () => {
    for (const depth of [[], ...(keepsChecksums ? [['--checksums']] : []), ['--deep']]) {
      it(`finds nothing when nothing has changed ${depth.join('')}`, async () => {
        await landed();
        const { code, verify: found } = await verify(...depth);
        expect(code).to.equal(0);
        expect(found.differences).to.deep.equal([]);
        const bytes = busy.flatMap((hour) => expected(hour).parts).reduce((total, { json }) => total + json.length, 0);
        expect(found.checked).to.include({ hours: 6, bytes });
      });
    }

    it('reads gzip objects back', async () => {
      place = { ...place, env: { ...place.env, OUTPUT_FORMAT: 'gzip' } };
      await land();
      expect((await verify('--deep')).code).to.equal(0);
      const [{ key } = { key: '' }] = (await manifestOf(busy[0] ?? 0)).objects;
      const content = (await place.destination.read(key)) ?? Buffer.alloc(0);
      content.writeUInt8((content[40] ?? 0) ^ 1, 40);
      await write(key, content);
      const { verify: found } = await verify('--deep');
      expect(found.differences.map((difference) => difference.key)).to.deep.equal([key]);
    });

    const first = async () => (await manifestOf(busy[0] ?? 0)).objects[0]?.key ?? '';
    const damages: readonly [string, string, string, () => Promise<unknown>][] = [
      ['a missing object', 'missing', '', async () => place.destination.delete([await first()])],
      ['an object that was cut short', 'size', '', async () => write(await first(), '{"a":1}\n')],
      [
        'an object of the same size with other bytes',
        'checksum',
        '--checksums',
        async () => {
          const content = (await place.destination.read(await first())) ?? Buffer.alloc(0);
          return write(await first(), content.fill(0x20, 2, 12));
        },
      ],
      ['a manifest whose sums are wrong', 'counts', '', async () => rewrite(busy[0] ?? 0, { events: 7 })],
      [
        'a manifest with another count of events than the object has lines',
        'events',
        '--deep',
        async () => {
          const { objects } = await manifestOf(busy[0] ?? 0);
          const changed = objects.map((object, part) =>
            part === 0 ? { ...object, events: object.events + 1 } : object,
          );
          const events = changed.reduce((total, object) => total + object.events, 0);
          return rewrite(busy[0] ?? 0, { objects: changed, events });
        },
      ],
      ['a manifest that is not JSON', 'manifest', '', async () => write(manifestAt(busy[0] ?? 0), '{')],
    ];
    for (const [name, kind, depth, damage] of damages) {
      if (depth === '--checksums' && !keepsChecksums) continue;
      it(`finds ${name}, and repairs it with --repair`, async () => {
        await landed();
        await damage();
        const flags = depth === '' ? [] : [depth];
        const { code, verify: found } = await verify(...flags);
        expect(code).to.equal(3);
        expect(found.differences.map((difference) => [difference.kind, difference.hour])).to.deep.equal([
          [kind, formatHour(busy[0] ?? 0)],
        ]);
        simulator.requests.length = 0;
        const repaired = await verify(...flags, '--repair');
        expect(repaired.code, repaired.stderr).to.equal(0);
        expect(repaired.verify.repair).to.deep.include({ repaired: [formatHour(busy[0] ?? 0)], differences: [] });
        expect(windows()).to.deep.equal(['06-06']);
        await expectWhole();
      });
    }

    it('finds a missing quarantine, and repairs it', async () => {
      simulator.faults.push(parseFault(`bad-line@${formatHour(busy[0] ?? 0)}`));
      await land();
      const { quarantine } = await manifestOf(busy[0] ?? 0);
      expect(quarantine).to.have.length(1);
      expect((await verify('--deep')).code).to.equal(0);
      await place.destination.delete(quarantine.map(({ key }) => key));
      const { verify: found } = await verify();
      expect(found.differences.map(({ key }) => key)).to.deep.equal(quarantine.map(({ key }) => key));
      expect((await verify('--repair')).code).to.equal(0);
      expect((await verify('--deep')).code).to.equal(0);
    });

    const strayOf = (hour: number, generation: number) =>
      eventsKey({ project: '100011471', hour, part: 77, generation, crc32: '00000000' }, 'json');

    it('finds an object that no manifest will name, and leaves it to --sweep', async () => {
      await landed();
      const stray = strayOf(busy[0] ?? 0, 1);
      await write(stray, '{}\n');
      const { code, verify: found } = await verify('--repair');
      expect([code, found.repair]).to.deep.equal([3, null]);
      expect(found.differences.map(({ key, kind }) => [key, kind])).to.deep.equal([[stray, 'unsealed']]);
      expect(found.differences[0]?.hint).to.include('--sweep');
      const swept = await verify('--sweep');
      expect([swept.code, swept.verify.swept]).to.deep.equal([3, []]);
      expect(await place.destination.read(stray), 'younger than a day').not.to.equal(undefined);
    });

    it('sweeps exactly the objects that no manifest names and that are a day old', async () => {
      await landed();
      const [one = 0, other = 0, spoilt = 0] = busy;
      const strays = [strayOf(one, 1), strayOf(one, 2), strayOf(other, 2)];
      const kept = [strayOf(spoilt, 1), `events/${hourFolder(one)}/copy.json`, 'events/notes.txt'];
      for (const key of [...strays, ...kept]) await write(key, '{}\n');
      await write(manifestAt(spoilt), 'oops');
      const stored = async () => (await Array.fromAsync(place.destination.list('events/'))).map(({ key }) => key);
      const before = await stored();
      // Such a list may be older than the manifests, and what they name now stays.
      const listed = await Array.fromAsync(place.destination.list('events/'));
      const later = (hours: number) => ({
        destination: place.destination,
        now: new Date(Date.now() + hours * 3_600_000),
      });
      expect(await sweep(listed, later(23))).to.deep.equal([]);
      expect((await sweep(listed, later(25))).map(({ key }) => key)).to.have.members(strays);
      expect(await stored()).to.deep.equal(before.filter((key) => !strays.includes(key)));
    });

    it('reports no difference for an object that the next manifest may name', async () => {
      await landed();
      await write(strayOf(busy[0] ?? 0, 2), '{}\n');
      const { code, verify: found } = await verify();
      expect([code, found.differences]).to.deep.equal([0, []]);
      expect(found.unsealed.map(({ key }) => key)).to.deep.equal([strayOf(busy[0] ?? 0, 2)]);
    });

    it('differs when nothing has landed, as status and --dry-run say too', async () => {
      const { code, verify: found } = await verify();
      expect([code, found.differences.map(({ kind }) => kind)]).to.deep.equal([3, ['nothing']]);
      const words = /Nothing has landed in .*Is this the right destination\?/;
      expect(found.differences[0]?.message).to.match(words);
      expect((await status()).status.warnings.join()).to.match(words);
      const { stderr, stdout } = await runProgram(['--dry-run', ...RANGE], withKeys());
      expect(stderr + stdout).to.match(words);
    });

    it('lists young objects of an unsealed hour, and reports no difference', async () => {
      await landed();
      await place.destination.delete([manifestAt(busy[0] ?? 0)]);
      const { code, verify: found } = await verify();
      expect([code, found.differences]).to.deep.equal([0, []]);
      expect(found.unsealed.map(({ hour }) => hour)).to.include(formatHour(busy[0] ?? 0));
    });

    it('names foreign keys, and leaves them alone', async () => {
      await landed();
      const foreign = [
        'events/notes.txt',
        'quarantine/notes.txt',
        `events/${hourFolder(range.start)}/copy.json`,
        'manifests/README.md',
      ];
      for (const key of foreign) await write(key, 'x');
      const { code, verify: found } = await verify('--repair', '--sweep');
      expect([code, found.repair, found.swept]).to.deep.equal([3, null, []]);
      expect(found.differences.map(({ kind }) => kind)).to.deep.equal(foreign.map(() => 'unsealed'));
      expect(found.differences.map(({ key }) => key)).to.have.members(foreign);
      for (const key of foreign) expect(await place.destination.read(key)).not.to.equal(undefined);
    });

    it('deletes nothing when Amplitude has less now', async () => {
      await landed();
      const hour = busy.find((each) => expected(each).parts.length > 1) ?? 0;
      const [gone = '', ...left] = (await manifestOf(hour)).objects.map(({ key }) => key);
      expect(left).not.to.have.length(0);
      await place.destination.delete([gone]);
      simulator.faults.push(parseFault('no-data'));
      const { code, verify: found } = await verify('--repair');
      expect(code).to.equal(3);
      expect(found.repair?.failed.map((failed) => failed.code)).to.deep.equal(['REPAIR_SHRUNK']);
      for (const key of left) expect(await place.destination.read(key), key).not.to.equal(undefined);
      expect((await manifestOf(hour)).objects).to.have.length(1 + left.length);
      // The same holds when the manifest is unreadable.
      await write(manifestAt(hour), 'oops');
      expect((await verify('--repair')).code).to.equal(3);
      for (const key of left) expect(await place.destination.read(key), key).not.to.equal(undefined);
    });

    it('deletes no object when the manifest is unreadable and Amplitude has fewer members', async () => {
      await landed();
      const hour = busy.find((each) => expected(each).parts.length > 1) ?? 0;
      const keys = (await manifestOf(hour)).objects.map(({ key }) => key);
      await write(manifestAt(hour), 'oops');
      const more = strayOf(hour, 1);
      await write(more, '{"a":1}\n');
      const { code, verify: found } = await verify('--repair');
      expect([code, found.repair?.failed.map((failed) => failed.code)]).to.deep.equal([3, ['REPAIR_SHRUNK']]);
      for (const key of [...keys, more]) expect(await place.destination.read(key), key).not.to.equal(undefined);
    });

    it('does not touch an hour of a newer format or of another project', async () => {
      await landed();
      const [one = 0, other = 0] = busy;
      await rewrite(one, { version: 2 as 1 });
      await rewrite(other, { project: '222' });
      simulator.requests.length = 0;
      const { code, verify: found } = await verify('--repair');
      expect([code, found.repair, simulator.requests.length]).to.deep.equal([3, null, 0]);
      expect(found.differences.map(({ hint }) => hint).join(' '))
        .to.include('newer')
        .and.include('prefix of its own');
    });

    it('looks only at the hours of a range', async () => {
      await landed();
      await place.destination.delete([await first()]);
      const { code, verify: found } = await verify('--start', '2026-03-04T07', '--end', '2026-03-04T09');
      expect([code, found.checked.hours]).to.deep.equal([0, 2]);
    });
  });
}

export const temporary = (name: string) =>
  join(tmpdir(), `${name}-${process.pid}-${Math.random().toString(36).slice(2)}`);
export const remove = (folder: string) => rm(folder, { recursive: true, force: true });
