import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DestinationAddress } from '../config.ts';

/** `s3://bucket/prefix`, `file:///folder` or a plain path. Throws a RangeError that says what is wrong. */
export function parseDestination(text: string): DestinationAddress {
  const s3 = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(text);
  if (s3 !== null) {
    const [, bucket = '', rest = ''] = s3;
    const prefix = rest.replace(/^\/+|\/+$/g, '');
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
      const shown = text.includes('@') ? 'what stands before the first /' : `"${bucket}"`;
      throw new RangeError(`${shown} cannot be the name of a bucket`);
    }
    if (prefix.split('/').some((part) => part === '.' || part === '..')) {
      throw new RangeError('the prefix must not contain . or ..');
    }
    return { kind: 's3', bucket, prefix };
  }
  if (text.startsWith('file:')) {
    const url = text.startsWith('file:///') ? URL.parse(text) : null;
    if (url === null) throw new RangeError('a folder is written file:///folder, with three slashes');
    return { kind: 'file', folder: fileURLToPath(url) };
  }
  // `s3:/bucket` would make a fine folder name, and the hours would be lost with the container.
  if (/^(s3:|[a-z][a-z0-9+.-]*:\/\/)/i.test(text)) {
    throw new RangeError('it must begin with s3:// or file:/// or be a path');
  }
  return { kind: 'file', folder: resolve(text) };
}

/** A URL as messages show it: a user name and password in it may be somebody's real ones. */
export function withoutUserinfo(text: string): string {
  return text.replace(/:\/\/.*@/s, '://[secret]@');
}
