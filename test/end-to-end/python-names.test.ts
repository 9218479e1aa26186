import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { runProgram } from '../support/program.ts';
import { type S3Server, startS3Server } from '../support/s3-server/server.ts';

/** The env files of the pipelines that people come from. */
const SETS = {
  'AMP_API_KEY and AWS_ACCESS_KEY': `
AMP_API_KEY=simulator-key
AMP_SECRET_KEY=simulator-secret
AWS_ACCESS_KEY=testak
AWS_SECRET_KEY=testsecret
BUCKET_NAME=my-bucket`,
  'API_TOKEN and Access_key_ID': `
API_TOKEN=simulator-key
SECRET_KEY=simulator-secret
Access_key_ID=testak
Secret_access_key=testsecret
AWB_BUCKET_NAME=my-bucket`,
  'aws_key and bucket_name': `
AMP_API_KEY=simulator-key
AMP_SECRET_KEY=simulator-secret
aws_key=testak
secret=testsecret
region=us-east-1
bucket_name=my-bucket`,
  'ACCESS_KEY and AWS_BUCKET_NAME': `
API_TOKEN=simulator-key
SECRET_KEY=simulator-secret
ACCESS_KEY=testak
SECRET_ACCESS_KEY=testsecret
AWS_BUCKET_NAME=my-bucket`,
};

describe('the settings of people who come from Python', () => {
  let simulator: Simulator;
  let s3: S3Server;
  beforeEach(async () => {
    simulator = await startSimulator({ eventsPerHour: 10 });
    s3 = await startS3Server({ buckets: ['my-bucket'] });
  });
  afterEach(async () => {
    await simulator.close();
    await s3.close();
  });

  for (const [name, file] of Object.entries(SETS)) {
    it(`run the job unchanged: ${name}`, async () => {
      // The two addresses replace Amplitude and AWS. They are not part of the set.
      const local = { AMPLITUDE_BASE_URL: simulator.url, AWS_ENDPOINT_URL_S3: s3.url };
      const env = { ...(parseEnv(file) as Record<string, string>), ...local };
      const { code, stdout } = await runProgram(['--start', '2026-03-04T06', '--end', '2026-03-04T08'], env);
      expect(code, stdout).to.equal(0);
      expect([...s3.objects.keys()]).to.include('my-bucket/amplitude/manifests/date=2026-03-04/hour=06.json');
    });
  }

  it('run the job from a file that starts with a byte order mark', async () => {
    const file = `\uFEFF${SETS['API_TOKEN and Access_key_ID'].trim()}`;
    const local = { AMPLITUDE_BASE_URL: simulator.url, AWS_ENDPOINT_URL_S3: s3.url };
    const env = { ...(parseEnv(file) as Record<string, string>), ...local };
    expect(Object.keys(env)).to.include('\uFEFFAPI_TOKEN');
    const { code, stdout } = await runProgram(['--start', '2026-03-04T06', '--end', '2026-03-04T07'], env);
    expect(code, stdout).to.equal(0);
  });

  it('keep an old prefix', async () => {
    const env = { ...(parseEnv(SETS['AMP_API_KEY and AWS_ACCESS_KEY']) as Record<string, string>) };
    const local = { AMPLITUDE_BASE_URL: simulator.url, AWS_ENDPOINT_URL_S3: s3.url, S3_PREFIX: 'python-import' };
    await runProgram(['--start', '2026-03-04T06', '--end', '2026-03-04T07'], { ...env, ...local });
    expect([...s3.objects.keys()]).to.include('my-bucket/python-import/manifests/date=2026-03-04/hour=06.json');
  });
});
