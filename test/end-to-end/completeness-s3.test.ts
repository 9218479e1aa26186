import { expect } from 'chai';
import { openDestination } from '../../src/destination/open.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { completenessContract, type Place } from '../support/completeness-contract.ts';
import { runProgram } from '../support/program.ts';
import { type S3Server, startS3Server } from '../support/s3-server/server.ts';
import { hearingLog, s3Settings } from '../support/settings.ts';

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

  for (const [operation, right, exitCode] of [
    ['PutObject', 's3:PutObject', 1],
    // The hour has landed all the same; what it replaces stays.
    ['DeleteObjects', 's3:DeleteObject', 0],
  ] as const) {
    it(`a repair without ${right} says so, and leaves nothing that the next run does not mend`, async () => {
      const simulator = await startSimulator({ eventsPerHour: 40 });
      const { env, destination } = await open();
      const keys = {
        ...env,
        AMPLITUDE_BASE_URL: simulator.url,
        AMPLITUDE_API_KEY: 'simulator-key',
        AMPLITUDE_SECRET_KEY: 'simulator-secret',
      };
      try {
        const range = ['--start', '2026-03-04T06', '--end', '2026-03-04T08'];
        expect((await runProgram(['export', ...range], keys)).code).to.equal(0);
        const [{ key } = { key: '' }] = await Array.fromAsync(destination.list('events/'));
        await destination.delete([key]);
        server.faults.push({ operation, fault: 'access-denied' });
        const { code, stderr } = await runProgram(['verify', '--repair', '--json'], keys);
        expect(code).to.equal(exitCode);
        expect(stderr).to.include(right);
        server.faults.length = 0;
        await runProgram(['verify', '--repair'], keys);
        await runProgram(['export', ...range], keys);
        const { stdout } = await runProgram(['verify', '--deep', '--json'], keys);
        expect(JSON.parse(stdout)).to.deep.include({ differences: [], unsealed: [] });
        const told = await runProgram(['status', '--json', ...range], keys);
        expect(JSON.parse(told.stdout).gaps).to.deep.equal([]);
      } finally {
        destination.close();
        await simulator.close();
      }
    });
  }

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
