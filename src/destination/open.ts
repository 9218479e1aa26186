import type { DestinationAddress } from '../config/settings.ts';
import type { Destination, DestinationOptions } from './destination.ts';
import { FileDestination } from './file.ts';
import { S3Destination } from './s3.ts';

export function openDestination(address: DestinationAddress, options: DestinationOptions): Destination {
  return address.kind === 's3' ? new S3Destination(address, options) : new FileDestination(address.folder, options);
}
