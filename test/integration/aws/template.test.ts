// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are for CloudFormation to fill in
import { expect } from 'chai';
import { resource, statementsOf, TEMPLATE, template } from './template.ts';

const bucket = resource('Bucket').Properties;
const actionsOf = (policy: string) =>
  statementsOf(policy)
    .flatMap(({ Action }) => Action)
    .sort();
const pattern = (parameter: string) => new RegExp(template.Parameters[parameter]?.AllowedPattern ?? '$.');

/** What no stand-in applies through CloudFormation is held here, on the template itself. */
describe('the template', () => {
  it('makes a bucket that nobody can open to the world, and whose objects it owns', () => {
    expect(bucket.PublicAccessBlockConfiguration).to.deep.equal({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
    expect(bucket.OwnershipControls).to.deep.equal({ Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] });
  });

  it('encrypts with its own key, which rotates, and asks KMS once for many objects', () => {
    expect(bucket.BucketEncryption.ServerSideEncryptionConfiguration).to.deep.equal([
      {
        BucketKeyEnabled: true,
        ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: { 'Fn::GetAtt': 'Key.Arn' } },
      },
    ]);
    expect(resource('Key').Properties).to.include({ EnableKeyRotation: true });
  });

  it('keeps replaced versions for days only, and no parts of unfinished uploads', () => {
    const [unfinished, replaced] = bucket.LifecycleConfiguration.Rules;
    expect(unfinished).to.deep.include({
      Status: 'Enabled',
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    });
    expect(replaced).to.deep.include({
      Status: 'Enabled',
      NoncurrentVersionExpiration: { NoncurrentDays: { Ref: 'ReplacedVersionsDays' } },
      ExpiredObjectDeleteMarker: true,
    });
    for (const rule of [unfinished, replaced]) expect(rule).not.to.have.any.keys('Prefix', 'Filter');
    expect(bucket.VersioningConfiguration).to.deep.equal({ Status: 'Enabled' });
  });

  it('moves events, and only those, to a cheaper class where that is asked for', () => {
    const [, , move] = bucket.LifecycleConfiguration.Rules;
    const [condition, rule, otherwise] = move['Fn::If'];
    expect([condition, otherwise]).to.deep.equal(['MovesToCheaperClass', { Ref: 'AWS::NoValue' }]);
    expect(rule).to.deep.include({ Status: 'Enabled', Prefix: { 'Fn::Sub': '${Prefix}/events/' } });
    expect(template.Parameters.CheaperClass).to.deep.include({
      Default: 'none',
      AllowedValues: ['none', 'INTELLIGENT_TIERING', 'STANDARD_IA', 'GLACIER_IR'],
    });
  });

  it('keeps bucket, policy and key when the stack goes, and leaves nothing when it never came', () => {
    for (const name of ['Bucket', 'BucketPolicy', 'Key']) {
      expect(resource(name), name).to.include({
        DeletionPolicy: 'RetainExceptOnCreate',
        UpdateReplacePolicy: 'Retain',
      });
    }
  });

  it('gives exactly the actions that the tests allow and deny', () => {
    expect(actionsOf('ExporterPolicy')).to.deep.equal([
      'kms:Decrypt',
      'kms:GenerateDataKey',
      's3:AbortMultipartUpload',
      's3:DeleteObject',
      's3:GetObject',
      's3:ListBucket',
      's3:PutObject',
    ]);
    expect(actionsOf('SnowflakeRole')).to.deep.equal([
      'kms:Decrypt',
      's3:GetBucketLocation',
      's3:GetObject',
      's3:GetObjectVersion',
      's3:ListBucket',
    ]);
  });

  it("reads, as Snowflake, from the two folders of the integration's allowed locations", () => {
    const folders = [{ 'Fn::Sub': '${Prefix}/events/*' }, { 'Fn::Sub': '${Prefix}/manifests/*' }];
    const [list] = statementsOf('SnowflakeRole').filter(({ Action }) => Action === 's3:ListBucket');
    expect(list?.Condition).to.deep.equal({ StringLike: { 's3:prefix': folders } });
    const [read] = statementsOf('SnowflakeRole').filter(({ Action }) => Action.includes('s3:GetObject'));
    expect(read?.Resource).to.deep.equal(
      folders.map((folder) => ({ 'Fn::Sub': `\${Bucket.Arn}/${folder['Fn::Sub']}` })),
    );
  });

  it("names Snowflake's role after the stack, so that its ARN is known beforehand", () => {
    expect(resource('SnowflakeRole')).to.include({ Condition: 'SnowflakeNamed' });
    expect(resource('SnowflakeRole').Properties.RoleName).to.deep.equal({ 'Fn::Sub': '${AWS::StackName}-snowflake' });
  });

  it('lets the key be used through S3 only', () => {
    for (const policy of ['ExporterPolicy', 'SnowflakeRole']) {
      const [ofKey] = statementsOf(policy).filter(({ Action }) => [Action].flat().some((of) => of.startsWith('kms:')));
      expect(ofKey, policy).to.deep.include({
        Resource: { 'Fn::GetAtt': 'Key.Arn' },
        Condition: { StringEquals: { 'kms:ViaService': { 'Fn::Sub': 's3.${AWS::Region}.amazonaws.com' } } },
      });
    }
  });

  it('makes no access key and tells no secret', () => {
    const types = Object.values(template.Resources).map(({ Type }) => Type);
    expect(types).not.to.include('AWS::IAM::AccessKey');
    expect(TEMPLATE).not.to.match(/SecretAccessKey|AKIA/);
  });

  it('takes no name that would mean more in a policy than in a key', () => {
    const prefix = pattern('Prefix');
    for (const good of ['amplitude', 'raw/amplitude', 'project=100011471']) expect(good).to.match(prefix);
    for (const bad of ['', '/amplitude', 'amplitude/', 'a//b', '*', 'a?', '${aws:username}']) {
      expect(bad).not.to.match(prefix);
    }
    const principal = pattern('SnowflakeUserArn');
    expect('arn:aws:iam::123456789012:user/abc1-b-self1234').to.match(principal);
    for (const bad of ['*', 'arn:aws:iam::123456789012:root', 'arn:aws:iam::123456789012:user/*']) {
      expect(bad).not.to.match(principal);
      expect(bad).not.to.match(pattern('ExporterPrincipalArn'));
    }
  });
});
