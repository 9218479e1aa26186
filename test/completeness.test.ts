import { mkdir } from 'node:fs/promises';
import { expect } from 'chai';
import { openDestination } from '../src/destination.ts';
import { completenessContract, type Place, remove, temporary } from './completeness-contract.ts';
import { runProgram } from './program.ts';
import { type S3Server, startS3Server } from './s3-server.ts';
import { hearingLog, s3Settings } from './settings.ts';

const signal = new AbortController().signal;

function inBucket({ url }: S3Server, prefix: string): Place {
  const s3 = s3Settings(url);
  return {
    env: {
      DESTINATION: `s3://bucket/${prefix}`,
      AWS_ENDPOINT_URL_S3: url,
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
      AWS_REGION: 'us-east-1',
      UPLOAD_MAX_ATTEMPTS: '2',
    },
    destination: openDestination({ kind: 's3', bucket: 'bucket', prefix }, { s3, signal, log: hearingLog() }),
  };
}

describe('what has landed in a folder', function () {
  this.timeout(60_000);
  const folder = temporary('completeness');
  let count = 0;
  after(() => remove(folder));
  completenessContract(async () => {
    const own = `${folder}/${count++}`;
    await mkdir(own, { recursive: true });
    const options = { s3: s3Settings(''), signal, log: hearingLog() };
    return { env: { DESTINATION: own }, destination: openDestination({ kind: 'file', folder: own }, options) };
  });
});

describe('what has landed in a bucket', function () {
  this.timeout(60_000);
  let server: S3Server;
  let count = 0;
  before(async () => {
    server = await startS3Server();
  });
  after(() => server.close());
  afterEach(() => {
    server.faults.length = 0;
  });
  const open = async () => inBucket(server, `run-${count++}`);
  completenessContract(open);

  it('costs the requests that it says', async () => {
    const { env } = await open();
    const before = server.requests.length;
    const { stdout } = await runProgram(['status', '--json'], { ...env });
    const { requests } = JSON.parse(stdout);
    expect(requests.listings + requests.reads + requests.looks).to.equal(server.requests.length - before);
  });

  const refusals: readonly [string, string, RegExp][] = [
    ['ListObjectsV2', 'status', /s3:ListBucket/],
    ['ListObjectsV2', 'verify', /s3:ListBucket/],
  ];
  for (const [operation, command, message] of refusals) {
    it(`${command} says which right is missing where ${operation} is refused`, async () => {
      const { env } = await open();
      server.faults.push({ operation, fault: 'access-denied' });
      const { code, stderr } = await runProgram([command], { ...env });
      expect(code).to.equal(1);
      expect(stderr).to.match(message);
    });
  }
});
