import { expect } from 'chai';
import fc from 'fast-check';
import { ClockCheck } from '../../src/amplitude/clock.ts';
import type { Fault } from '../../src/amplitude/faults.ts';
import { readNotFound } from '../../src/amplitude/not-found.ts';
import { nextStep as next, pauseBefore, pauseForLimit } from '../../src/amplitude/policy.ts';
import { answerFault, kindOf, readRetryAfter } from '../../src/amplitude/statuses.ts';
import { JobError } from '../../src/errors.ts';
import { readHour } from '../../src/hours.ts';

type Progress = Parameters<typeof next>[1];
const NO_LIMIT = { waitedMs: 0, mostMs: 900_000, othersServed: false };
const nextStep = (kind: Fault, at: Omit<Progress, 'limit'>, limit: Progress['limit'] = NO_LIMIT) =>
  next(kind, { ...at, limit });
const window = { start: readHour('2026-11-20T00'), end: readHour('2026-11-21T00') };

describe('policy: what follows a fault', () => {
  const steps = (kind: Fault, hours: number, maxAttempts = 5) =>
    [1, 2, 3, 4, 5].slice(0, maxAttempts).map((attempt) => nextStep(kind, { attempt, maxAttempts, hours }));
  const row = (kind: Fault, hours: number) => steps(kind, hours).join(' ');

  it('retries faults of the server twice, then halves', () => {
    for (const kind of ['server', 'stall', 'truncated', 'archive', 'not-events'] as const) {
      expect(row(kind, 24)).to.equal('retry halve halve halve halve');
      expect(row(kind, 1)).to.equal('retry retry retry retry give-up');
    }
  });

  it('halves at once on 504, too large and a 400 that says nothing', () => {
    for (const kind of ['gateway-timeout', 'too-large', 'refused'] as const) {
      expect(nextStep(kind, { attempt: 1, maxAttempts: 5, hours: 2 })).to.equal('halve');
    }
    expect(row('gateway-timeout', 1)).to.equal('retry retry retry retry give-up');
    expect(nextStep('too-large', { attempt: 1, maxAttempts: 5, hours: 1 })).to.equal('give-up');
    expect(nextStep('refused', { attempt: 1, maxAttempts: 5, hours: 1 })).to.equal('give-up');
  });

  it('never halves for a refused connection or the answer to another question', () => {
    for (const kind of ['unreachable', 'refused-archive'] as const) {
      expect(row(kind, 24)).to.equal('retry retry retry retry give-up');
    }
  });

  it('waits for a limit, which is no attempt, as long as the patience lasts', () => {
    const at = (waitedMs: number, othersServed = false) =>
      nextStep('rate-limit', { attempt: 5, maxAttempts: 5, hours: 24 }, { waitedMs, mostMs: 900_000, othersServed });
    expect([at(0), at(899_999)]).to.deep.equal(['wait', 'wait']);
    expect(at(900_000)).to.equal('stop-run');
    expect(at(900_000, true)).to.equal('give-up');
  });

  it('stops the run for a proxy that is not there after all attempts', () => {
    expect(row('proxy', 24)).to.equal('retry retry retry retry stop-run');
  });

  it('stops the run for refused credentials and a name that nobody knows, and retries nothing that is our own error', () => {
    for (const kind of ['credentials', 'no-connection'] as const) {
      expect(nextStep(kind, { attempt: 1, maxAttempts: 5, hours: 24 })).to.equal('stop-run');
    }
    for (const kind of ['parameter', 'redirect', 'unexpected', 'not-amplitude'] as const) {
      expect(nextStep(kind, { attempt: 1, maxAttempts: 5, hours: 24 })).to.equal('give-up');
    }
  });

  it('makes no more attempts than allowed', () => {
    expect(nextStep('server', { attempt: 1, maxAttempts: 1, hours: 1 })).to.equal('give-up');
    expect(nextStep('unreachable', { attempt: 3, maxAttempts: 3, hours: 24 })).to.equal('give-up');
  });
});

describe('policy: pauses', () => {
  it('double with full jitter up to a minute, and respect Retry-After', () => {
    const ranges = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) =>
      pauseBefore(attempt, { backoffMs: 1000, retryAfterMs: undefined, random: 1 }),
    );
    expect(ranges).to.deep.equal([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          const ms = pauseBefore(attempt, { backoffMs: 1000, retryAfterMs: undefined, random });
          expect(ms).to.be.within(0, Math.min(60_000, 1000 * 2 ** (attempt - 1)));
          expect(pauseBefore(attempt, { backoffMs: 1000, retryAfterMs: 90_000, random })).to.equal(90_000);
        },
      ),
    );
  });

  it('for a limit double from half of the range up to a minute, also where back-off is switched off', () => {
    const pauses = (random: number, changed: { backoffMs?: number; retryAfterMs?: number; leftMs?: number } = {}) =>
      [1, 2, 3, 7, 8].map((nth) =>
        pauseForLimit(nth, { backoffMs: 1000, retryAfterMs: undefined, leftMs: 900_000, random, ...changed }),
      );
    expect(pauses(0)).to.deep.equal([500, 1000, 2000, 30_000, 30_000]);
    expect(pauses(1)).to.deep.equal([1000, 2000, 4000, 60_000, 60_000]);
    expect(pauses(0, { backoffMs: 0 })).to.deep.equal(pauses(0));
    expect(pauses(0, { retryAfterMs: 90_000 })).to.deep.equal(Array(5).fill(90_000));
    expect(pauses(0, { retryAfterMs: 90_000, leftMs: 700 })).to.deep.equal(Array(5).fill(700));
  });

  it('read Retry-After as seconds or a date, up to 300 s', () => {
    const now = new Date('2026-11-21T12:00:00Z');
    expect(readRetryAfter('7', now)).to.equal(7000);
    expect(readRetryAfter('Sat, 21 Nov 2026 12:00:30 GMT', now)).to.equal(30_000);
    expect(readRetryAfter('Sat, 21 Nov 2026 11:00:00 GMT', now)).to.equal(0);
    expect(readRetryAfter('86400', now)).to.equal(300_000);
    expect(readRetryAfter('soon', now)).to.equal(undefined);
    expect(readRetryAfter(undefined, now)).to.equal(undefined);
  });
});

describe('policy: what a status means', () => {
  const fault = (status: number, headers: Record<string, string>, text: string, baseUrl = 'https://amplitude.com') => {
    const body = { text, whole: true, broken: undefined };
    return answerFault(window, status, headers, body, { redact: (shown) => shown, now: new Date(), baseUrl });
  };

  for (const [body, kind] of [
    [
      'The file size of the exported data is too large. Shorten the time ranges and try again. The limit size is 4GB.',
      'too-large',
    ],
    ['{"error":"Export exceeds 4 GB, please shorten the range between start and end"}', 'too-large'],
    ['Invalid value for parameter end', 'parameter'],
    ['start must be in the format YYYYMMDDTHH', 'parameter'],
    ['{"error": "start is invalid"}', 'parameter'],
    ['Bad Request', 'refused'],
    ['', 'refused'],
    ['<html><head><title>400</title></head><body>Bad Request</body></html>', 'refused'],
  ] as const) {
    it(`takes 400 with "${body.slice(0, 50)}" for ${kind}`, () => expect(kindOf(400, body)).to.equal(kind));
  }

  it('tells the other statuses apart', () => {
    const kinds = [401, 403, 413, 429, 500, 502, 503, 504, 302, 418].map((status) => kindOf(status, ''));
    expect(kinds).to.deep.equal([
      'credentials',
      'credentials',
      'too-large',
      'rate-limit',
      'server',
      'server',
      'server',
      'gateway-timeout',
      'redirect',
      'unexpected',
    ]);
  });

  it('quotes at most 300 characters of the body, in one line', () => {
    const { message } = fault(400, {}, `begins\n  here ${'x'.repeat(1000)}`);
    expect(message).to.include('HTTP 400, "begins here xxx').and.have.length.below(450);
    expect(message).not.to.include('\n');
  });

  it('names the host, its region and the host of the other for 401 and 403', () => {
    for (const status of [401, 403]) {
      const { message, hint, exitCode, endsRun } = fault(status, {}, '');
      expect(message).to.include(`amplitude.com (region us) refused the keys, HTTP ${status}`);
      expect(hint).to.include('AMPLITUDE_API_KEY').and.include('AMPLITUDE_SECRET_KEY');
      expect(hint).to.include('Region eu is at analytics.eu.amplitude.com: AMPLITUDE_REGION=eu.');
      expect([exitCode, endsRun]).to.deep.equal([4, true]);
    }
    const eu = fault(403, {}, '', 'https://analytics.eu.amplitude.com');
    expect(eu.message).to.include('analytics.eu.amplitude.com (region eu) refused');
    expect(eu.hint).to.include('Region us is at amplitude.com: AMPLITUDE_REGION=us.').and.not.include('Region eu');
    const other = fault(403, {}, '', 'http://127.0.0.1:8300');
    expect(other.message).to.include('127.0.0.1:8300 refused');
    expect(other.hint).to.include('Region us').and.include('Region eu');
  });

  it('names the host for a redirect', () => {
    const redirect = fault(302, { location: 'https://other.example/login?token=1' }, '');
    expect(redirect.message).to.include('https://other.example').and.not.include('token');
  });
});

describe('policy: what a 404 means', () => {
  const kind = (text: string, type?: string, broken?: 'late' | 'cut') =>
    readNotFound(type, { text, whole: broken === undefined, broken });

  it('is no data in the words of Amplitude, also in JSON, and without a body', () => {
    expect(kind('Raw data files were not found.')).to.equal('no-data');
    expect(kind('Raw data files were not found.', 'text/html;charset=utf-8')).to.equal('no-data');
    expect(kind('{"error":{"message":"Raw data file not found"}}', 'application/json')).to.equal('no-data');
    expect(kind('raw data files were not f', undefined, 'cut')).to.equal('no-data');
    for (const empty of ['', ' \r\n', '\uFEFF']) expect(kind(empty, 'text/html')).to.equal('no-data');
  });

  it('is of something else in HTML, other JSON, no text, or the words of a gateway', () => {
    for (const [text, type] of [
      ['<html><body>Not Found</body></html>', 'text/plain'],
      ['  <!doctype html>', undefined],
      ['Not Found', 'text/html; charset=utf-8'],
      ['{"message":"no Route matched with those values"}', undefined],
      ['["not found"]', undefined],
      ['not found', 'application/problem+json'],
      ['default backend - 404', 'text/plain'],
      ['404 page not found\n', 'text/plain'],
      ['Cannot GET /api/2/export', undefined],
      ['no such route', undefined],
      ['no healthy upstream', undefined],
      ['\u001f\ufffd\u0008\u0000', undefined],
    ] as const) {
      expect(kind(text, type), text).to.equal('foreign');
    }
  });

  it('is taken for no data, to be quoted, in other plain text', () => {
    expect(kind('Nothing there.', 'text/plain')).to.equal('other-words');
    expect(kind('Nothing there.')).to.equal('other-words');
  });

  it('is unknown where the body breaks off before it said anything', () => {
    for (const broken of ['late', 'cut'] as const) {
      expect([kind('', undefined, broken), kind('Nothing', undefined, broken)]).to.deep.equal(['unknown', 'unknown']);
    }
  });
});

describe('policy: the clock', () => {
  const at = (time: string) => new Date(`2026-11-21T${time}Z`);
  const check = (date: string | undefined, sent: string, came = sent) => {
    const clock = new ClockCheck();
    clock.check(date, at(sent), at(came));
    return clock;
  };
  const date = 'Sat, 21 Nov 2026 12:00:00 GMT';

  it('may be five minutes off and no more, to either side', () => {
    for (const time of ['11:55:00', '12:00:00', '12:05:00']) check(date, time);
    for (const time of ['11:54:59', '12:05:01']) expect(() => check(date, time)).to.throw(JobError, 'minutes apart');
  });

  it('is wrong with both times, how far apart they are, and what to do', () => {
    const tell = (sent: string) => {
      try {
        check(date, sent);
      } catch (error) {
        return error as JobError;
      }
      return expect.fail();
    };
    expect(tell('12:10:00')).to.deep.include({ code: 'CLOCK_SKEW', endsRun: true });
    expect(tell('12:10:00').message).to.equal(
      "This machine's clock says 2026-11-21T12:10:00Z, Amplitude's says 2026-11-21T12:00:00Z: they are 10 minutes apart.",
    );
    expect(tell('09:00:00').message).to.include('they are 3 hours apart');
    expect(tell('12:10:00').hint).to.include('NTP').and.include('container');
  });

  it('is right where the answer tells any time from the request to its arrival', () => {
    check(date, '11:50:00', '12:10:00');
    check(date, '12:00:00', '12:10:00');
    expect(() => check(date, '12:06:00', '12:10:00')).to.throw(JobError, '6 minutes apart');
  });

  it('is judged by the first answer that tells the time, and then for all', () => {
    const clock = check(undefined, '15:00:00');
    clock.check('some day', at('15:00:00'), at('15:00:00'));
    expect(() => clock.check(date, at('15:00:00'), at('15:00:00'))).to.throw(JobError);
    expect(() => clock.check(undefined, at('12:00:00'), at('12:00:00'))).to.throw(JobError);
    check(date, '12:00:00').check(date, at('15:00:00'), at('15:00:00'));
  });
});
