import { DecryptCommand, EncryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { needs } from '../../support/needs.ts';
import { Account, type User } from './account.ts';
import { OWNER, REGION, refusal, Stack } from './stack.ts';

const IN = 'amplitude/events/date=2026-03-04/hour=06/1_2026-03-04T06_0.1.9f1c22ab.json';
/** A folder whose name only begins as the prefix does. */
const OUT = 'amplitude-2/events/date=2026-03-04/hour=06/1_2026-03-04T06_0.1.9f1c22ab.json';

/** One call that each action is for, on a key. */
const CALLS: Record<string, (s3: S3Client, Bucket: string, Key: string, owner: S3Client) => Promise<unknown>> = {
  's3:ListBucket': (s3, Bucket, Key) =>
    s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key.slice(0, Key.indexOf('date=')) })),
  's3:GetObject': (s3, Bucket, Key) => s3.send(new GetObjectCommand({ Bucket, Key })),
  's3:GetObject, by HEAD': (s3, Bucket, Key) => s3.send(new HeadObjectCommand({ Bucket, Key })),
  's3:PutObject': (s3, Bucket, Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: '{}\n' })),
  's3:PutObject, if absent': async (s3, Bucket, Key, owner) => {
    await owner.send(new DeleteObjectCommand({ Bucket, Key }));
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: '{}\n', IfNoneMatch: '*' }));
  },
  's3:PutObject, if unchanged': async (s3, Bucket, Key, owner) => {
    const { ETag } = await owner.send(new HeadObjectCommand({ Bucket, Key }));
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: '{}\n', IfMatch: ETag }));
  },
  's3:PutObject, in parts': (s3, Bucket, Key) => s3.send(new CreateMultipartUploadCommand({ Bucket, Key })),
  's3:AbortMultipartUpload': async (s3, Bucket, Key, owner) => {
    const { UploadId } = await owner.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  },
  's3:DeleteObject': async (s3, Bucket, Key) => {
    const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }));
    for (const { Code = '' } of Errors) throw Object.assign(new Error(Code), { name: Code });
  },
};

describe('the exporter, where IAM is enforced', function () {
  this.timeout(60_000);
  let account: Account;
  let stack: Stack;
  let kestra: User;
  let exporter: S3Client;
  let owner: S3Client;
  let bucket: string;

  before(async function () {
    account = await Account.open(needs(this, 'AWS_TEST_MINISTACK_URL'));
    kestra = await account.makeUser('kestra');
    stack = new Stack(account.url);
    await stack.create({ ExporterPrincipalArn: kestra.arn });
    bucket = stack.output('BucketName');
    owner = account.s3(OWNER);
    exporter = account.s3(await account.assume(kestra.credentials, stack.output('ExporterRoleArn')));
  });
  beforeEach(async () => {
    for (const Key of [IN, OUT]) await owner.send(new PutObjectCommand({ Bucket: bucket, Key, Body: '{}\n' }));
  });
  after(async () => {
    stack?.close();
    await account?.close();
  });

  it('is a role that only the named principal takes on', async () => {
    const stranger = await account.makeUser('stranger');
    const role = stack.output('ExporterRoleArn');
    expect(await refusal(account.assume(stranger.credentials, role))).to.equal('AccessDenied');
    expect(await refusal(account.assume(kestra.credentials, role))).to.equal(undefined);
  });

  for (const [action, call] of Object.entries(CALLS)) {
    it(`${action}: allowed below the prefix, denied beside it`, async () => {
      expect(await refusal(call(exporter, bucket, IN, owner))).to.equal(undefined);
      expect(await refusal(call(exporter, bucket, OUT, owner))).to.equal('AccessDenied');
    });
  }

  it('cannot list the whole bucket', async () => {
    expect(await refusal(exporter.send(new ListObjectsV2Command({ Bucket: bucket })))).to.equal('AccessDenied');
  });

  it('cannot reach what it replaced, nor change the bucket', async () => {
    const { Versions = [] } = await owner.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: IN }));
    const VersionId = Versions[0]?.VersionId ?? '';
    expect(VersionId).not.to.equal('');
    const denied = {
      'list versions': () => exporter.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: IN })),
      'read a version': () => exporter.send(new GetObjectCommand({ Bucket: bucket, Key: IN, VersionId })),
      'delete a version': () => exporter.send(new DeleteObjectCommand({ Bucket: bucket, Key: IN, VersionId })),
      policy: () => exporter.send(new DeleteBucketPolicyCommand({ Bucket: bucket })),
      lifecycle: () =>
        exporter.send(
          new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules: [] } }),
        ),
      encryption: () =>
        exporter.send(
          new PutBucketEncryptionCommand({
            Bucket: bucket,
            ServerSideEncryptionConfiguration: {
              Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
            },
          }),
        ),
    };
    for (const [what, call] of Object.entries(denied)) expect(await refusal(call()), what).to.equal('AccessDenied');
  });

  it('is refused without TLS, and so is an administrator of S3', async () => {
    const credentials = await account.assume(kestra.credentials, stack.output('ExporterRoleArn'));
    const plain = account.s3(credentials, account.url);
    expect(await refusal(plain.send(new GetObjectCommand({ Bucket: bucket, Key: IN })))).to.equal('AccessDenied');
    const admin = await account.makeUser('admin', { Effect: 'Allow', Action: 's3:*', Resource: '*' });
    const read = (s3: S3Client) => refusal(s3.send(new GetObjectCommand({ Bucket: bucket, Key: OUT })));
    expect(await read(account.s3(admin.credentials, account.url))).to.equal('AccessDenied');
    expect(await read(account.s3(admin.credentials))).to.equal(undefined);
  });

  it('loses at once what it was given, when the role is revoked', async () => {
    const leaked = new Stack(account.url);
    await leaked.create({ ExporterPrincipalArn: kestra.arn });
    const role = leaked.output('ExporterRoleArn');
    const s3 = account.s3(await account.assume(kestra.credentials, role));
    const list = () => s3.send(new ListObjectsV2Command({ Bucket: leaked.output('BucketName'), Prefix: 'amplitude/' }));
    expect(await refusal(list())).to.equal(undefined);
    await account.revoke(role);
    expect(await refusal(list())).to.equal('AccessDenied');
    leaked.close();
  });

  describe('and the key', () => {
    const KeySpec = 'AES_256';
    let key: string;
    let otherKey: string;

    before(async () => {
      key = stack.output('KeyArn');
      const other = new Stack(account.url);
      await other.create();
      otherKey = other.output('KeyArn');
      other.close();
    });

    it('cannot use it directly, only S3 can for it', async () => {
      const kms = account.kms(await account.assume(kestra.credentials, stack.output('ExporterRoleArn')));
      const { CiphertextBlob } = await account.kms(OWNER).send(new GenerateDataKeyCommand({ KeyId: key, KeySpec }));
      for (const call of [
        () => kms.send(new GenerateDataKeyCommand({ KeyId: key, KeySpec })),
        () => kms.send(new DecryptCommand({ KeyId: key, CiphertextBlob })),
      ]) {
        expect(await refusal(call())).to.match(/^AccessDenied/);
      }
    });

    it('may do with it what S3 asks in its name, and only with this one', async () => {
      // No stand-in asks KMS when it stores an object. So the statement is met by hand, as S3 in our region would.
      const statements = await account.statementsOf(stack.output('ExporterPolicyArn'));
      const [{ Condition, ...throughS3 } = {}] = statements.filter(({ Sid }) => Sid === 'KeyThroughS3');
      expect(Condition).to.deep.equal({ StringEquals: { 'kms:ViaService': `s3.${REGION}.amazonaws.com` } });
      const kms = account.kms((await account.makeUser('s3', throughS3)).credentials);
      const { CiphertextBlob } = await kms.send(new GenerateDataKeyCommand({ KeyId: key, KeySpec }));
      expect(await refusal(kms.send(new DecryptCommand({ KeyId: key, CiphertextBlob })))).to.equal(undefined);

      const foreign = await account.kms(OWNER).send(new GenerateDataKeyCommand({ KeyId: otherKey, KeySpec }));
      for (const [what, call] of Object.entries({
        GenerateDataKey: () => kms.send(new GenerateDataKeyCommand({ KeyId: otherKey, KeySpec })),
        Decrypt: () => kms.send(new DecryptCommand({ KeyId: otherKey, CiphertextBlob: foreign.CiphertextBlob })),
        Encrypt: () => kms.send(new EncryptCommand({ KeyId: key, Plaintext: Buffer.from('x') })),
      })) {
        expect(await refusal(call()), what).to.match(/^AccessDenied/);
      }
    });
  });
});
