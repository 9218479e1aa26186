import type { DestinationAddress, S3Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';
import type { Destination } from './destination.ts';
import { FileDestination } from './file.ts';
import type { DateListener } from './s3/client.ts';
import { S3Destination } from './s3.ts';

export interface DestinationOptions {
  readonly s3: S3Settings;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** A folder has no clock of its own. */
  readonly onDate?: DateListener;
  /** Up to `aboveBytes` an object is one PUT, above that it goes in parts of `partBytes`. A test lowers both. */
  readonly multipart?: { readonly aboveBytes: number; readonly partBytes: number };
}

export function openDestination(address: DestinationAddress, options: DestinationOptions): Destination {
  return address.kind === 's3' ? new S3Destination(address, options) : new FileDestination(address.folder, options);
}
