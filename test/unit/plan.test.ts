import { expect } from 'chai';
import fc from 'fast-check';
import { UsageError } from '../../src/errors.ts';
import { planHours, plannedRequests, rangeOf } from '../../src/export/plan.ts';
import { formatHour, type Hour, readHour as hour, hoursOf, readyEnd, startOf } from '../../src/hours.ts';

const now = new Date('2026-11-21T12:30:00Z');
const settings = { start: undefined, end: undefined, lookbackDays: 7, timezone: 'UTC' };

describe('plan: the range', () => {
  const text = (flags: Parameters<typeof rangeOf>[0], changed: Partial<typeof settings> = {}, at = now) => {
    const { start, end } = rangeOf(flags, { ...settings, ...changed } as typeof settings, at);
    return `${formatHour(start)} ${formatHour(end)}`;
  };

  it('is the last ready hour back over the lookback', () => {
    expect(text({})).to.equal('2026-11-14T10 2026-11-21T10');
    expect(text({ lookbackDays: 1 })).to.equal('2026-11-20T10 2026-11-21T10');
  });

  it('follows the flags, which beat the environment', () => {
    expect(text({ start: '2026-11-20', end: '2026-11-21' })).to.equal('2026-11-20T00 2026-11-21T00');
    const environment = { start: '2026-11-01', end: '2026-11-02' } as object;
    expect(text({}, environment)).to.equal('2026-11-01T00 2026-11-02T00');
    expect(text({ end: '2026-11-03' }, environment)).to.equal('2026-11-01T00 2026-11-03T00');
    expect(text({ yesterday: true }, environment)).to.equal('2026-11-20T00 2026-11-21T00');
    expect(text({ lookbackDays: 2 }, environment)).to.equal('2026-10-31T00 2026-11-02T00');
  });

  it('ends at the last ready hour where only a start is given', () => {
    expect(text({ start: '2026-11-20' })).to.equal('2026-11-20T00 2026-11-21T10');
  });

  it('takes the whole of yesterday and no hour of another day', () => {
    expect(text({ yesterday: true })).to.equal('2026-11-20T00 2026-11-21T00');
    expect(text({ yesterday: true }, { timezone: 'America/New_York' })).to.equal('2026-11-20T05 2026-11-21T05');
  });

  for (const [what, flags] of [
    ['an end before the start', { start: '2026-11-21', end: '2026-11-20' }],
    ['an empty range', { start: '2026-11-21', end: '2026-11-21' }],
    ['--yesterday beside --start', { yesterday: true, start: '2026-11-20' }],
    ['--lookback-days beside --start', { lookbackDays: 3, start: '2026-11-20' }],
  ] as const) {
    it(`refuses ${what}`, () => expect(() => text(flags)).to.throw(UsageError));
  }
});

describe('plan: the hours', () => {
  const range = { start: hour('2026-11-20T00'), end: hour('2026-11-21T12') };
  const plan = (sealed: Record<string, string>, changed: Partial<Parameters<typeof planHours>[0]> = {}) =>
    planHours({
      range,
      now,
      sealedAt: new Map(Object.entries(sealed).map(([h, at]) => [hour(h), new Date(at)])),
      unproved: new Set(),
      settleHours: 24,
      requestHours: 24,
      force: false,
      ...changed,
    });
  const settledAll = Object.fromEntries(
    hoursOf(range).map((h) => {
      const sealed = Math.min(startOf(h).getTime() + 26 * 3_600_000, now.getTime());
      return [formatHour(h), new Date(sealed).toISOString()];
    }),
  );
  const asked = ({ hours }: ReturnType<typeof plan>) => [...hours].map(([h, reason]) => `${formatHour(h)} ${reason}`);

  it('asks for every gap in as few requests as allowed, and names pending hours', () => {
    const { windows, pending, skipped } = plan({});
    expect(windows.map(({ start, end }) => `${formatHour(start)} ${formatHour(end)}`)).to.deep.equal([
      '2026-11-20T00 2026-11-21T00',
      '2026-11-21T00 2026-11-21T10',
    ]);
    expect(pending.map(formatHour)).to.deep.equal(['2026-11-21T10', '2026-11-21T11']);
    expect(skipped).to.equal(0);
  });

  it('asks for holes and nothing else', () => {
    const { '2026-11-20T03': _, '2026-11-20T04': __, '2026-11-20T09': ___, ...sealed } = settledAll;
    const made = plan(sealed, { settleHours: 0 });
    expect(plannedRequests(made).map(({ start, end, reason }) => [start, end, reason])).to.deep.equal([
      ['2026-11-20T03', '2026-11-20T05', 'gap'],
      ['2026-11-20T09', '2026-11-20T10', 'gap'],
    ]);
    expect(made.skipped).to.equal(31);
  });

  it('asks once more for an hour that was sealed before it could settle, once it is old enough', () => {
    const fresh = { ...settledAll, '2026-11-20T05': '2026-11-20T08:10:00Z', '2026-11-20T20': '2026-11-20T23:10:00Z' };
    expect(asked(plan(fresh))).to.deep.equal(['2026-11-20T05 unsettled']);
    const { '2026-11-20T05': _, ...gap } = fresh;
    expect(asked(plan(gap))).to.deep.equal(['2026-11-20T05 gap']);
  });

  it('draws the line of settling to the second', () => {
    const at = (sealed: string, when: string) =>
      asked(plan({ ...settledAll, '2026-11-20T05': sealed }, { now: new Date(when), range: one })).length;
    const one = { start: hour('2026-11-20T05'), end: hour('2026-11-20T06') };
    expect(at('2026-11-20T08:00:00Z', '2026-11-21T05:59:59Z')).to.equal(0);
    expect(at('2026-11-20T08:00:00Z', '2026-11-21T06:00:00Z')).to.equal(1);
    expect(at('2026-11-21T05:59:59Z', '2026-11-22T00:00:00Z')).to.equal(1);
    expect(at('2026-11-21T06:00:00Z', '2026-11-22T00:00:00Z')).to.equal(0);
  });

  it('never asks again with SETTLE_HOURS=0', () => {
    const fresh = Object.fromEntries(Object.keys(settledAll).map((h) => [h, new Date(`${h}:00Z`).toISOString()]));
    expect(asked(plan(fresh, { settleHours: 0 }))).to.deep.equal([]);
  });

  it('asks again for hours that a clock ahead of time has sealed', () => {
    const sealed = { ...settledAll, '2026-11-20T05': '2026-11-21T12:36:00Z', '2026-11-21T08': '2026-11-23T00:00:00Z' };
    for (const settleHours of [0, 24]) {
      expect(asked(plan(sealed, { settleHours }))).to.deep.equal([
        '2026-11-20T05 unsettled',
        '2026-11-21T08 unsettled',
      ]);
    }
  });

  it('asks for every ready hour with force', () => {
    const made = plan(settledAll, { force: true });
    expect(made.hours.size).to.equal(34);
    expect([...new Set(made.hours.values())]).to.deep.equal(['forced']);
  });

  it('plans nothing for a range in the future', () => {
    const ahead = { start: hour('2026-12-01T00'), end: hour('2026-12-02T00') };
    const made = plan({}, { range: ahead });
    expect([made.windows.length, made.pending.length]).to.deep.equal([0, 24]);
  });

  it('puts every hour of the range into exactly one of asked, skipped and pending', () => {
    const start = hour('2026-11-10T00');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 60 })), { maxLength: 200 }),
        fc.constantFrom(0, 1, 24, 48),
        fc.integer({ min: 1, max: 48 }),
        fc.boolean(),
        (length, seals, settleHours, requestHours, force) => {
          const sealedAt = new Map<Hour, Date>(seals.map(([h, age]) => [start + h, startOf(start + h + 1 + age)]));
          const wide = { start, end: start + length };
          const made = planHours({ range: wide, now, sealedAt, unproved: new Set(), settleHours, requestHours, force });
          expect(made.windows.flatMap(hoursOf)).to.deep.equal([...made.hours.keys()]);
          expect(made.hours.size + made.pending.length + made.skipped).to.equal(length);
          for (const h of made.hours.keys()) expect(h).to.be.below(readyEnd(now));
          for (const h of hoursOf(wide)) {
            if (h < readyEnd(now) && !sealedAt.has(h)) expect(made.hours.get(h)).to.equal('gap');
          }
        },
      ),
    );
  });
});
