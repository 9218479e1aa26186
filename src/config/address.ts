import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { localPath } from './path.ts';
import { isBucketName, keyPrefix, ValueError } from './readers.ts';

export type DestinationAddress =
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }
  | { readonly kind: 'file'; readonly folder: string };

/** Reads `s3://bucket/prefix`, `file:///folder` or a plain path. */
export function readDestination(text: string): DestinationAddress {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(text) ?? [];
  if (bucket !== undefined) {
    if (!isBucketName(bucket)) throw new ValueError('must have the name of a bucket between s3:// and the next /');
    return { kind: 's3', bucket, prefix: keyPrefix(prefix) };
  }
  const path = localPath(text.startsWith('file:') ? pathOfUrl(text) : text);
  // `s3:/bucket` would be a valid folder name, and the hours would be lost with the container.
  if (path === text && /^(s3:|[a-z][a-z0-9+.-]*:\/\/)/i.test(text)) {
    throw new ValueError('must begin with s3:// or file:/// or be a path');
  }
  return { kind: 'file', folder: resolve(path) };
}

/** As people write it, and as the destination calls itself. */
export function nameOf(address: DestinationAddress): string {
  return address.kind === 's3' ? `s3://${address.bucket}/${address.prefix}` : address.folder;
}

function pathOfUrl(text: string): string {
  if (!text.startsWith('file:///')) throw new ValueError('must be file:///folder, with three slashes');
  try {
    return fileURLToPath(text);
  } catch {
    throw new ValueError('must be a file URL without an encoded slash (%2F), and with a literal % as %25');
  }
}

/** The types of file systems on which the root of a container lies. An image that became a machine keeps /.dockerenv. */
const CONTAINER_ROOTS = ['overlay', 'aufs', 'fuse.fuse-overlayfs'];

/** Memory is lost with the container too. */
const MEMORY = ['tmpfs', 'ramfs'];

/** Whether a folder is inside a container and on none of its mounts. `mountinfo` is Linux's /proc/self/mountinfo. */
export function isLostWithContainer(folder: string, mountinfo: string): boolean {
  const types = new Map<string, string>();
  for (const line of mountinfo.split('\n')) {
    const [, point, type] = /^(?:\S+ ){4}(\S+) .*? - (\S+)/.exec(line) ?? [];
    // A later mount covers an earlier one.
    if (point !== undefined && type !== undefined) types.set(unescaped(point), type);
  }
  if (!CONTAINER_ROOTS.includes(types.get('/') ?? '')) return false;
  for (let path = folder; path !== '/' && path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    const type = types.get(path);
    if (type !== undefined) return MEMORY.includes(type);
  }
  return true;
}

function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
