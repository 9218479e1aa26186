import { DecryptCommand, EncryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { needs } from '../../support/needs.ts';
import { Account, type User } from './account.ts';
import { type Credentials, OWNER, REGION, refusal, Stack, uniqueName } from './stack.ts';

const HOUR = 'date=2026-03-04/hour=06';
const IN = [`amplitude/events/${HOUR}/part-0.json`, `amplitude/manifests/${HOUR}.json`];
/** Quarantine, and a folder whose name only begins as the prefix does. */
const OUT = [`amplitude/quarantine/${HOUR}/part-0.jsonl`, `amplitude-2/manifests/${HOUR}.json`];
const EXTERNAL_ID = 'AB12345_SFCRole=2_k7QmL+/x=';

describe("Snowflake's reader, where IAM is enforced", function () {
  this.timeout(60_000);
  let account: Account;
  let snowflakes: Account;
  let stack: Stack;
  let owner: S3Client;
  let bucket: string;
  let role: string;
  let snowflake: User;
  let credentials: Credentials;
  let reader: S3Client;

  before(async function () {
    const url = needs(this, 'AWS_TEST_MINISTACK_URL');
    account = await Account.open(url);
    // Snowflake's users live in an AWS account of Snowflake's own.
    snowflakes = await Account.open(url, { accessKeyId: '999988887777', secretAccessKey: 'test' });
    snowflake = await snowflakes.makeUser('snowflake');
    // Snowflake names its user first. So one deployment is enough.
    stack = new Stack(account.url);
    await stack.create({ SnowflakeUserArn: snowflake.arn, SnowflakeExternalId: EXTERNAL_ID });
    bucket = stack.output('BucketName');
    role = stack.output('SnowflakeRoleArn');
    owner = account.s3(OWNER);
    for (const Key of [...IN, ...OUT]) await owner.send(new PutObjectCommand({ Bucket: bucket, Key, Body: '{}\n' }));
    credentials = await assume(snowflake, EXTERNAL_ID);
    reader = account.s3(credentials);
  });
  after(async () => {
    stack?.close();
    await account?.close();
    await snowflakes?.close();
  });

  const assume = (who: User, externalId?: string) => account.assume(who.credentials, role, externalId);

  it('has the ARN that the integration was given beforehand', () => {
    expect(role).to.match(new RegExp(`^arn:aws:iam::\\d{12}:role/${stack.name}-snowflake$`));
  });

  it('trusts exactly the user that Snowflake named, with exactly this external id', async () => {
    for (const id of [undefined, '0000', EXTERNAL_ID.toLowerCase(), `${EXTERNAL_ID}x`, stack.id]) {
      expect(await refusal(assume(snowflake, id)), id).to.equal('AccessDenied');
    }
    // Another customer of Snowflake's has a user in the same account of theirs.
    const other = await snowflakes.makeUser('snowflake');
    expect(await refusal(assume(other, EXTERNAL_ID))).to.equal('AccessDenied');
    expect(await refusal(assume(await account.makeUser('own'), EXTERNAL_ID))).to.equal('AccessDenied');
  });

  it('refuses half of what Snowflake names', async () => {
    const half = new Stack(account.url);
    expect(await refusal(half.create({ SnowflakeUserArn: snowflake.arn }))).to.equal('ValidationError');
    expect(await refusal(half.create({ SnowflakeExternalId: EXTERNAL_ID }))).to.equal('ValidationError');
    half.close();
  });

  it('comes with an update, takes a new external id, and goes again', async () => {
    const later = new Stack(account.url);
    await later.create();
    expect(later.outputs).not.to.have.property('SnowflakeRoleArn');
    const arn = role.replace(stack.name, later.name);
    const tryWith = (id: string) => refusal(account.assume(snowflake.credentials, arn, id));
    expect(await tryWith(EXTERNAL_ID)).to.equal('AccessDenied');

    await later.update({ SnowflakeUserArn: snowflake.arn, SnowflakeExternalId: EXTERNAL_ID });
    expect(later.output('SnowflakeRoleArn')).to.equal(arn);
    expect(await tryWith(EXTERNAL_ID)).to.equal(undefined);

    await later.update({ SnowflakeUserArn: snowflake.arn, SnowflakeExternalId: 'rotated' });
    expect(await tryWith(EXTERNAL_ID)).to.equal('AccessDenied');
    expect(await tryWith('rotated')).to.equal(undefined);

    await later.update({ SnowflakeUserArn: '', SnowflakeExternalId: '' });
    expect(later.outputs).not.to.have.property('SnowflakeRoleArn');
    expect(await tryWith('rotated')).to.equal('AccessDenied');
    later.close();
  });

  it('s3:GetBucketLocation: allowed for this bucket, denied for another', async () => {
    const another = uniqueName('another');
    await owner.send(new CreateBucketCommand({ Bucket: another }));
    const locate = (Bucket: string) => refusal(reader.send(new GetBucketLocationCommand({ Bucket })));
    expect(await locate(bucket)).to.equal(undefined);
    expect(await locate(another)).to.equal('AccessDenied');
  });

  it('s3:ListBucket: allowed in events/ and manifests/, denied in quarantine/, at the root and beside the prefix', async () => {
    const list = (Prefix?: string) =>
      refusal(reader.send(new ListObjectsV2Command({ Bucket: bucket, ...(Prefix === undefined ? {} : { Prefix }) })));
    for (const folder of ['amplitude/events/', 'amplitude/manifests/', ...IN]) {
      expect(await list(folder), folder).to.equal(undefined);
    }
    for (const folder of [undefined, '', 'amplitude', 'amplitude/', 'amplitude/quarantine/', ...OUT]) {
      expect(await list(folder), folder).to.equal('AccessDenied');
    }
  });

  it('s3:GetObject and s3:GetObjectVersion: allowed in events/ and manifests/, denied elsewhere', async () => {
    const read = async (Key: string, version: boolean) => {
      const { Versions = [] } = await owner.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: Key }));
      const VersionId = Versions[0]?.VersionId;
      expect(VersionId).to.be.a('string');
      return await refusal(
        reader.send(new GetObjectCommand({ Bucket: bucket, Key, ...(version ? { VersionId } : {}) })),
      );
    };
    for (const version of [false, true]) {
      for (const key of IN) expect(await read(key, version), key).to.equal(undefined);
      for (const key of OUT) expect(await read(key, version), key).to.equal('AccessDenied');
    }
  });

  it('writes and deletes nothing', async () => {
    for (const Key of [...IN, ...OUT]) {
      expect(await refusal(reader.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })))).to.equal(
        'AccessDenied',
      );
      expect(await refusal(reader.send(new DeleteObjectCommand({ Bucket: bucket, Key })))).to.equal('AccessDenied');
    }
  });

  it('is refused without TLS', async () => {
    const plain = account.s3(credentials, account.url);
    expect(await refusal(plain.send(new GetObjectCommand({ Bucket: bucket, Key: IN[0] })))).to.equal('AccessDenied');
  });

  it('kms:Decrypt: allowed where S3 asks in its name, denied directly, and nothing else', async () => {
    const KeyId = stack.output('KeyArn');
    const made = await account.kms(OWNER).send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    const decrypt = new DecryptCommand({ KeyId, CiphertextBlob: made.CiphertextBlob });
    expect(await refusal(account.kms(credentials).send(decrypt))).to.match(/^AccessDenied/);

    // No stand-in asks KMS when it reads an object. So the statement is met by hand, as S3 in our region would.
    const statements = await account.inlineStatementsOf(role, 'read');
    const [{ Condition, ...throughS3 } = {}] = statements.filter(({ Sid }) => Sid === 'KeyThroughS3');
    expect(Condition).to.deep.equal({ StringEquals: { 'kms:ViaService': `s3.${REGION}.amazonaws.com` } });
    const kms = account.kms((await account.makeUser('s3', throughS3)).credentials);
    expect(await refusal(kms.send(decrypt))).to.equal(undefined);
    for (const [what, call] of Object.entries({
      GenerateDataKey: () => kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' })),
      Encrypt: () => kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') })),
    })) {
      expect(await refusal(call()), what).to.match(/^AccessDenied/);
    }
  });
});
