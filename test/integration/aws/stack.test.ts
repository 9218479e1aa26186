import { GetRoleCommand, IAMClient, ListAccessKeysCommand } from '@aws-sdk/client-iam';
import { DescribeKeyCommand, GetKeyRotationStatusCommand, type KMSClient } from '@aws-sdk/client-kms';
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { needs } from '../../support/needs.ts';
import { Account } from './account.ts';
import { clientOf, OWNER, refusal, Stack } from './stack.ts';

describe('the template on ministack', function () {
  this.timeout(60_000);
  let account: Account;
  let iam: IAMClient;
  let kms: KMSClient;
  let s3: S3Client;
  let stack: Stack;

  before(async function () {
    account = await Account.open(needs(this, 'AWS_TEST_MINISTACK_URL'));
    iam = new IAMClient(clientOf(account.url, OWNER));
    kms = account.kms(OWNER);
    s3 = account.s3(OWNER);
  });
  beforeEach(() => {
    stack = new Stack(account.url);
  });
  afterEach(() => stack.close());
  after(async () => {
    iam?.destroy();
    await account?.close();
  });

  it('has a key that rotates and an alias that leads to it', async () => {
    await stack.create();
    const KeyId = stack.output('KeyArn');
    expect(await kms.send(new GetKeyRotationStatusCommand({ KeyId }))).to.include({ KeyRotationEnabled: true });
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: `alias/${stack.name}` }));
    expect(KeyMetadata?.Arn).to.equal(KeyId);
  });

  it('has a bucket with versions that nobody can open to the world', async () => {
    await stack.create();
    const Bucket = stack.output('BucketName');
    expect(await s3.send(new GetBucketVersioningCommand({ Bucket }))).to.include({ Status: 'Enabled' });
    const { PublicAccessBlockConfiguration } = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
    expect(Object.values(PublicAccessBlockConfiguration ?? {})).to.deep.equal([true, true, true, true]);
  });

  it('makes a user instead of the role where that is asked for, without an access key', async () => {
    await stack.create({ ExporterIdentity: 'user' });
    const keys = await iam.send(new ListAccessKeysCommand({ UserName: stack.output('ExporterUserName') }));
    expect(keys.AccessKeyMetadata).to.deep.equal([]);
    expect(stack.outputs).not.to.have.property('ExporterRoleArn');
  });

  it('refuses a prefix with a wildcard and a class that has to be restored first', async () => {
    expect(await refusal(stack.create({ Prefix: 'amplitude/*' }))).to.equal('ValidationError');
    expect(await refusal(stack.create({ CheaperClass: 'DEEP_ARCHIVE' }))).to.equal('ValidationError');
    expect(await refusal(stack.create({ CheaperClass: 'GLACIER_IR', CheaperClassAfterDays: '7' }))).to.equal(
      'ValidationError',
    );
  });

  it('leaves bucket, policy and key behind when it is deleted, and takes the identities with it', async () => {
    const { arn } = await account.makeUser('snowflake');
    await stack.create({ SnowflakeUserArn: arn, SnowflakeExternalId: 'external-id' });
    await stack.delete();
    const Bucket = stack.output('BucketName');
    expect(await refusal(s3.send(new GetBucketVersioningCommand({ Bucket })))).to.equal(undefined);
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).to.include('TlsOnly');
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: stack.output('KeyArn') }));
    expect(KeyMetadata?.KeyState).to.equal('Enabled');
    for (const output of ['ExporterRoleArn', 'SnowflakeRoleArn']) {
      const RoleName = stack.output(output).split('/').at(-1);
      expect(await refusal(iam.send(new GetRoleCommand({ RoleName }))), output).to.match(/^NoSuchEntity/);
    }
  });

  it('takes back the bucket and the key of a deleted stack by an import', async () => {
    await stack.create();
    const [Bucket, key] = [stack.output('BucketName'), stack.output('KeyArn')];
    await s3.send(new PutObjectCommand({ Bucket, Key: 'amplitude/manifests/kept.json', Body: '{}' }));
    await stack.delete();

    const next = new Stack(account.url);
    expect(await refusal(next.create({ BucketName: Bucket }))).to.equal('Error');
    await next.delete();

    const again = new Stack(account.url);
    await again.import(Bucket, key);
    await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
    await again.update({ BucketName: Bucket });
    expect([again.output('BucketName'), again.output('KeyArn')]).to.deep.equal([Bucket, key]);
    expect(again.outputs).to.include.keys('ExporterRoleArn');
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).to.include('TlsOnly');
    await s3.send(new HeadObjectCommand({ Bucket, Key: 'amplitude/manifests/kept.json' }));
    for (const one of [next, again]) one.close();
  });
});
