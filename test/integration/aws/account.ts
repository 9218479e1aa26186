import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { type Credentials, clientOf, OWNER, uniqueName } from './stack.ts';
import type { Statement } from './template.ts';
import { openTlsFront, type TlsFront } from './tls-front.ts';

export interface User {
  readonly name: string;
  readonly arn: string;
  readonly credentials: Credentials;
}

/** Given to everybody, so that the role's trust alone decides. */
const MAY_ASSUME = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' };

/** An AWS account on a stand-in that enforces IAM: users, roles, and clients that act as them. */
export class Account {
  readonly url: string;
  readonly #front: TlsFront;
  readonly #iam: IAMClient;
  readonly #clients: { destroy(): void }[] = [];

  private constructor(url: string, owner: Credentials, front: TlsFront) {
    this.url = url;
    this.#front = front;
    this.#iam = this.#kept(new IAMClient(clientOf(url, owner)));
  }

  static async open(url: string, owner = OWNER): Promise<Account> {
    return new Account(url, owner, await openTlsFront(url));
  }

  /** Where S3 is taken to be reached by TLS; `url` itself is plain HTTP. */
  get tlsUrl(): string {
    return this.#front.url;
  }

  async makeUser(what: string, ...policy: object[]): Promise<User> {
    const UserName = uniqueName(what);
    const { User } = await this.#iam.send(new CreateUserCommand({ UserName }));
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [MAY_ASSUME, ...policy] });
    await this.#iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'test', PolicyDocument }));
    return { name: UserName, arn: User?.Arn ?? '', credentials: await this.makeAccessKey(UserName) };
  }

  async makeAccessKey(UserName: string): Promise<Credentials> {
    const { AccessKey } = await this.#iam.send(new CreateAccessKeyCommand({ UserName }));
    return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  }

  async assume(as: Credentials, RoleArn: string, ExternalId?: string): Promise<Credentials> {
    const sts = this.#kept(new STSClient(clientOf(this.url, as)));
    const { Credentials: given } = await sts.send(
      new AssumeRoleCommand({ RoleArn, RoleSessionName: 'test', ...(ExternalId === undefined ? {} : { ExternalId }) }),
    );
    return {
      accessKeyId: given?.AccessKeyId ?? '',
      secretAccessKey: given?.SecretAccessKey ?? '',
      sessionToken: given?.SessionToken ?? '',
    };
  }

  /** As infra/aws/README.md ends all sessions of a role at once. */
  async revoke(roleArn: string): Promise<void> {
    const Statement = [{ Effect: 'Deny', Action: '*', Resource: '*' }];
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
    const RoleName = roleArn.split('/').at(-1);
    await this.#iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'revoked', PolicyDocument }));
  }

  /** A policy as it was deployed, every name filled in. */
  async statementsOf(PolicyArn: string): Promise<Statement[]> {
    const { Policy } = await this.#iam.send(new GetPolicyCommand({ PolicyArn }));
    const { PolicyVersion } = await this.#iam.send(
      new GetPolicyVersionCommand({ PolicyArn, VersionId: Policy?.DefaultVersionId ?? 'v1' }),
    );
    return JSON.parse(decodeURIComponent(PolicyVersion?.Document ?? '{}')).Statement;
  }

  /** The policy inside a role, as it was deployed. */
  async inlineStatementsOf(roleArn: string, PolicyName: string): Promise<Statement[]> {
    const RoleName = roleArn.split('/').at(-1);
    const { PolicyDocument } = await this.#iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    return JSON.parse(decodeURIComponent(PolicyDocument ?? '{}')).Statement;
  }

  s3(as: Credentials, url = this.tlsUrl): S3Client {
    return this.#kept(new S3Client({ ...clientOf(url, as), forcePathStyle: true }));
  }

  kms(as: Credentials): KMSClient {
    return this.#kept(new KMSClient(clientOf(this.url, as)));
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.#front.close();
  }

  #kept<T extends { destroy(): void }>(client: T): T {
    this.#clients.push(client);
    return client;
  }
}
