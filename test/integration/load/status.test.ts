import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { hoursOf, readyEnd } from '../../../src/hours.ts';
import type { StatusReport } from '../../../src/status/report.ts';
import type { VerifyReport } from '../../../src/verify/report.ts';
import { needs } from '../../support/needs.ts';
import { MAIN } from '../../support/program.ts';
import { makeYear } from './year.ts';

const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
const HOURS = Number(process.env.LOAD_HOURS ?? 10_000);
const OBJECTS_PER_HOUR = 20;
const MOST_MB = 200;

describe(`${HOURS} manifests and ${HOURS * OBJECTS_PER_HOUR} objects`, function () {
  this.timeout(900_000);
  const bucket = `load-${randomBytes(4).toString('hex')}`;
  const prefix = 'amplitude';
  const end = readyEnd(new Date());

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    const year = { hours: hoursOf({ start: end - HOURS, end }), objectsPerHour: OBJECTS_PER_HOUR };
    await makeYear(year, { endpoint, bucket, prefix, credentials, data: process.env.LOAD_DATA });
  });

  /** With what it took: seconds, and the most memory that the kernel saw the process hold. */
  async function run<Report>(test: Mocha.Runnable | undefined, ...args: string[]) {
    const started = performance.now();
    const env = {
      DESTINATION: `s3://${bucket}/${prefix}`,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_REGION: process.env.AWS_REGION ?? 'us-east-1',
    };
    const child = spawn(process.execPath, [MAIN, ...args, '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let peakKb = 0;
    const watch = setInterval(() => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKb = Math.max(peakKb, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0));
    }, 50);
    const out = await text(child.stdout);
    clearInterval(watch);
    const seconds = (performance.now() - started) / 1000;
    const peakMb = Math.round((peakKb * 1024) / 1e6);
    if (test !== undefined) test.title += `: ${seconds.toFixed(1)} s, ${peakMb} MB`;
    expect(peakMb).to.be.above(30).and.at.most(MOST_MB);
    return { seconds, report: JSON.parse(out) as Report };
  }

  const year = ['status', '--lookback-days', '365'];
  const sealed = Math.min(HOURS, 365 * 24 - 3);

  it('status of a year without events within 10 s', async function () {
    const { seconds, report } = await run<StatusReport>(this.test, ...year, '--no-events');
    const { totals, requests } = report;
    expect([totals.objects, requests.reads]).to.deep.equal([sealed * OBJECTS_PER_HOUR, 0]);
    expect(seconds).to.be.below(10);
  });

  it('status of a year with events within 30 s', async function () {
    const { seconds, report } = await run<StatusReport>(this.test, ...year);
    expect(report.totals.events).to.equal(sealed * OBJECTS_PER_HOUR);
    expect(seconds).to.be.below(30);
  });

  it('verify of all that is there', async function () {
    const { report } = await run<VerifyReport>(this.test, 'verify');
    expect(report.checked).to.include({ hours: HOURS, objects: HOURS * OBJECTS_PER_HOUR });
    expect(report.differences).to.deep.equal([]);
  });
});
