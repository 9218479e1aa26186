import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { hoursOf, readHour } from '../../../src/hours.ts';
import { readKey } from '../../../src/landing/keys.ts';
import { crcHex } from '../../../src/landing/manifest.ts';
import { expectedHour, parseFault, type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { runProgram } from '../../support/program.ts';

/** The built program end to end into the S3 server that the environment names. */
const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
/** Some stand-ins let anybody in. */
const trusting = process.env.S3_TEST_TRUSTING === '1';
const region = process.env.AWS_REGION ?? 'us-east-1';
const bucket = process.env.S3_TEST_BUCKET ?? `program-${randomBytes(4).toString('hex')}`;
const range = { start: readHour('2026-03-04T06'), end: readHour('2026-03-04T12') };
const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T12'];

describe(`export into the S3 server at ${endpoint}`, function () {
  this.timeout(120_000);
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  });
  let simulator: Simulator;
  let prefix: string;

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    simulator = await startSimulator({ eventsPerHour: 2000 });
    if (process.env.S3_TEST_BUCKET === undefined) await client.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  after(async () => {
    await simulator?.close();
    client.destroy();
  });
  beforeEach(() => {
    simulator.faults.length = 0;
    prefix = `run/${randomBytes(6).toString('hex')}`;
  });

  const run = (changed: Record<string, string> = {}) =>
    runProgram(['export', '--json', ...RANGE], {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_REGION: region,
      S3_BUCKET: bucket,
      S3_PREFIX: prefix,
      EXPORT_BACKOFF_MS: '1',
      ...changed,
    });
  const read = async (key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}` }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const keys = async () => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/` }));
    return Contents.map(({ Key = '' }) => Key.slice(prefix.length + 1));
  };

  it('lands what the simulator made, seals it, and then finds nothing to do', async () => {
    const { code, stderr, report } = await run();
    expect(code, stderr).to.equal(0);
    const members = hoursOf(range).flatMap((hour) => expectedHour({ eventsPerHour: 2000 }, hour).parts);
    const landed = (await keys()).filter((key) => key.startsWith('events/'));
    expect(landed).to.have.length(members.length);
    for (const { name, json } of members) {
      const key = landed.find((name) => readKey(name)?.crc32 === crcHex(crc32(json)));
      expect((await read(key ?? '')).equals(json), name).to.equal(true);
    }
    expect((await keys()).filter((key) => key.startsWith('manifests/'))).to.have.length(6);
    expect(report().events).to.equal(
      members.reduce((sum, { json }) => sum + json.toString().split('\n').length - 1, 0),
    );
    const again = (await run()).report();
    expect([again.requests, again.hours.skipped]).to.deep.equal([0, 6]);
  });

  it('puts a bad line into quarantine, although the store was told the checksum of the whole member', async () => {
    simulator.faults.push(parseFault('bad-line@2026-03-04T09'), parseFault('two-gzip-streams@2026-03-04T10'));
    const { code, stderr, report } = await run();
    expect(code, stderr).to.equal(0);
    expect(report().quarantined).to.equal(1);
    const manifest = JSON.parse((await read('manifests/date=2026-03-04/hour=09.json')).toString());
    expect((await read(manifest.objects[0].key)).length).to.equal(manifest.objects[0].bytes);
    expect((await read(manifest.quarantine[0].key)).toString()).to.include('not_an_object');
  });

  it('says that the bucket does not exist', async () => {
    const { code, report } = await run({ S3_BUCKET: `${bucket}-missing` });
    expect(code).to.equal(1);
    const { error } = report<{ error: { code: string; hint: string } }>();
    expect(error.code).to.equal('BUCKET_MISSING');
  });

  (trusting ? it.skip : it)('says that the access key is refused, and exits with 4', async () => {
    const { code, stdout } = await run({ AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'wrong-secret' });
    expect(code, stdout).to.equal(4);
    expect(stdout).to.include('AWS_CREDENTIALS');
  });
});
