import { expect } from 'chai';
import fc from 'fast-check';
import { readValue } from '../../src/cli/values.ts';
import { formatHour, type Hour, readHour, weeksBefore } from '../../src/hours.ts';
import { dropSentence, dropsIn, isNews, LEAST_MEDIAN } from '../../src/status/drops.ts';

const NOON = readHour('2026-11-20T12');
const WEEK = 7 * 24;
const third = { ratio: 1 / 3, zone: 'UTC' };

/** The drops of an hour with `now` events, after weeks with these; undefined where nothing is known of one. */
function judge(now: number, weeks: readonly (number | undefined)[], judging = third) {
  const before = weeks.flatMap((events, at): [Hour, number][] =>
    events === undefined ? [] : [[NOON - (at + 1) * WEEK, events]],
  );
  return dropsIn([NOON], new Map([...before, [NOON, now]]), judging);
}

describe('a drop', () => {
  it('is an hour with less than a third of the median of the four weeks before', () => {
    expect(judge(0, [900, 1200, 300, 1000])).to.deep.equal([{ hour: '2026-11-20T12', events: 0, median: 950 }]);
    expect(judge(316, [900, 1200, 300, 1000])).to.have.length(1);
    expect(judge(317, [900, 1200, 300, 1000])).to.deep.equal([]);
  });

  it('is not seen with fewer than three weeks, and a missing week is no week of zero events', () => {
    expect(judge(0, [1000, 1000, undefined, undefined])).to.deep.equal([]);
    expect(judge(0, [1000, undefined, 1000, 1000])).to.have.length(1);
    expect(judge(400, [1000, undefined, 1000, 1000])).to.deep.equal([]);
  });

  it('is not seen at night, where few events are usual', () => {
    expect(judge(0, [3, 3, 3, 3])).to.deep.equal([]);
    const usual = Array.from({ length: 4 }, () => LEAST_MEDIAN);
    expect(judge(0, usual)).to.have.length(1);
    expect(judge(0, [...usual.slice(2), LEAST_MEDIAN - 1, LEAST_MEDIAN - 1])).to.deep.equal([]);
  });

  it('is no hour of which nothing is known', () => {
    const known = new Map([1, 2, 3, 4].map((weeks) => [NOON - weeks * WEEK, 1000]));
    expect(dropsIn([NOON], known, third)).to.deep.equal([]);
  });

  it('is judged by the four weeks alone, in any order', () => {
    const counts = fc.array(fc.nat(5000), { minLength: 3, maxLength: 4 });
    fc.assert(
      fc.property(fc.nat(5000), counts, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (now, weeks, ratio) => {
        const found = judge(now, weeks, { ...third, ratio });
        expect(judge(now, weeks.toReversed(), { ...third, ratio })).to.deep.equal(found);
        // At least half of the weeks had as many as the median, or more.
        const usual = weeks.filter((events) => events * ratio > now && events >= LEAST_MEDIAN);
        if (usual.length * 2 < weeks.length) expect(found).to.deep.equal([]);
        if (usual.length === weeks.length) expect(found).to.have.length(1);
      }),
    );
  });

  it('compares the same time of the day where clocks have changed', () => {
    // In Berlin the clocks went back on 2026-10-25: noon was 10:00 UTC before, and is 11:00 UTC since.
    const noon = readHour('2026-10-30T11');
    expect(formatHour(weeksBefore(noon, 1, 'Europe/Berlin'))).to.equal('2026-10-23T10');
    expect(formatHour(weeksBefore(noon, 1, 'UTC'))).to.equal('2026-10-23T11');
    expect(formatHour(weeksBefore(readHour('2026-11-06T11'), 1, 'Europe/Berlin'))).to.equal('2026-10-30T11');
  });

  it('is news for a day, and as long as a daily schedule is late', () => {
    const now = new Date('2026-11-21T06:30:00Z');
    expect(isNews(new Date('2026-11-20T06:29:00Z'), now)).to.equal(true);
    expect(isNews(new Date('2026-11-20T05:00:00Z'), now)).to.equal(false);
  });
});

describe('the line about drops', () => {
  it('has the hours, the figures and what to do', () => {
    const drop = (hour: string, events: number) => ({ hour, events, median: 24_011.5 });
    expect(dropSentence([drop('2026-11-20T12', 0)])).to.match(
      /^1 hour has far fewer events than usual: 2026-11-20T12 \(0, usually 24,012\)\. Compare it with.*land it again: `.*export --start 2026-11-20T12 --end 2026-11-20T13 --force`/,
    );
    const many = Array.from({ length: 9 }, (_, at) => drop(formatHour(NOON + at), 5));
    expect(dropSentence(many))
      .to.match(/^9 hours have .* and 3 more\. Compare them with/)
      .and.include('--start 2026-11-20T12 --end 2026-11-20T21 --force');
    expect(dropSentence([])).to.equal(undefined);
    expect(dropSentence(undefined)).to.equal(undefined);
  });
});

describe('a ratio', () => {
  const read = (text: string) =>
    readValue({ type: 'ratio', value: 'RATIO', hint: 'Write 1/3.', help: '' }, '--alert-on-drop', text);

  it('is a fraction or a number above 0 and below 1', () => {
    for (const [text, ratio] of [
      ['1/3', 1 / 3],
      ['0.3', 0.3],
      ['.25', 0.25],
      ['2/5', 0.4],
    ] as const) {
      expect(read(text)).to.equal(ratio);
    }
  });

  for (const text of ['', '0', '1', '3', '3/1', '1/0', '0/3', '30%', '0,3', 'third', '-0.5', '1e-2', '1/3/4']) {
    it(`is not "${text}"`, () => {
      expect(() => read(text)).to.throw(`--alert-on-drop=${text} is no ratio above 0 and below 1.`);
    });
  }
});
