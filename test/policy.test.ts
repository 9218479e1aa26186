import { expect } from 'chai';
import fc from 'fast-check';
import type { Fault } from '../src/amplitude/faults.ts';
import { nextStep, pauseBefore } from '../src/amplitude/policy.ts';
import { answerFault, kindOf, readRetryAfter } from '../src/amplitude/statuses.ts';
import { readHour } from '../src/hours.ts';

const window = { start: readHour('2026-11-20T00'), end: readHour('2026-11-21T00') };

describe('policy: what follows a fault', () => {
  const steps = (kind: Fault, hours: number, maxAttempts = 5) =>
    [1, 2, 3, 4, 5].slice(0, maxAttempts).map((attempt) => nextStep(kind, { attempt, maxAttempts, hours }));
  const row = (kind: Fault, hours: number) => steps(kind, hours).join(' ');

  it('retries faults of the server twice, then halves', () => {
    for (const kind of ['server', 'stall', 'truncated', 'archive'] as const) {
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

  it('never halves for a rate limit or a refused connection', () => {
    for (const kind of ['rate-limit', 'unreachable'] as const) {
      expect(row(kind, 24)).to.equal('retry retry retry retry give-up');
    }
  });

  it('stops the run for refused credentials and retries nothing that is our own error', () => {
    expect(nextStep('credentials', { attempt: 1, maxAttempts: 5, hours: 24 })).to.equal('stop-run');
    for (const kind of ['parameter', 'redirect', 'unexpected'] as const) {
      expect(nextStep(kind, { attempt: 1, maxAttempts: 5, hours: 24 })).to.equal('give-up');
    }
  });

  it('makes no more attempts than allowed', () => {
    expect(nextStep('server', { attempt: 1, maxAttempts: 1, hours: 1 })).to.equal('give-up');
    expect(nextStep('rate-limit', { attempt: 3, maxAttempts: 3, hours: 24 })).to.equal('give-up');
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
    const { message } = answerFault(window, 400, {}, `begins\n  here ${'x'.repeat(1000)}`);
    expect(message).to.include('HTTP 400, "begins here xxx').and.have.length.below(450);
    expect(message).not.to.include('\n');
  });

  it('names key, secret and region for 401 and 403, the host for a redirect', () => {
    const { hint, exitCode, endsRun } = answerFault(window, 403, {}, '');
    expect(hint).to.include('AMPLITUDE_API_KEY').and.include('AMPLITUDE_SECRET_KEY').and.include('AMPLITUDE_REGION');
    expect([exitCode, endsRun]).to.deep.equal([4, true]);
    const redirect = answerFault(window, 302, { location: 'https://other.example/login?token=1' }, '');
    expect(redirect.message).to.include('https://other.example').and.not.include('token');
  });
});
