import type { S3Settings } from '../../src/config/settings.ts';
import type { Destination, DestinationOptions } from '../../src/destination/destination.ts';
import { openDestination } from '../../src/destination/open.ts';
import { hearingLog, s3Settings } from './settings.ts';

type Options = Partial<Omit<DestinationOptions, 's3'>>;

/** Never aborts. */
const never = new AbortController().signal;

/** Below `p/` in the bucket `bucket` of a server. */
export function openBucket(
  { url }: { url: string },
  settings: Partial<S3Settings> = {},
  { prefix = 'p', ...options }: Options & { prefix?: string } = {},
): Destination {
  const s3 = s3Settings(url, settings);
  return openDestination(
    { kind: 's3', bucket: 'bucket', prefix },
    { s3, signal: never, log: hearingLog(), ...options },
  );
}

export function openFolder(folder: string, signal = never): Destination {
  return openDestination({ kind: 'file', folder }, { s3: s3Settings(''), signal, log: hearingLog() });
}
