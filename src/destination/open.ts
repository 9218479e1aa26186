import type { DestinationAddress } from '../config/settings.ts';
import type { Destination, DestinationOptions } from './destination.ts';
import { FileDestination } from './file.ts';

/** AWS's SDK takes longer to load than all the rest of the program, so only a bucket loads it. */
export async function openDestination(address: DestinationAddress, options: DestinationOptions): Promise<Destination> {
  if (address.kind === 'file') return new FileDestination(address.folder, options);
  const { S3Destination } = await import('./s3.ts');
  return new S3Destination(address, options);
}
