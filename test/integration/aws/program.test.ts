import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteAccessKeyCommand, IAMClient } from '@aws-sdk/client-iam';
import { ListObjectsV2Command, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { parseFault, type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { runProgram } from '../../support/program.ts';
import { startS3Server } from '../../support/s3-server/server.ts';
import { Account, type User } from './account.ts';
import { RANGE, runExport, settingsFor } from './program.ts';
import { type Credentials, clientOf, OWNER, Stack } from './stack.ts';
import { statementsOf } from './template.ts';

const keysIn = ({ accessKeyId, secretAccessKey, sessionToken }: Credentials): Record<string, string> => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
});

interface Refused {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

describe('the program, where IAM is enforced', function () {
  this.timeout(60_000);
  let account: Account;
  let simulator: Simulator;
  let kestra: User;
  let stack: Stack;

  before(async function () {
    account = await Account.open(needs(this, 'AWS_TEST_MINISTACK_URL'));
    simulator = await startSimulator({ eventsPerHour: 20 });
    kestra = await account.makeUser('kestra');
  });
  beforeEach(async () => {
    simulator.faults.length = 0;
    stack = new Stack(account.url);
    await stack.create({ ExporterPrincipalArn: kestra.arn });
  });
  afterEach(() => stack.close());
  after(async () => {
    await simulator?.close();
    await account?.close();
  });

  const run = (env: Readonly<Record<string, string>>, ...flags: string[]) =>
    runExport(simulator, stack, account.tlsUrl, env, ...flags);
  const exporter = async () => keysIn(await account.assume(kestra.credentials, stack.output('ExporterRoleArn')));
  const keys = async () => {
    const { Contents = [] } = await account
      .s3(OWNER)
      .send(new ListObjectsV2Command({ Bucket: stack.output('BucketName') }));
    return Contents.map(({ Key = '' }) => Key);
  };

  it("lands, skips and replaces hours with the exporter's role, and keeps what was replaced", async () => {
    const credentials = await exporter();
    const first = await run(credentials);
    expect(first.code, first.stderr).to.equal(0);
    expect(first.report().hours.sealed).to.have.length(2);
    const landed = await keys();
    expect(landed.filter((key) => key.startsWith('amplitude/manifests/'))).to.have.length(2);
    expect(landed.every((key) => key.startsWith('amplitude/'))).to.equal(true);
    expect((await run(credentials)).report().hours.skipped).to.equal(2);

    simulator.faults.push(parseFault('bad-line@2026-03-04T07'));
    const replaced = await run(credentials, '--force');
    expect(replaced.code, replaced.stderr).to.equal(0);
    expect(replaced.report().quarantined).to.equal(1);
    expect((await keys()).some((key) => key.startsWith('amplitude/quarantine/'))).to.equal(true);
    const versionsOf = (Prefix: string) =>
      account.s3(OWNER).send(new ListObjectVersionsCommand({ Bucket: stack.output('BucketName'), Prefix }));
    // A manifest is swapped, and never deleted; the object that the new one does not name is.
    const manifests = await versionsOf('amplitude/manifests/');
    expect(manifests.DeleteMarkers ?? []).to.have.length(0);
    expect(manifests.Versions?.filter(({ IsLatest }) => !IsLatest)).not.to.have.length(0);
    const events = await versionsOf('amplitude/events/');
    const deleted = events.DeleteMarkers?.map(({ Key }) => Key) ?? [];
    expect(deleted).not.to.have.length(0);
    expect(events.Versions?.map(({ Key }) => Key)).to.include.members(deleted);
  });

  it('takes on the role by itself, from a profile that names it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aws-profile-'));
    const { accessKeyId, secretAccessKey } = kestra.credentials;
    await writeFile(
      join(folder, 'credentials'),
      `[kestra]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`,
      { mode: 0o600 },
    );
    await writeFile(
      join(folder, 'config'),
      `[profile landing]\nrole_arn=${stack.output('ExporterRoleArn')}\nsource_profile=kestra\n`,
    );
    const { code, stderr } = await run({
      AWS_PROFILE: 'landing',
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      AWS_ENDPOINT_URL_STS: account.url,
    });
    await rm(folder, { recursive: true });
    expect(code, stderr).to.equal(0);
    expect(await keys()).not.to.have.length(0);
  });

  it("lands with the user's access key, and no longer once the key is revoked", async () => {
    const other = new Stack(account.url);
    await other.create({ ExporterIdentity: 'user' });
    const UserName = other.output('ExporterUserName');
    const key = await account.makeAccessKey(UserName);
    const land = () => runExport(simulator, other, account.tlsUrl, keysIn(key), '--force');
    const { code, stderr } = await land();
    expect(code, stderr).to.equal(0);
    const iam = new IAMClient(clientOf(account.url, OWNER));
    await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId: key.accessKeyId }));
    iam.destroy();
    other.close();
    const revoked = await land();
    expect(revoked.code, revoked.stdout).to.equal(4);
    expect(revoked.report<Refused>().error.code).to.equal('AWS_CREDENTIALS');
  });

  it('says what is missing to credentials that have no part in it, and lands nothing', async () => {
    const { code, report, stderr } = await run(keysIn((await account.makeUser('stranger')).credentials));
    expect(code, stderr).to.equal(1);
    const { error } = report<Refused>();
    expect(error).to.include({ code: 'ACCESS_DENIED' });
    expect(error.message).to.include('ListObjectsV2').and.include(stack.output('BucketName'));
    expect(error.hint).to.include('s3:ListBucket');
    expect(await keys()).to.deep.equal([]);
  });

  it('says which prefix it may not list, where DESTINATION names another than the stack', async () => {
    const bucket = stack.output('BucketName');
    const { code, report } = await run({ ...(await exporter()), DESTINATION: `s3://${bucket}/somewhere-else` });
    expect(code).to.equal(1);
    expect(report<Refused>().error).to.include({ code: 'ACCESS_DENIED' });
    expect(report<Refused>().error.message).to.include(`s3://${bucket}/somewhere-else`);
  });

  it('says that writing is not allowed to credentials that may only read', async () => {
    const arn = `arn:aws:s3:::${stack.output('BucketName')}`;
    const reading = { Effect: 'Allow', Action: ['s3:ListBucket', 's3:GetObject'], Resource: [arn, `${arn}/*`] };
    const { credentials } = await account.makeUser('reader', reading);
    const { code, stdout } = await runExport(simulator, stack, account.tlsUrl, keysIn(credentials));
    expect(code).to.equal(1);
    expect(stdout).to.include('ACCESS_DENIED').and.include('s3:PutObject');
  });

  it('is refused without TLS', async () => {
    const { code, stdout } = await runExport(simulator, stack, account.url, await exporter());
    expect(code).to.equal(1);
    expect(stdout).to.include('ACCESS_DENIED').and.include('bucket policy');
  });
});

describe('the program with a role that has no rights to the key', () => {
  it('names both rights (the answer is a copy of the one of S3, since no stand-in asks KMS)', async () => {
    const server = await startS3Server({ buckets: ['landing'], accessKey: 'AKIALANDING' });
    const simulator = await startSimulator({ eventsPerHour: 20 });
    server.faults.push({ operation: 'PutObject', fault: 'kms-access-denied' });
    const { code, report } = await runProgram(['export', '--json', ...RANGE], {
      ...settingsFor(simulator, server.url),
      DESTINATION: 's3://landing/amplitude',
      AWS_REGION: 'us-east-1',
      ...keysIn({ accessKeyId: 'AKIALANDING', secretAccessKey: 'secret' }),
    });
    await simulator.close();
    await server.close();
    expect(code).to.equal(1);
    const { failed } = report().hours;
    expect(failed.map((hour) => hour.code)).to.deep.equal(['KMS_KEY', 'KMS_KEY']);
    const rights = statementsOf('ExporterPolicy').flatMap(({ Action }) => Action);
    for (const right of rights.filter((action) => action.startsWith('kms:')))
      expect(failed[0]?.message).to.include(right);
    expect([...server.objects.keys()]).to.deep.equal([]);
  });
});
