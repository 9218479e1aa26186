import { IAMClient, ListAccessKeysCommand } from '@aws-sdk/client-iam';
import { GetBucketEncryptionCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { runExport } from './program.ts';
import { clientOf, OWNER, REGION, Stack } from './stack.ts';

/** moto applies the bucket's encryption, and to what is put there too; it lets anybody do anything. */
describe('the template on moto', function () {
  this.timeout(60_000);
  let url: string;
  let stack: Stack;
  let s3: S3Client;
  let simulator: Simulator;

  before(async function () {
    url = needs(this, 'AWS_TEST_MOTO_URL');
    s3 = new S3Client({ ...clientOf(url, OWNER), forcePathStyle: true });
    simulator = await startSimulator({ eventsPerHour: 20 });
    stack = new Stack(url);
    await stack.create();
  });
  after(async () => {
    stack?.close();
    s3?.destroy();
    await simulator?.close();
  });

  it('says where the hours land, in the lines of .env', () => {
    const bucket = stack.output('BucketName');
    expect(stack.output('EnvLines')).to.equal(`DESTINATION=s3://${bucket}/amplitude\nAWS_REGION=${REGION}`);
  });

  it('encrypts what the program lands with its key, without any setting', async () => {
    const Bucket = stack.output('BucketName');
    const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    expect(ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault).to.deep.equal({
      SSEAlgorithm: 'aws:kms',
      KMSMasterKeyID: stack.output('KeyArn'),
    });
    const { code, stderr } = await runExport(simulator, stack, url, {
      AWS_ACCESS_KEY_ID: OWNER.accessKeyId,
      AWS_SECRET_ACCESS_KEY: OWNER.secretAccessKey,
    });
    expect(code, stderr).to.equal(0);
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
    expect(Contents.filter(({ Key = '' }) => Key.startsWith('amplitude/manifests/'))).to.have.length(2);
    for (const { Key = '' } of Contents) {
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
      expect(head, Key).to.include({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: stack.output('KeyArn') });
    }
  });

  it('makes a user instead of the role where that is asked for, without an access key', async () => {
    const other = new Stack(url);
    await other.create({ ExporterIdentity: 'user', BucketName: `${other.name}-bucket`, Prefix: 'raw/amplitude' });
    other.close();
    const iam = new IAMClient(clientOf(url, OWNER));
    const keys = await iam.send(new ListAccessKeysCommand({ UserName: other.output('ExporterUserName') }));
    iam.destroy();
    expect(keys.AccessKeyMetadata).to.deep.equal([]);
    expect(other.outputs).not.to.have.property('ExporterRoleArn');
    expect(other.output('EnvLines')).to.include(`DESTINATION=s3://${other.name}-bucket/raw/amplitude\n`);
  });
});
