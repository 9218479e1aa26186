import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { expect } from 'chai';
import type { AdoptReport } from '../../../src/adopt/report.ts';
import { formatHour, type Hour, hoursOf, readHour } from '../../../src/hours.ts';
import type { Manifest } from '../../../src/landing/manifest.ts';
import { expectedHour } from '../../../src/simulator/simulator.ts';
import { checksumsOf, expectAdopted, expectWhole, manifestOf } from '../../support/adopt/landed.ts';
import { amplitudeLayout, damaged, type Files, pythonLayout } from '../../support/adopt/source.ts';
import { needs } from '../../support/needs.ts';
import { runProgram } from '../../support/program.ts';

/** Adoptions from a bucket of the S3 server that the environment names into another one. */
const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
/** Some stand-ins believe whatever checksum they are told. */
const trusting = process.env.S3_TEST_TRUSTING === '1';
const region = process.env.AWS_REGION ?? 'us-east-1';
const given = process.env.S3_TEST_BUCKET;
const TRAFFIC = { eventsPerHour: 300 };
const RANGE = { start: readHour('2026-03-04T13'), end: readHour('2026-03-04T19') };
const HOURS = hoursOf(RANGE);
const QUIET = readHour('2026-03-04T16');
const FILLED = HOURS.filter((hour) => hour !== QUIET);
const membersOf = (hour: Hour) => expectedHour(TRAFFIC, hour).parts;
const FILES = HOURS.flatMap(membersOf).length;
const ODD = ['a folder', 'a#b', '50%25', 'a+b&c=d?', 'çã 日本', "it's (1)!~*"];

describe(`adopt in the S3 server at ${endpoint}`, function () {
  this.timeout(120_000);
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  const name = randomBytes(4).toString('hex');
  const [old, bucket] = given === undefined ? [`adopt-old-${name}`, `adopt-${name}`] : [given, given];
  let prefix: string;

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    if (given !== undefined) return;
    for (const Bucket of [old, bucket]) await client.send(new CreateBucketCommand({ Bucket }));
  });
  after(() => client.destroy());
  beforeEach(() => {
    prefix = `run/${randomBytes(6).toString('hex')}`;
  });

  const source = () => `s3://${old}/${prefix}/old`;
  async function lay(files: Files): Promise<void> {
    for (const [key, Body] of files) {
      await client.send(new PutObjectCommand({ Bucket: old, Key: `${prefix}/old/${key}`, Body }));
    }
  }
  async function read(Bucket: string, folder: string): Promise<Files> {
    const files: Files = new Map();
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${prefix}/${folder}/` }));
    for (const { Key = '' } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      files.set(Key.slice(`${prefix}/${folder}/`.length), Buffer.from((await Body?.transformToByteArray()) ?? []));
    }
    return files;
  }
  const run = (args: readonly string[], format = 'json') =>
    runProgram([...args, '--json'], {
      DESTINATION: `s3://${bucket}/${prefix}/landed`,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_REGION: region,
      OUTPUT_FORMAT: format,
    });

  async function adopt(format: string) {
    const { code, stderr, report } = await run(['adopt', source()], format);
    expect(code, stderr).to.equal(0);
    return report<AdoptReport>();
  }

  /** The store vouches for every object by a CRC-32 of all its bytes. */
  async function expectChecked({ objects }: Manifest): Promise<void> {
    if (trusting) return;
    for (const { key, crc32 } of objects) {
      const Key = `${prefix}/landed/${key}`;
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }));
      expect(Buffer.from(head.ChecksumCRC32 ?? '', 'base64').toString('hex'), key).to.equal(crc32);
      expect(head.ChecksumType ?? 'FULL_OBJECT', key).to.equal('FULL_OBJECT');
    }
  }

  for (const format of ['json', 'gzip']) {
    it(`lands Amplitude's own layout as ${format}${format === 'gzip' ? ', copied by the store' : ''}`, async () => {
      const files: Files = new Map();
      for (const [nth, hour] of HOURS.entries()) {
        for (const [key, bytes] of await amplitudeLayout([hour], TRAFFIC, { folder: `${ODD[nth]}/` })) {
          files.set(key, bytes);
        }
      }
      await lay(files);
      const before = await read(old, 'old');
      const said = await adopt(format);
      expect(said.hours.adopted).to.deep.equal(FILLED.map(formatHour));
      expect(said.hours.empty).to.deep.equal([formatHour(QUIET)]);
      if (!trusting || format === 'json') expect(said.copied).to.equal(format === 'gzip' ? FILES : 0);
      const landed = await read(bucket, 'landed');
      for (const hour of FILLED) {
        expectAdopted(landed, hour, membersOf(hour), { from: source(), proof: 'mark', format });
        await expectChecked(manifestOf(landed, hour));
      }
      expectWhole(landed);
      const verified = await run(['verify', trusting ? '--deep' : '--checksums']);
      expect([verified.code, verified.report<{ differences: unknown[] }>().differences]).to.deep.equal([0, []]);
      expect(checksumsOf(await read(old, 'old'))).to.deep.equal(checksumsOf(before));

      const again = await adopt(format);
      expect([again.hours.adopted, again.hours.same]).to.deep.equal([[], HOURS.length]);
      expect(checksumsOf(await read(bucket, 'landed'))).to.deep.equal(checksumsOf(landed));
    });
  }

  it("copies a script's .json files as json", async () => {
    await lay(await pythonLayout(FILLED, TRAFFIC, { folder: 'python-import/' }));
    const said = await adopt('json');
    expect(said.hours.unproved).to.deep.equal(FILLED.map(formatHour));
    if (!trusting) expect(said.copied).to.equal(FILES);
    const landed = await read(bucket, 'landed');
    for (const hour of FILLED) {
      expectAdopted(landed, hour, membersOf(hour), { from: source(), proof: 'none' });
      await expectChecked(manifestOf(landed, hour));
    }
  });

  it('leaves a damaged file, lands the rest, and takes the hour once the file is mended', async () => {
    const files = await amplitudeLayout(HOURS, TRAFFIC);
    const [broken] = FILLED as [Hour];
    const file = membersOf(broken)[0]?.name ?? '';
    await lay(files);
    await lay(new Map([[file, damaged(files.get(file) as Buffer)]]));
    const { code, report } = await run(['adopt', source()], 'gzip');
    const { hours, exitCode } = report<AdoptReport>();
    expect([code, exitCode, hours.adopted]).to.deep.equal([3, 3, FILLED.slice(1).map(formatHour)]);
    expect(hours.failed.map(({ hour, code }) => [hour, code])).to.deep.equal([[formatHour(broken), 'ADOPT_BROKEN']]);
    expectWhole(await read(bucket, 'landed'));
    await lay(new Map([[file, files.get(file) as Buffer]]));
    expect((await adopt('gzip')).hours.adopted).to.deep.equal([formatHour(broken)]);
  });
});
