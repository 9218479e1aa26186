import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import PQueue from 'p-queue';
import type { AdoptReport } from '../../../src/adopt/report.ts';
import { formatHour, type Hour, hoursOf, readHour } from '../../../src/hours.ts';
import { hourStem } from '../../../src/simulator/traffic.ts';
import { needs } from '../../support/needs.ts';
import { MAIN } from '../../support/program.ts';

const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
const HOURS = Number(process.env.ADOPT_HOURS ?? 8760);
/** Where the server keeps its buckets as folders, files are made there in seconds. PUTs take minutes. */
const { LOAD_DATA: data } = process.env;
const FILES_PER_HOUR = Number(process.env.ADOPT_FILES_PER_HOUR ?? (data === undefined ? 2 : 20));
/** A server on the same two cores takes longer than the program: a year of files is listed, and so many hours land. */
const LANDED_HOURS = Number(process.env.ADOPT_LANDED_HOURS ?? 120);
const MOST_MIB = 256;
const PROJECT = '100011471';
const CONTENT = gzipSync('{"event_type":"load"}\n');

describe(`adopt of ${HOURS} hours of ${FILES_PER_HOUR} small files`, function () {
  this.timeout(900_000);
  const bucket = `load-adopt-${randomBytes(4).toString('hex')}`;
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
    const put = async (key: string, content: Buffer) => {
      if (data === undefined) await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }));
      else await writeFile(join(data, bucket, key), content);
    };
    const layHour = async (hour: Hour) => {
      // In one folder such a server lists a year's files again for each thousand.
      const folder = `export/${PROJECT}/${formatHour(hour).slice(0, 10)}`;
      if (data !== undefined) await mkdir(join(data, bucket, folder), { recursive: true });
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
  async function adopt(test: Mocha.Runnable | undefined, ...args: string[]): Promise<AdoptReport> {
    const child = spawn(process.execPath, [MAIN, 'adopt', `s3://${bucket}/export`, '--json', ...args], {
      env: {
        DESTINATION: `s3://${bucket}/landed`,
        OUTPUT_FORMAT: 'gzip',
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
      test.title += `: ${said.seconds.toFixed(0)} s, ${said.requests.listings} listings, ${said.requests.reads} reads, peak ${peakMiB} MiB`;
    }
    expect(peakMiB).to.be.above(30).and.at.most(MOST_MIB);
    expect(said.hours.failed).to.deep.equal([]);
    return said;
  }

  it('lists all of it', async function () {
    const { hours: found, files } = await adopt(this.test, '--dry-run');
    expect([found.adopted.length, files.adopted]).to.deep.equal([HOURS, HOURS * FILES_PER_HOUR]);
  });

  const range = ['--start', formatHour(start), '--end', formatHour(start + LANDED_HOURS)];

  it(`lands ${LANDED_HOURS} hours, copied by the store`, async function () {
    const said = await adopt(this.test, ...range);
    expect([said.hours.adopted.length, said.hours.unproved]).to.deep.equal([LANDED_HOURS, []]);
    const files = LANDED_HOURS * FILES_PER_HOUR;
    expect(said).to.include({ events: files, copied: files, exitCode: 0 });
  });

  it('finds all of them landed', async function () {
    const said = await adopt(this.test, ...range);
    expect([said.hours.adopted, said.hours.same]).to.deep.equal([[], LANDED_HOURS]);
  });
});
