import type { DestinationAddress, S3Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';
import type { Destination } from './destination.ts';
import { openFileDestination } from './file.ts';
import type { DateListener } from './s3/client.ts';
import { openS3Destination } from './s3.ts';

export interface DestinationOptions {
  readonly s3: S3Settings;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** A folder has no clock of its own. */
  readonly onDate?: DateListener;
  /** One PUT up to this size (S3's own limit: 5 GiB), parts of `partBytes` above. A test lowers it. */
  readonly multipart?: {
    readonly aboveBytes: number;
    readonly partBytes: number;
  };
}

export function openDestination(address: DestinationAddress, options: DestinationOptions): Destination {
  return address.kind === 's3' ? openS3Destination(address, options) : openFileDestination(address.folder, options);
}
