import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { METRIC_NAMES, metricsAfter } from '../../../src/cli/metrics.ts';
import type { ExportReport } from '../../../src/export/report.ts';
import { needs } from '../../support/needs.ts';
import { sampleReport } from '../../support/sample-report.ts';
import { venv } from '../../support/venv.ts';

const DESTINATION = 'C:\\data "of" the\nteam, ünïcode';

const RUN = {
  destination: DESTINATION,
  startedAt: new Date('2026-11-22T09:09:58.500Z'),
  endedAt: new Date('2026-11-22T09:10:00Z'),
  exitCode: 3,
};
const EXPORTED: Partial<ExportReport> = {
  command: 'export',
  hours: { sealed: [], empty: [], failed: [], pending: [], skipped: 5, unchanged: [], shrunk: [] },
  lastLanded: '2026-11-22T06',
  events: 10 ** 9,
  bytes: 10 ** 15,
  requests: 3,
  retries: 0,
};
const LOOKED = {
  ...sampleReport({ states: { '2026-11-20T05': 'missing' } }),
  drops: [{ hour: '2026-11-20T06', events: 0, median: 900 }],
};

/** Every metric that the program writes, for a name that needs each escape. */
const TEXT = metricsAfter(
  { ...RUN, command: 'export', report: EXPORTED },
  metricsAfter({ ...RUN, command: 'status', report: LOOKED }, ''),
);

describe('Prometheus', () => {
  it('reads the metrics, as OpenMetrics and as the older text format', async function () {
    this.timeout(120_000);
    const python = `${await venv('prometheus', ['prometheus_client==0.26.0'])}/bin/python`;
    const read = JSON.parse(
      execFileSync(python, [resolve(import.meta.dirname, 'parsers.py')], { input: TEXT, encoding: 'utf8' }),
    ) as Record<'openmetrics' | 'text', [name: string, labels: Record<string, string>, value: number][]>;
    expect(read.openmetrics).to.deep.equal(read.text);
    expect(read.text.length).to.equal(TEXT.match(/^amplitude/gm)?.length);
    expect([...new Set(read.text.map(([name]) => name))]).to.have.members(METRIC_NAMES);
    for (const [, labels] of read.text) expect(labels).to.include({ destination: DESTINATION });
    expect(read.text).to.deep.include([
      'amplitude_to_s3_landings',
      { command: 'status', destination: DESTINATION, state: 'missing' },
      1,
    ]);
  });

  describe('with promtool', () => {
    let promtool: string;

    before(function () {
      promtool = needs(this, 'PROMTOOL');
    });

    it('has nothing to say against names and types', () => {
      expect(execFileSync(promtool, ['check', 'metrics'], { input: TEXT, encoding: 'utf8' })).to.equal('');
    });

    it('takes the alert rules, which fire where something is wrong and only there', () => {
      const rules = resolve(import.meta.dirname, '../../../deploy/prometheus/amplitude-to-s3.rules.yml');
      execFileSync(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', rules], { stdio: 'pipe' });
      execFileSync(promtool, ['test', 'rules', resolve(import.meta.dirname, 'rules.test.yml')], { stdio: 'pipe' });
    });
  });
});
