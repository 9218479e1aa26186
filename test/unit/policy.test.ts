import { expect } from 'chai';
import fc from 'fast-check';
import { answerFault, kindOf, readNotFound, readRetryAfter } from '../../src/amplitude/answers.ts';
import { ClockCheck } from '../../src/amplitude/clock.ts';
import { type Fault, RequestFault } from '../../src/amplitude/faults.ts';
import { Attempts } from '../../src/amplitude/policy.ts';
import { JobError } from '../../src/errors.ts';
import { readHour } from '../../src/hours.ts';

const start = readHour('2026-11-20T00');
const windowOf = (hours: number) => ({ start, end: start + hours });
const SETTINGS = { maxAttempts: 5, backoffMs: 1000, rateLimitWaitMs: 900_000 };

/** A fault of `kind` again and again: what follows the first, the second, and so on. */
function stepsAfter(
  kind: Fault,
  { hours = 24, times = 5, random = 0, retryAfterMs = undefined as number | undefined, answers = 0, ...changed },
) {
  const attempts = new Attempts(windowOf(hours), { ...SETTINGS, ...changed }, () => random);
  const fault = new RequestFault(kind, windowOf(hours), 'it failed', { retryAfterMs });
  return Array.from({ length: times }, (_, nth) => attempts.after(fault, nth * answers));
}

describe('policy: what follows a fault', () => {
  const row = (kind: Fault, hours: number, changed: Partial<typeof SETTINGS> = {}) =>
    stepsAfter(kind, { hours, ...changed })
      .map((step) => step.kind)
      .join(' ');
  const first = (kind: Fault, hours: number) => stepsAfter(kind, { hours })[0]?.kind;

  it('retries faults of the server twice, then halves', () => {
    for (const kind of ['server', 'stall', 'truncated', 'archive', 'not-events'] as const) {
      expect(row(kind, 24)).to.equal('retry halve halve halve halve');
      expect(row(kind, 1)).to.equal('retry retry retry retry give-up');
    }
  });

  it('halves at once for a 504, a window that is too large and a 400 without a reason', () => {
    for (const kind of ['gateway-timeout', 'too-large', 'refused'] as const) expect(first(kind, 2)).to.equal('halve');
    expect(row('gateway-timeout', 1)).to.equal('retry retry retry retry give-up');
    expect(first('too-large', 1)).to.equal('give-up');
    expect(first('refused', 1)).to.equal('give-up');
  });

  it('never halves for a refused connection or an archive of other hours', () => {
    for (const kind of ['unreachable', 'refused-archive'] as const) {
      expect(row(kind, 24)).to.equal('retry retry retry retry give-up');
    }
  });

  it('waits for a limit as long as the patience lasts, and counts no attempt', () => {
    const limited = { maxAttempts: 1, rateLimitWaitMs: 3000, random: 1 };
    const kinds = (answers: number) => stepsAfter('rate-limit', { ...limited, answers }).map((step) => step.kind);
    expect(kinds(0)).to.deep.equal(['wait', 'wait', 'stop-run', 'stop-run', 'stop-run']);
    expect(kinds(1)).to.deep.equal(['wait', 'wait', 'give-up', 'give-up', 'give-up']);
    const last = stepsAfter('rate-limit', limited).at(-1);
    expect('fault' in (last ?? {}) && last).to.have.nested.property(
      'fault.why',
      'it failed, also after waiting for 3.0 s',
    );
  });

  it('stops the run after all attempts for a proxy that does not answer', () => {
    expect(row('proxy', 24)).to.equal('retry retry retry retry stop-run');
  });

  it('stops the run for refused credentials and an unknown host, and never retries our own errors', () => {
    for (const kind of ['credentials', 'no-connection'] as const) expect(first(kind, 24)).to.equal('stop-run');
    for (const kind of ['parameter', 'redirect', 'unexpected', 'not-amplitude'] as const) {
      expect(first(kind, 24)).to.equal('give-up');
    }
  });

  it('tries once more after a 403 in the middle of a run', () => {
    for (const kind of ['forbidden', 'blocked'] as const) {
      expect(row(kind, 24)).to.match(/^retry give-up/);
      expect(row(kind, 24, { maxAttempts: 1 })).to.match(/^give-up/);
    }
  });

  it('makes no more attempts than allowed', () => {
    expect(row('server', 1, { maxAttempts: 1 })).to.match(/^give-up/);
    expect(row('unreachable', 24, { maxAttempts: 3 })).to.match(/^retry retry give-up/);
  });
});

describe('policy: pauses', () => {
  const pauses = (kind: Fault, changed: Parameters<typeof stepsAfter>[1]) =>
    stepsAfter(kind, { maxAttempts: 100, ...changed }).map((step) => ('pauseMs' in step ? step.pauseMs : step.kind));

  it('double with full jitter up to a minute, and keep to Retry-After', () => {
    expect(pauses('unreachable', { times: 8, random: 1 })).to.deep.equal([
      1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
    ]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
        pauses('unreachable', { times: 20, random }).forEach((ms, nth) => {
          expect(ms).to.be.within(0, Math.min(60_000, 1000 * 2 ** nth));
        });
        expect(new Set(pauses('unreachable', { times: 20, random, retryAfterMs: 90_000 }))).to.deep.equal(
          new Set([90_000]),
        );
      }),
    );
  });

  it('for a limit are at least half of the range, also without back-off', () => {
    const limits = (random: number, changed: Parameters<typeof stepsAfter>[1] = {}) =>
      pauses('rate-limit', { times: 8, random, ...changed });
    expect(limits(0)).to.deep.equal([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(limits(1)).to.deep.equal([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(limits(0, { backoffMs: 0 })).to.deep.equal(limits(0));
    expect(limits(0, { retryAfterMs: 90_000 })).to.deep.equal(Array(8).fill(90_000));
    expect(limits(0, { retryAfterMs: 90_000, rateLimitWaitMs: 700, times: 2 })).to.deep.equal([700, 'stop-run']);
  });

  it('take Retry-After as seconds or a date, up to 300 s', () => {
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
    const body = { text, end: 'whole' } as const;
    return answerFault(windowOf(24), { status, headers, body }, { redact: (shown) => shown, now: new Date(), baseUrl });
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

  it('gives every other status its fault', () => {
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

  it('tells a 403 of the API from that of a firewall once there was an answer', () => {
    for (const [body, kind] of [
      ['{"error":{"http_code":403,"metadata":{"details":"Invalid API Key"}}}', 'forbidden'],
      ['Invalid API Key', 'forbidden'],
      ['{"error":{"type":"invalid_api_key"}}', 'forbidden'],
      ['<html><body>Invalid credentials</body></html>', 'blocked'],
      ['\n <!doctype html><h1>Request blocked</h1>', 'blocked'],
      ['{"message":"Forbidden"}', 'blocked'],
      ['Access denied by policy', 'blocked'],
      ['', 'blocked'],
    ] as const) {
      expect(kindOf(403, body, true), body).to.equal(kind);
      expect(kindOf(403, body), body).to.equal('credentials');
      expect(kindOf(401, body, true), body).to.equal('credentials');
    }
  });

  it('quotes at most 300 characters of the body, in one line', () => {
    const { message } = fault(400, {}, `begins\n  here ${'x'.repeat(1000)}`);
    expect(message).to.include('HTTP 400, "begins here xxx').and.have.length.below(450);
    expect(message).not.to.include('\n');
  });

  it('names the host, its region and the host of the other region for 401 and 403', () => {
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
  const kind = (text: string, type?: string, end: 'whole' | 'late' | 'cut' = 'whole') =>
    readNotFound({ text, end }, type);

  it('is no data in the words of Amplitude, also in JSON, and without a body', () => {
    expect(kind('Raw data files were not found.')).to.equal('no-data');
    expect(kind('Raw data files were not found.', 'text/html;charset=utf-8')).to.equal('no-data');
    expect(kind('{"error":{"message":"Raw data file not found"}}', 'application/json')).to.equal('no-data');
    expect(kind('raw data files were not f', undefined, 'cut')).to.equal('no-data');
    for (const empty of ['', ' \r\n', '\uFEFF']) expect(kind(empty, 'text/html')).to.equal('no-data');
  });

  it('is foreign in HTML, in other JSON, in binary, or in the words of a gateway', () => {
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

  it('is no data and is quoted in other plain text', () => {
    expect(kind('Nothing there.', 'text/plain')).to.equal('other-words');
    expect(kind('Nothing there.')).to.equal('other-words');
  });

  it('is unknown where the body breaks off too early', () => {
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

  it('may be up to five minutes off, ahead or behind', () => {
    for (const time of ['11:55:00', '12:00:00', '12:05:00']) check(date, time);
    for (const time of ['11:54:59', '12:05:01']) expect(() => check(date, time)).to.throw(JobError, 'minutes apart');
  });

  it('fails with both times, how far apart they are, and what to do', () => {
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

  it('is right where the answer has any time between request and arrival', () => {
    check(date, '11:50:00', '12:10:00');
    check(date, '12:00:00', '12:10:00');
    expect(() => check(date, '12:06:00', '12:10:00')).to.throw(JobError, '6 minutes apart');
  });

  it('is judged by the first answer that tells the time, for all later ones too', () => {
    const clock = check(undefined, '15:00:00');
    clock.check('some day', at('15:00:00'), at('15:00:00'));
    expect(() => clock.check(date, at('15:00:00'), at('15:00:00'))).to.throw(JobError);
    expect(() => clock.check(undefined, at('12:00:00'), at('12:00:00'))).to.throw(JobError);
    check(date, '12:00:00').check(date, at('15:00:00'), at('15:00:00'));
  });
});
