import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import PQueue from 'p-queue';
import type { AdoptReport } from '../../../src/adopt/report.ts';
import { type Hour, hoursOf, readHour } from '../../../src/hours.ts';
import { hourStem } from '../../../src/simulator/traffic.ts';
import { needs } from '../../support/needs.ts';
import { MAIN } from '../../support/program.ts';

const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
const HOURS = Number(process.env.ADOPT_HOURS ?? 8760);
const FILES_PER_HOUR = Number(process.env.ADOPT_FILES_PER_HOUR ?? 4);
const MOST_MIB = 256;
const PROJECT = '100011471';
const CONTENT = gzipSync('{"event_type":"load"}\n');

describe(`adopt of a year: ${HOURS} hours of ${FILES_PER_HOUR} small files`, function () {
  this.timeout(900_000);
  const bucket = `adopt-${randomBytes(4).toString('hex')}`;
  const start = readHour('2025-03-04T00');
  const hours = hoursOf({ start, end: start + HOURS });

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    await layYear();
  });

  /** As Amplitude's own S3 export leaves it, with its marks. */
  async function layYear(): Promise<void> {
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    const region = process.env.AWS_REGION ?? 'us-east-1';
    const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    // Where the server keeps its buckets as folders, files are made there in seconds; PUTs take minutes.
    const data = process.env.LOAD_DATA;
    const put = async (key: string, content: Buffer) => {
      if (data === undefined) await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }));
      else await writeFile(join(data, bucket, key), content);
    };
    const folder = `export/${PROJECT}`;
    if (data !== undefined) await mkdir(dirname(join(data, bucket, folder, 'x')), { recursive: true });
    const layHour = async (hour: Hour) => {
      const stem = `${folder}/${hourStem(PROJECT, hour)}`;
      for (let part = 0; part < FILES_PER_HOUR; part++) await put(`${stem}#${part}.json.gz`, CONTENT);
      await put(`${stem}_complete`, Buffer.alloc(0));
    };
    const queue = new PQueue({ concurrency: 32 });
    for (const hour of hours) {
      await queue.onSizeLessThan(64);
      void queue.add(() => layHour(hour));
    }
    await queue.onIdle();
    client.destroy();
  }

  /** With what it took: seconds, requests, and the most memory that the kernel saw the process hold. */
  async function adopt(test: Mocha.Runnable | undefined, format: string): Promise<AdoptReport> {
    const child = spawn(process.execPath, [MAIN, 'adopt', `s3://${bucket}/export`, '--json'], {
      env: {
        DESTINATION: `s3://${bucket}/landed-${format}`,
        OUTPUT_FORMAT: format,
        AWS_ENDPOINT_URL_S3: endpoint,
        AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY,
        AWS_REGION: process.env.AWS_REGION ?? 'us-east-1',
        LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let peakKb = 0;
    const watch = setInterval(() => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKb = Math.max(peakKb, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0));
    }, 50);
    const out = await text(child.stdout);
    clearInterval(watch);
    const said = JSON.parse(out) as AdoptReport;
    const peakMiB = Math.ceil(peakKb / 1024);
    if (test !== undefined) {
      test.title += `: ${said.seconds.toFixed(0)} s, ${said.requests} requests, peak ${peakMiB} MiB`;
    }
    expect(peakMiB).to.be.above(30).and.at.most(MOST_MIB);
    expect(said.hours.failed).to.deep.equal([]);
    return said;
  }

  for (const format of ['json', 'gzip']) {
    it(`lands it as ${format}`, async function () {
      const said = await adopt(this.test, format);
      expect([said.hours.adopted.length, said.hours.unproved]).to.deep.equal([HOURS, []]);
      expect(said).to.include({ events: HOURS * FILES_PER_HOUR, exitCode: 0 });
    });

    it(`finds all of it landed as ${format}`, async function () {
      const said = await adopt(this.test, format);
      expect([said.hours.adopted, said.hours.same]).to.deep.equal([[], HOURS]);
    });
  }
});
