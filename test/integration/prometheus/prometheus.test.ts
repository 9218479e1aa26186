import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { METRIC_NAMES, metricsAfter } from '../../../src/cli/metrics.ts';
import { needs } from '../../support/needs.ts';
import { sampleReport } from '../../support/sample-report.ts';
import { venv } from '../../support/venv.ts';

const DESTINATION = 'C:\\data "of" the\nteam, ünïcode';

/** All that the program writes of a status that found everything, with a name that needs each escape. */
const TEXT = metricsAfter(
  {
    command: 'status',
    destination: DESTINATION,
    startedAt: new Date('2026-11-22T09:09:58.500Z'),
    endedAt: new Date('2026-11-22T09:10:00Z'),
    exitCode: 3,
    report: {
      ...sampleReport({ states: { '2026-11-20T05': 'missing' } }),
      drops: [{ hour: '2026-11-20T06', events: 0, median: 900 }],
    },
  },
  '',
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
    for (const [name, labels] of read.text) {
      expect(METRIC_NAMES).to.include(name);
      expect(labels).to.include({ command: 'status', destination: DESTINATION });
    }
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
