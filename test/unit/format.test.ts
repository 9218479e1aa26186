import { expect } from 'chai';
import { type ExportReport, summary } from '../../src/export/report.ts';
import { agreeing, count, printable, printableJson, printableName, size, wrap } from '../../src/format.ts';
import { readHour } from '../../src/hours.ts';
import { compareObject } from '../../src/landing/stored.ts';
import { statusSummary } from '../../src/status/report.ts';
import { type VerifyReport, verifySummary } from '../../src/verify/report.ts';
import { sampleReport } from '../support/sample-report.ts';

describe('numbers in sentences', () => {
  const hours = (n: number) => Array.from({ length: n }, (_, at) => `2026-11-20T0${at}`);
  const exported = (n: number): string =>
    summary({
      command: 'export',
      destination: 'd',
      range: { start: 'a', end: 'b' },
      hours: {
        sealed: hours(n),
        empty: hours(n),
        failed: hours(n).map((hour) => ({ hour, code: 'DESTINATION', message: 'm' })),
        pending: [],
        skipped: n,
        unchanged: hours(n),
        shrunk: [],
      },
      lastLanded: null,
      events: n,
      bytes: n,
      quarantined: n,
      requests: n,
      retries: n,
      downloadedBytes: n,
      seconds: 1,
      timings: { downloadMs: 0, inflateMs: 0, uploadMs: 0 },
      exitCode: 3,
    } satisfies ExportReport);

  it('agree in the summary of an export', () => {
    expect(exported(1))
      .to.include('landed     1 hour, 1 event, 1 byte\n')
      .and.include('1 hour of these, as it was\n')
      .and.include('1 line that is not an event\n')
      .and.include('1, 1 retry, 1 byte downloaded')
      .and.include('requests this hour if it is still in its range');
    expect(exported(2))
      .to.include('landed     2 hours, 2 events, 2 bytes\n')
      .and.include('2 hours of these, as they were\n')
      .and.include('2 lines that are not events\n')
      .and.include('2, 2 retries, 2 bytes downloaded')
      .and.include('requests these hours as far as they are still in its range');
  });

  it('agree in the summary of a status', () => {
    const told = (...missing: string[]) =>
      statusSummary(sampleReport({ states: Object.fromEntries(missing.map((hour) => [hour, 'missing' as const])) }));
    expect(told('2026-11-20T05'))
      .to.include('\n1 gap of 1 hour; this fills it:\n')
      .and.include('missing    1 hour: not');
    expect(told('2026-11-20T05', '2026-11-20T09')).to.include('\n2 gaps of 2 hours; each line fills one:\n');
  });

  it('agree in the summary of a verify', () => {
    const hour = readHour('2026-11-20T05');
    const object = { key: 'events/x', hour: null, bytes: 1, modifiedAt: '' };
    const named = { key: 'k', bytes: 1200, crc32: '', lines: 1 };
    const message = (bytes: number) => compareObject(named, { bytes })?.message ?? '';
    const told = (n: number) =>
      verifySummary(
        {
          command: 'verify',
          destination: 'd',
          range: null,
          depth: 'listing',
          checked: { hours: n, objects: n, bytes: n },
          differences: [],
          unsealed: Array.from({ length: n }, () => object),
          repair: null,
          swept: null,
          requests: { listings: n, reads: n, looks: n },
          seconds: 1,
          exitCode: 3,
        } satisfies VerifyReport,
        Array.from({ length: n }, () => ({ hour, key: 'k', kind: 'size', message: message(n) })),
      );
    expect(told(1))
      .to.include('1 hour, 1 object, 1 byte:')
      .and.include('k has 1 byte; its manifest says 1,200.')
      .and.include('is landing it now');
    expect(told(2)).to.include('k has 2 bytes; its manifest says 1,200.').and.include('is landing them now');
  });

  it('have one form', () => {
    expect([count(1, 'hour'), count(0, 'hour'), count(1200, 'hour')]).to.deep.equal([
      '1 hour',
      '0 hours',
      '1,200 hours',
    ]);
    expect([agreeing(1, 'is', 'are'), agreeing(0, 'is', 'are')]).to.deep.equal(['is', 'are']);
    expect([size(1), size(999), size(43_901_772)]).to.deep.equal(['1 byte', '999 bytes', '43.9 MB']);
  });
});

describe('text from outside', () => {
  const HOSTILE = 'a\u001b[31m\u0007\u007f\u009b\u0085\u202e\u2066\u2028z';

  it('is shown with printable characters only, and keeps its lines', () => {
    expect(printable(`x\n${HOSTILE}`)).to.equal(
      'x\na\\u{1b}[31m\\u{7}\\u{7f}\\u{9b}\\u{85}\\u{202e}\\u{2066}\\u{2028}z',
    );
    expect(printable('ünï 🦄 日本')).to.equal('ünï 🦄 日本');
    expect(printableName('a\nb')).to.equal('a\\u{a}b');
  });

  it('reads back from JSON unchanged', () => {
    const json = printableJson(JSON.stringify({ HOSTILE }));
    expect(json).to.match(/^[ -~]+$/);
    expect(JSON.parse(json)).to.deep.equal({ HOSTILE });
  });
});

describe('wrapped text', () => {
  it('keeps the width, its indent and its commands', () => {
    expect(wrap('one two three four', 9)).to.deep.equal(['one two', 'three', 'four']);
    expect(wrap('a:\n  - one two three', 9)).to.deep.equal(['a:', '  - one', '  two', '  three']);
    expect(wrap('run `npm start -- verify --deep`.', 12)).to.deep.equal(['run', '`npm start -- verify --deep`.']);
  });
});
