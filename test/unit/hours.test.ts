import { expect } from 'chai';
import fc from 'fast-check';
import { IANAZone } from 'luxon';
import { UsageError } from '../../src/errors.ts';
import {
  formatHour,
  halve,
  hourFolder,
  hourOf,
  hoursOf,
  joinHours,
  onTheWire,
  readHour,
  readTime,
  readyEnd,
  settledFrom,
  yesterday,
  zoneHasWholeHours,
} from '../../src/hours.ts';

const hour = readHour;

describe('hours', () => {
  it('are read as they are written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (h) => {
        expect(readHour(formatHour(h))).to.equal(h);
      }),
    );
    expect(formatHour(hourOf(new Date('2026-11-20T05:59:59.999Z')))).to.equal('2026-11-20T05');
    for (const text of ['2026-11-20T24', '2026-02-30T00', '2026-11-20', '2026-1-20T05']) {
      expect(() => readHour(text)).to.throw(RangeError);
    }
  });

  it('have padded folders, and an inclusive end on the wire', () => {
    expect(hourFolder(hour('2026-11-20T05'))).to.equal('date=2026-11-20/hour=05');
    expect(onTheWire({ start: hour('2026-11-20T00'), end: hour('2026-11-21T00') })).to.deep.equal({
      start: '20261120T00',
      end: '20261120T23',
    });
    expect(onTheWire({ start: hour('2026-11-20T05'), end: hour('2026-11-20T06') })).to.deep.equal({
      start: '20261120T05',
      end: '20261120T05',
    });
  });

  it('are ready three hours after their start', () => {
    const five = hour('2026-11-20T05');
    expect(five < readyEnd(new Date('2026-11-20T07:59:59Z'))).to.equal(false);
    expect(five < readyEnd(new Date('2026-11-20T08:00:00Z'))).to.equal(true);
    expect(settledFrom(five, 24).toISOString()).to.equal('2026-11-21T06:00:00.000Z');
  });
});

describe('hours: time inputs', () => {
  const read = (text: string, zone = 'UTC') => formatHour(readTime(text, zone, '--start'));

  for (const [text, expected, zone] of [
    ['2026-11-20T05', '2026-11-20T05', 'Europe/Berlin'],
    ['20261120T05', '2026-11-20T05', 'Europe/Berlin'],
    ['2026-11-20', '2026-11-20T00', 'UTC'],
    ['2026-11-20', '2026-11-19T23', 'Europe/Berlin'],
    ['2026-07-20', '2026-07-19T22', 'Europe/Berlin'],
    ['2026-11-20', '2026-11-20T08', 'America/Los_Angeles'],
    ['2026-11-20T05:00Z', '2026-11-20T05', 'UTC'],
    ['2026-11-20T05:00:00Z', '2026-11-20T05', 'UTC'],
    ['2026-11-20T05:00:00.000Z', '2026-11-20T05', 'Europe/Berlin'],
    ['2026-11-20T05:00:00+02:00', '2026-11-20T03', 'UTC'],
    ['2026-11-20T05:30:00+05:30', '2026-11-20T00', 'UTC'],
  ] as const) {
    it(`reads ${text} in ${zone} as ${expected}`, () => expect(read(text, zone)).to.equal(expected));
  }

  for (const text of [
    '2026-11-20T05:30Z',
    '2026-11-20T05:00:01Z',
    '2026-11-20T05:00',
    '2026-11-20 05:00',
    '2026-13-01',
    '2026-02-30',
    '2026-11-20T24',
    '2026-1120T05',
    'yesterday',
    '1763600000',
    '20/11/2026',
    '2026-11-20T05:00:00+05:30',
  ]) {
    it(`refuses ${text}, naming the flag and the forms of a time`, () => {
      expect(() => read(text))
        .to.throw(UsageError, new RegExp(`--start is "${text.replaceAll('+', '\\+')}"`))
        .with.property('hint')
        .that.includes('2026-11-20T05');
    });
  }

  it('knows yesterday from midnight to midnight, even if it has 25 hours', () => {
    const text = (at: string, zone: string) => {
      const { start, end } = yesterday(new Date(at), zone);
      return `${formatHour(start)} ${formatHour(end)}`;
    };
    expect(text('2026-11-21T00:10:00Z', 'UTC')).to.equal('2026-11-20T00 2026-11-21T00');
    expect(text('2026-11-21T23:30:00Z', 'Europe/Berlin')).to.equal('2026-11-20T23 2026-11-21T23');
    expect(text('2026-10-26T12:00:00Z', 'Europe/Berlin')).to.equal('2026-10-24T22 2026-10-25T23');
  });

  it('refuses zones whose days begin off whole hours', () => {
    expect(['UTC', 'Europe/Berlin', 'America/New_York'].map(zoneHasWholeHours)).to.deep.equal([true, true, true]);
    expect(['Asia/Kolkata', 'Australia/Adelaide', 'Asia/Kathmandu', 'Mars/Base'].map(zoneHasWholeHours)).to.deep.equal([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('hours: windows', () => {
  const someHours = fc
    .uniqueArray(fc.integer({ min: 490_000, max: 490_200 }), { maxLength: 120 })
    .map((hours) => hours.sort((a, b) => a - b));

  it('cover exactly the hours that were joined, and are never too long', () => {
    fc.assert(
      fc.property(someHours, fc.integer({ min: 1, max: 48 }), (hours, most) => {
        const windows = joinHours(hours, most);
        expect(windows.flatMap(hoursOf)).to.deep.equal(hours);
        for (const { start, end } of windows) expect(end - start).to.be.within(1, most);
      }),
    );
  });

  it('are as few as possible', () => {
    fc.assert(
      fc.property(someHours, fc.integer({ min: 1, max: 48 }), (hours, most) => {
        const runs = joinHours(hours, Number.POSITIVE_INFINITY);
        const fewest = runs.reduce((sum, { start, end }) => sum + Math.ceil((end - start) / most), 0);
        expect(joinHours(hours, most)).to.have.length(fewest);
      }),
    );
  });

  it('are halved down to hours without gap or overlap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 490_000, max: 491_000 }), fc.integer({ min: 1, max: 500 }), (start, length) => {
        const window = { start, end: start + length };
        const split = (w: typeof window): (typeof window)[] => (w.end - w.start === 1 ? [w] : halve(w).flatMap(split));
        expect(split(window).map((w) => w.start)).to.deep.equal(hoursOf(window));
      }),
    );
    expect(() => halve({ start: 5, end: 6 })).to.throw(RangeError);
  });
});

/** The days on which the clocks of a zone change, over ten years. */
function clockChanges(zone: IANAZone): number[] {
  const DAY = 24 * 3_600_000;
  const STEP = 20 * DAY;
  const changes: number[] = [];
  let offset = zone.offset(Date.UTC(2017, 0, 1));
  for (let at = Date.UTC(2017, 0, 1); at < Date.UTC(2027, 0, 1); at += STEP) {
    const before = offset;
    offset = zone.offset(at + STEP);
    if (offset === before) continue;
    for (let day = at; day < at + STEP; day += DAY) {
      if (zone.offset(day) !== zone.offset(day + DAY)) changes.push(day);
    }
  }
  return changes;
}

describe('days in every time zone', function () {
  this.timeout(60_000);
  const MS = 3_600_000;

  it('cover every hour once, even if clocks change at midnight', () => {
    let checked = 0;
    for (const name of Intl.supportedValuesOf('timeZone').filter(zoneHasWholeHours)) {
      const zone = IANAZone.create(name);
      for (const change of clockChanges(zone)) {
        const isWhole = [-48, 0, 48].every((hours) => zone.offset(change + hours * MS) % 60 === 0);
        for (let at = change - 24 * MS; isWhole && at <= change + 48 * MS; at += 23 * MS) {
          const day = yesterday(new Date(at), name);
          const before = yesterday(new Date(day.end * MS - 1), name);
          expect(before.end, `${name} ${formatHour(day.start)}`).to.equal(day.start);
          expect(day.end * MS, name).to.be.at.most(at);
          expect(day.end - day.start, `${name} ${formatHour(day.start)}`).to.be.within(20, 28);
          checked++;
        }
      }
    }
    expect(checked).to.be.above(2000);
  });

  for (const [zone, date] of [
    ['America/Santiago', '2026-09-06'],
    ['Africa/Cairo', '2026-04-24'],
    ['America/Havana', '2026-03-08'],
    ['America/Asuncion', '2023-10-01'],
    ['Asia/Beirut', '2026-03-29'],
    ['Atlantic/Azores', '2026-03-29'],
  ] as const) {
    it(`begin at the end of the day before in ${zone}, which has no midnight on ${date}`, () => {
      const noon = (days: number) => new Date(Date.parse(`${date}T16:00:00Z`) + days * 24 * MS);
      const [before, day] = [yesterday(noon(0), zone), yesterday(noon(1), zone)];
      expect(day.end - day.start).to.equal(23);
      expect(before.end).to.equal(day.start);
      expect(readTime(date, zone, '--start')).to.equal(day.start);
    });
  }
});
