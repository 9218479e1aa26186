import { S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';
import type { Agents } from '../../network.ts';

export const MOST_SOCKETS = 128;

/** Hears the `Date` of each answer, whatever its status, and how long that answer took. */
export type DateListener = (date: string | undefined, tookMs: number) => void;

/**
 * A client of the store for `region`, or for the region of the SDK's chain, or for us-east-1. `checksums`: whether the store
 * is to be told them, which AWS's own AWS_REQUEST_CHECKSUM_CALCULATION and profiles turn off.
 */
export async function makeClient(
  settings: S3Settings,
  region: string | undefined,
  agents: Agents,
  onDate?: DateListener,
): Promise<{ client: S3Client; checksums: boolean }> {
  const { credentials, endpoint, maxAttempts } = settings;
  const requestHandler = {
    connectionTimeout: 10_000,
    socketTimeout: 60_000,
    httpsAgent: agents.https,
    httpAgent: agents.http,
  };
  const options = {
    ...(credentials === undefined ? {} : { credentials }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: addressingOf(settings) === 'path',
    // Other stores and their proxies often never answer it, and each upload waits for seconds.
    ...(isAws(endpoint) ? {} : { expectContinueHeader: false }),
    maxAttempts,
    // The SDK would print to the console that a stream cannot be sent twice; we send it twice ourselves.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    requestHandler,
    // The chain hands it to the clients that bring credentials (SSO, STS): they are behind the same proxy.
    clientConfig: { requestHandler },
  };
  let client = new S3Client({ ...options, ...(region === undefined ? {} : { region }) });
  try {
    await client.config.region();
  } catch {
    client.destroy();
    client = new S3Client({ ...options, region: 'us-east-1' });
  }
  const checksums = (await client.config.requestChecksumCalculation()) !== 'WHEN_REQUIRED';
  // Whichever it is, every checksum is ours: where none is told, the SDK must not add one by itself.
  client.config.requestChecksumCalculation = async () => 'WHEN_REQUIRED';
  if (onDate !== undefined) hear(client, onDate);
  return { client, checksums };
}

function hear(client: S3Client, onDate: DateListener): void {
  // The innermost place: the SDK corrects a wrong clock by itself, and only the answer tells that it did.
  client.middlewareStack.add(
    (next) => async (args) => {
      const started = performance.now();
      const result = await next(args);
      const { headers = {} } = result.response as { headers?: Record<string, string> };
      onDate(headers.date, performance.now() - started);
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
}

/** Where the bucket stands in the address: in its path, or in the name of the host. */
export function addressingOf({ endpoint, addressing }: S3Settings): 'path' | 'virtual' {
  return addressing ?? (endpoint === undefined ? 'virtual' : 'path');
}

/** AWS itself, whose dialect is known. */
export function isAws(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(URL.parse(endpoint)?.hostname ?? '');
}
