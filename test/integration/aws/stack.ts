import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CloudFormationClient,
  CreateChangeSetCommand,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  ExecuteChangeSetCommand,
  UpdateStackCommand,
  waitUntilChangeSetCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { TEMPLATE } from './template.ts';

export const REGION = 'eu-central-1';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The owner of the account, as both stand-ins know him. */
export const OWNER: Credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

export const clientOf = (endpoint: string, credentials: Credentials) => ({
  endpoint,
  credentials,
  region: REGION,
  maxAttempts: 1,
});

/** Random, since the stand-ins keep what earlier runs made. */
export const uniqueName = (what: string) => `${what}-${randomBytes(4).toString('hex')}`;

type Parameters = Readonly<Record<string, string>>;

/** The template as a stack on a stand-in, deployed the way that the AWS CLI does it. */
export class Stack {
  readonly name = uniqueName('landing');
  readonly #client: CloudFormationClient;
  outputs: Readonly<Record<string, string>> = {};
  id = '';

  constructor(url: string) {
    this.#client = new CloudFormationClient(clientOf(url, OWNER));
  }

  async create(parameters: Parameters = {}): Promise<void> {
    await this.#client.send(new CreateStackCommand(this.#input(parameters)));
    await this.#settled('CREATE_COMPLETE');
  }

  async update(parameters: Parameters): Promise<void> {
    await this.#client.send(new UpdateStackCommand(this.#input(parameters)));
    await this.#settled('UPDATE_COMPLETE');
  }

  async delete(): Promise<void> {
    await this.#client.send(new DeleteStackCommand({ StackName: this.name }));
    await this.#settled('DELETE_COMPLETE');
  }

  /** As infra/aws/README.md takes back the bucket and the key that a deleted stack left. */
  async import(BucketName: string, keyArn: string): Promise<void> {
    const changeSet = { StackName: this.name, ChangeSetName: 'import' };
    const [, KeyId = ''] = keyArn.split('/');
    const DeletionPolicy = 'Retain';
    await this.#client.send(
      new CreateChangeSetCommand({
        ...changeSet,
        ChangeSetType: 'IMPORT',
        TemplateBody: JSON.stringify({
          Resources: {
            Key: { Type: 'AWS::KMS::Key', DeletionPolicy },
            Bucket: { Type: 'AWS::S3::Bucket', DeletionPolicy, Properties: { BucketName } },
          },
        }),
        ResourcesToImport: [
          { ResourceType: 'AWS::KMS::Key', LogicalResourceId: 'Key', ResourceIdentifier: { KeyId } },
          { ResourceType: 'AWS::S3::Bucket', LogicalResourceId: 'Bucket', ResourceIdentifier: { BucketName } },
        ],
      }),
    );
    await waitUntilChangeSetCreateComplete({ client: this.#client, minDelay: 1, maxWaitTime: 10 }, changeSet);
    await this.#client.send(new ExecuteChangeSetCommand(changeSet));
    await this.#settled('IMPORT_COMPLETE');
  }

  /** What an output says; an absent one is a failure. */
  output(key: string): string {
    const value = this.outputs[key];
    if (value === undefined) throw new Error(`the stack has no output ${key}`);
    return value;
  }

  close(): void {
    this.#client.destroy();
  }

  #input(parameters: Parameters) {
    return {
      StackName: this.name,
      TemplateBody: TEMPLATE,
      Capabilities: ['CAPABILITY_NAMED_IAM' as const],
      Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
        ParameterKey,
        ParameterValue,
      })),
    };
  }

  async #settled(wanted: string): Promise<void> {
    for (let i = 0; i < 100; i++) {
      const { Stacks = [] } = await this.#client
        .send(new DescribeStacksCommand({ StackName: this.id === '' ? this.name : this.id }))
        .catch((error: Error) => {
          // A stand-in may forget a stack once it is deleted.
          if (wanted === 'DELETE_COMPLETE' && /does not exist/.test(error.message)) return { Stacks: [] };
          throw error;
        });
      const [stack] = Stacks;
      if (stack === undefined) return;
      this.id = stack.StackId ?? '';
      this.outputs = Object.fromEntries(
        (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
      );
      if (stack.StackStatus === wanted) return;
      if (!stack.StackStatus?.endsWith('_IN_PROGRESS')) {
        throw new Error(`${stack.StackStatus}: ${stack.StackStatusReason}`);
      }
      await pause(100);
    }
    throw new Error(`${this.name} did not come to ${wanted}`);
  }
}

/** The name of what AWS refused a call with, or undefined where it did not. */
export async function refusal(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    // The answer to a HEAD has no body that could name it.
    return name === 'Unknown' && $metadata?.httpStatusCode === 403 ? 'AccessDenied' : name;
  }
}
