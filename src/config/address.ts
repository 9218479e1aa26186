import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Redact } from '../redaction.ts';
import { isLostWithContainer } from './container.ts';
import { type Found, missing } from './names.ts';
import { isPath, localPath, PathError } from './path.ts';
import type { DestinationAddress } from './settings.ts';
import { VARIABLES, type VariableName } from './variables.ts';

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
    return { kind: 'file', folder: resolve(localPath(fileURLToPath(url))) };
  }
  const folder = resolve(localPath(text));
  // `s3:/bucket` would make a fine folder name, and the hours would be lost with the container.
  if (/^(s3:|[a-z][a-z0-9+.-]*:\/\/)/i.test(text)) {
    throw new RangeError('it must begin with s3:// or file:/// or be a path');
  }
  return { kind: 'file', folder };
}

/** A URL as messages show it, with its scheme or without: what stands before its last @ may be somebody's password. */
export function withoutUserinfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1[secret]@');
}

interface Given {
  readonly found: ReadonlyMap<VariableName, Found>;
  readonly unusable: ReadonlySet<VariableName>;
  readonly get: (name: VariableName) => string | undefined;
  readonly unknown: readonly { name: string; meant: string }[];
  readonly redact: Redact;
  /** /proc/self/mountinfo; empty where there is none. */
  readonly mounts: string;
}

/** Where the hours land, of DESTINATION or else of S3_BUCKET and `prefix`. */
export function readDestination(
  given: Given,
  prefix: string,
  problems: string[],
  warnings: string[],
): DestinationAddress {
  const { found, unusable, get, redact } = given;
  const text = get('DESTINATION');
  if (text === undefined) {
    const bucket = get('S3_BUCKET');
    if (bucket !== undefined) return { kind: 's3', bucket, prefix };
    if (!found.has('S3_BUCKET') && !unusable.has('S3_BUCKET') && !unusable.has('DESTINATION')) {
      problems.push(
        `DESTINATION is not set, for example s3://my-bucket/amplitude; ${missing('S3_BUCKET', given.unknown)}`,
      );
    }
    return { kind: 'file', folder: '' };
  }
  const shown = isPath(text) ? redact(text) : withoutUserinfo(redact(text));
  try {
    const address = parseDestination(text);
    warnings.push(...beaten(address, given, shown));
    if (address.kind === 'file' && isLostWithContainer(address.folder, given.mounts)) {
      warnings.push(
        `DESTINATION is "${shown}", which is inside the container and is lost with it (docker run --rm): mount a folder there, for example -v "$PWD/data:/data" with DESTINATION=/data.`,
      );
    }
    return address;
  } catch (error) {
    // The reason quotes a part of the value, which may be a part of the secret.
    const ofPath = error instanceof PathError;
    const reason = ofPath ? `it ${error.message}` : (error as Error).message;
    const why = redact(text) === text ? reason : 'it holds a secret of another setting';
    const example = ofPath ? '/data' : VARIABLES.DESTINATION.example;
    problems.push(`DESTINATION is "${shown}": ${why}, for example ${example}.`);
    return { kind: 'file', folder: '' };
  }
}

/** What DESTINATION beats without being the same place; a prefix that is only the default says nothing. */
function beaten(address: DestinationAddress, { found, get, redact }: Given, shown: string): string[] {
  const [bucket, prefix] = [get('S3_BUCKET'), found.has('S3_PREFIX') ? get('S3_PREFIX') : undefined];
  const same =
    address.kind === 's3' &&
    (bucket === undefined || bucket === address.bucket) &&
    (prefix === undefined || prefix === address.prefix);
  if (same || (bucket ?? prefix) === undefined) return [];
  const set = (['S3_BUCKET', 'S3_PREFIX'] as const).flatMap((name) => found.get(name) ?? []);
  const names = set.map(({ name, value }) => `${name}=${redact(value)}`).join(' and ');
  return [`DESTINATION=${shown} is used, and ${names} is not: leave one of them out.`];
}
