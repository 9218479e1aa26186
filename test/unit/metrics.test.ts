import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse } from 'yaml';
import { ForeignMetrics, METRIC_NAMES, metricsAfter, type RunEnd } from '../../src/cli/metrics.ts';
import { changeFile } from '../../src/cli/metrics-file.ts';
import type { ExportReport } from '../../src/export/report.ts';
import { STATES } from '../../src/status/state.ts';
import { sampleReport } from '../support/sample-report.ts';

const AT = '2026-11-22T09:10:00Z';
const unix = (time: string) => Date.parse(time) / 1000;

function exported(lastLanded: string | null, failed = 0): Partial<ExportReport> {
  const hours = (n: number) => Array.from({ length: n }, (_, at) => `2026-11-20T0${at}`);
  return {
    command: 'export',
    hours: {
      sealed: hours(2),
      empty: hours(1),
      failed: hours(failed).map((hour) => ({ hour, code: 'DESTINATION', message: 'm' })),
      pending: [],
      skipped: 5,
      unchanged: [],
      shrunk: [],
    },
    lastLanded,
    events: 12_345,
    bytes: 10 ** 12,
    requests: 3,
    retries: 1,
  };
}

const run = (changed: Partial<RunEnd> = {}): RunEnd => ({
  command: 'export',
  destination: 's3://b/p',
  startedAt: new Date('2026-11-22T09:09:58.500Z'),
  endedAt: new Date(AT),
  exitCode: 0,
  report: exported('2026-11-22T06'),
  ...changed,
});
const status = (changed: Partial<RunEnd> = {}) => run({ command: 'status', report: sampleReport(), ...changed });

/** The samples of a text by name and labels, without the destination's. */
function samples(text: string, destination = 's3://b/p'): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.includes(`destination="${destination}"`));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, command, state = '', value] =
        /^amplitude_to_s3_(\w+)\{command="(\w+)",destination="[^"]*"(?:,state="(\w+)")?\} (\S+)$/.exec(line) ?? [];
      return [[command, name, state].filter(Boolean).join(' '), Number(value)];
    }),
  );
}

describe('the metrics', () => {
  it('of an export are its figures', () => {
    expect(samples(metricsAfter(run(), ''))).to.deep.equal({
      'export last_run_timestamp_seconds': unix(AT),
      'export last_success_timestamp_seconds': unix(AT),
      'export last_run_exit_code': 0,
      'export last_run_duration_seconds': 1.5,
      'export last_run_landings sealed': 2,
      'export last_run_landings empty': 1,
      'export last_run_landings failed': 0,
      'export last_run_landings pending': 0,
      'export last_run_landings skipped': 5,
      'export last_run_events': 12_345,
      'export last_run_bytes': 10 ** 12,
      'export last_run_requests': 3,
      'export last_run_retries': 1,
      'export newest_hour_timestamp_seconds': unix('2026-11-22T06:00:00Z'),
    });
  });

  it('of a status are what has landed, with every state', () => {
    const report = sampleReport({ states: { '2026-11-20T05': 'missing', '2026-11-21T05': 'missing' } });
    const said = samples(metricsAfter(status({ report, exitCode: 3 }), ''));
    for (const state of STATES) expect(said[`status landings ${state}`]).to.equal(report.totals[state]);
    expect(said).to.include({
      'status last_run_exit_code': 3,
      'status last_success_timestamp_seconds': 0,
      'status oldest_missing_hour_timestamp_seconds': unix('2026-11-20T05:00:00Z'),
      'status newest_hour_timestamp_seconds': unix('2026-11-22T06:00:00Z'),
      'status landed_events': report.totals.events,
    });
    expect(said).not.to.have.property('status dropped_landings');
    const drops = [{ hour: '2026-11-20T05', events: 0, median: 900 }];
    const dropped = samples(metricsAfter(status({ report: { ...report, drops } }), ''));
    expect(dropped['status dropped_landings']).to.equal(1);
  });

  it('of a run that failed keep the last success and what has landed', () => {
    const before = metricsAfter(run(), '');
    const failed = run({ exitCode: 4, report: undefined, endedAt: new Date('2026-11-22T10:10:00Z') });
    expect(samples(metricsAfter(failed, before))).to.deep.equal({
      'export last_run_timestamp_seconds': unix('2026-11-22T10:10:00Z'),
      'export last_success_timestamp_seconds': unix(AT),
      'export last_run_exit_code': 4,
      'export last_run_duration_seconds': 3601.5,
      'export newest_hour_timestamp_seconds': unix('2026-11-22T06:00:00Z'),
    });
    const looked = metricsAfter(status(), '');
    const unreached = samples(metricsAfter(status({ exitCode: 1, report: undefined }), looked));
    for (const state of STATES) expect(unreached).to.have.property(`status landings ${state}`);
  });

  it('of older hours leave the newest hour as it is', () => {
    const before = metricsAfter(run(), '');
    const metric = 'export newest_hour_timestamp_seconds';
    for (const lastLanded of ['2026-08-01T00', null]) {
      const after = samples(metricsAfter(run({ report: exported(lastLanded) }), before));
      expect(after[metric]).to.equal(unix('2026-11-22T06:00:00Z'));
    }
    const later = samples(metricsAfter(run({ report: exported('2026-11-22T07') }), before));
    expect(later[metric]).to.equal(unix('2026-11-22T07:00:00Z'));
  });

  it('of an adopt have its newest hour, which older files leave as it is', () => {
    const adopted = (lastLanded: string | null, before: string) =>
      metricsAfter(run({ command: 'adopt', report: { command: 'adopt', lastLanded } }), before);
    const newest = (text: string) => samples(text)['adopt newest_hour_timestamp_seconds'];
    expect(newest(adopted(null, ''))).to.equal(undefined);
    const before = adopted('2026-11-22T06', '');
    expect(newest(before)).to.equal(unix('2026-11-22T06:00:00Z'));
    for (const lastLanded of ['2026-08-01T00', null]) expect(adopted(lastLanded, before)).to.equal(before);
  });

  it('of a status of the past leave what has landed as it is', () => {
    const report = sampleReport({ states: { '2026-11-20T05': 'missing' } });
    const before = metricsAfter(status({ report }), '');
    const past = { ...sampleReport(), range: { start: '2026-11-01T00', end: '2026-11-02T00' } };
    const after = samples(metricsAfter(status({ report: past }), before));
    expect(after).to.deep.equal(samples(before));
    expect(after['status landings missing']).to.equal(1);
  });

  it('have no oldest missing hour once there is none', () => {
    const report = sampleReport({ states: { '2026-11-20T05': 'missing' } });
    const after = samples(metricsAfter(status(), metricsAfter(status({ report }), '')));
    expect(after).not.to.have.property('status oldest_missing_hour_timestamp_seconds');
  });

  it('of a command keep those of other commands and destinations, whatever their names hold', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }), (names) => {
        const text = names.reduce(
          (before, destination) => metricsAfter(run({ destination }), metricsAfter(status({ destination }), before)),
          '',
        );
        // Once more changes nothing: each finds its own samples again.
        const again = names.reduce((before, destination) => metricsAfter(run({ destination }), before), text);
        const sorted = (lines: string) => lines.split('\n').sort();
        expect(sorted(again)).to.deep.equal(sorted(text));
        const runs = text.match(/^amplitude_to_s3_last_run_exit_code\{/gm);
        expect(runs).to.have.length(2 * new Set(names).size);
      }),
      { numRuns: 30 },
    );
  });

  it('pass over those of another version, and refuse a file of another program', () => {
    const old = 'amplitude_to_s3_of_old{command="export",destination="s3://b/p"} 1\n';
    expect(metricsAfter(run(), old)).to.equal(metricsAfter(run(), ''));
    expect(() => metricsAfter(run(), 'node_load1 0.5\n')).to.throw(ForeignMetrics);
  });
});

describe('the file of metrics', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'metrics-'));
    file = join(folder, 'a.prom');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('loses nothing where many write at once, and leaves no other file behind', async () => {
    const added = Array.from({ length: 12 }, (_, at) => `${at}\n`);
    await Promise.all(added.map((line) => changeFile(file, (before) => before + line)));
    const lines = (await readFile(file, 'utf8')).trim().split('\n').map(Number);
    expect(lines.sort((a, b) => a - b)).to.deep.equal(added.map(Number));
    expect(await readdir(folder)).to.deep.equal(['a.prom']);
  });

  it('can be read by other users, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await changeFile(file, () => 'text');
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o777).to.equal(0o644);
  });

  it('stays as it is where its new text cannot be made', async () => {
    await writeFile(file, 'old');
    const failed = await changeFile(file, () => {
      throw new ForeignMetrics();
    }).catch((error: unknown) => error);
    expect(failed).to.be.instanceOf(ForeignMetrics);
    expect(await readFile(file, 'utf8')).to.equal('old');
    expect(await readdir(folder)).to.deep.equal(['a.prom']);
  });

  it('is written after a run that was killed while it wrote', async () => {
    const partial = join(folder, '.a.prom.partial');
    await writeFile(partial, 'half');
    await utimes(partial, 0, 0);
    await changeFile(file, () => 'whole');
    expect(await readFile(file, 'utf8')).to.equal('whole');
    expect(await readdir(folder)).to.deep.equal(['a.prom']);
  });

  it('is not written into a folder that is not there', async () => {
    const failed = await changeFile(join(folder, 'none', 'a.prom'), () => '').catch((error: unknown) => error);
    expect(failed).to.include({ code: 'ENOENT' });
    await mkdir(file);
    expect(await changeFile(file, () => '').catch((error: unknown) => error)).to.include({ code: 'EISDIR' });
  });
});

describe('the alert rules', () => {
  const path = resolve(import.meta.dirname, '../../deploy/prometheus/amplitude-to-s3.rules.yml');
  const text = readFileSync(path, 'utf8');

  it('stand beside a page that explains every metric', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/operating.md'), 'utf8');
    for (const name of METRIC_NAMES) expect(page).to.include(`\`${name.replace('amplitude_to_s3_', '')}\``);
  });

  it('name metrics that the program writes', () => {
    const named = new Set(text.match(/amplitude_to_s3_\w+/g));
    expect(named.size).to.be.above(5);
    for (const name of named) expect(METRIC_NAMES).to.include(name);
  });

  it('each say what is wrong and what to do', () => {
    interface Rule {
      readonly alert: string;
      readonly expr: string;
      readonly labels: { readonly severity: string };
      readonly annotations: { readonly summary: string; readonly description: string };
    }
    const [group] = (parse(text) as { groups: { rules: Rule[] }[] }).groups;
    expect(group?.rules).to.have.length(9);
    for (const { alert, expr, labels, annotations } of group?.rules ?? []) {
      expect(alert).to.match(/^Amplitude[A-Z]/);
      expect(expr).to.include('amplitude_to_s3_');
      expect(labels.severity).to.be.oneOf(['critical', 'warning']);
      expect(annotations.summary).to.match(/\.$/);
      expect(annotations.description).to.match(/\.$/);
    }
  });
});
