import type { S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import { agentsFor } from '../../network.ts';
import type { DestinationOptions } from '../destination.ts';
import { NoCredentials } from './errors.ts';

const MOST_SOCKETS = 128;

/** A client for `region`, or for the region that the SDK finds, or for us-east-1. */
export async function makeClient(
  { s3, onDate, idleMs = 60_000 }: Pick<DestinationOptions, 's3' | 'onDate' | 'idleMs'>,
  region: string | undefined,
): Promise<S3Client> {
  const { credentials, endpoint, maxAttempts, proxyEnv } = s3;
  const agents = agentsFor(proxyEnv, MOST_SOCKETS);
  const requestHandler = {
    connectionTimeout: 10_000,
    socketTimeout: idleMs,
    httpsAgent: agents.https,
    httpAgent: agents.http,
  };
  const options = {
    ...(credentials === undefined ? {} : { credentials }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: addressingOf(s3) === 'path',
    // Other stores and their proxies often never answer it, and each upload would wait for seconds.
    ...(isAws(endpoint) ? {} : { expectContinueHeader: false }),
    maxAttempts,
    // The SDK would warn on the console that it cannot send a stream twice. We send it again ourselves.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    requestHandler,
    // For the clients that fetch credentials (SSO, STS): they are behind the same proxy.
    clientConfig: { requestHandler },
  };
  const sdk = await import('@aws-sdk/client-s3');
  let client = new sdk.S3Client({ ...options, ...(region === undefined ? {} : { region }) });
  try {
    await client.config.region();
  } catch {
    client.destroy();
    client = new sdk.S3Client({ ...options, region: 'us-east-1' });
  }
  const { config, middlewareStack } = client;
  middlewareStack.add(
    (next) => async (args) => {
      await config.credentials().catch((cause: unknown) => {
        throw new NoCredentials('the AWS SDK found no credentials', { cause });
      });
      return await next(args);
    },
    { step: 'initialize' },
  );
  // The innermost step: the SDK corrects a wrong clock by itself, and only the answer shows that it did.
  middlewareStack.add(
    (next) => async (args) => {
      const started = performance.now();
      const result = await next(args);
      const { headers = {} } = result.response as { headers?: Record<string, string> };
      onDate?.(headers.date, performance.now() - started);
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  return client;
}

/** Where the bucket is in the address: in the path, or in the host name. */
export function addressingOf({ endpoint, addressing }: S3Settings): 'path' | 'virtual' {
  return addressing ?? (endpoint === undefined ? 'virtual' : 'path');
}

/** AWS itself, which supports everything. */
export function isAws(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(URL.parse(endpoint)?.hostname ?? '');
}
