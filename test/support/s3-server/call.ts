import type { IncomingHttpHeaders } from 'node:http';

/** A request's body, complete, and proved to be what the request says of it. */
export interface Received {
  readonly body: Buffer;
  readonly size: number;
  readonly md5: Buffer;
  /** The checksum headers to keep and to send back, as S3 does. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** One request as the operations see it: path-style bucket and key taken apart, the body not read yet. */
export interface Call {
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Asks for the body (`100 Continue` where the client waits for it), reads and verifies it. */
  receive(options?: { keep?: boolean }): Promise<Received>;
}

export interface StoredObject {
  /** Empty where the server was started with `keepBodies: false`. */
  readonly body: Buffer;
  readonly size: number;
  readonly etag: string;
  /** The headers that S3 keeps with an object: type, encoding, encryption, user metadata, checksums. */
  readonly headers: Readonly<Record<string, string>>;
  readonly modifiedAt: Date;
}

export interface Part {
  readonly body: Buffer;
  readonly etag: string;
}

export interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly algorithm: string | undefined;
  readonly checksumType: string | undefined;
  readonly parts: Map<number, Part>;
}

export interface Store {
  readonly buckets: ReadonlySet<string>;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
  readonly region: string;
  readonly minPartBytes: number;
  readonly keepBodies: boolean;
}

/** The name of the S3 operation that a method, a path and a query stand for. */
export function operationOf(method: string, key: string, query: URLSearchParams, headers: IncomingHttpHeaders): string {
  const asked = (name: string) => query.has(name);
  if (key === '') {
    if (method === 'HEAD') return 'HeadBucket';
    if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
    if (method === 'POST' && asked('delete')) return 'DeleteObjects';
    return 'Unknown';
  }
  const copies = headers['x-amz-copy-source'] !== undefined;
  if (method === 'PUT' && asked('partNumber') && asked('uploadId')) return copies ? 'UploadPartCopy' : 'UploadPart';
  if (method === 'PUT' && copies) return 'CopyObject';
  if (method === 'PUT') return 'PutObject';
  if (method === 'POST' && asked('uploads')) return 'CreateMultipartUpload';
  if (method === 'POST' && asked('uploadId')) return 'CompleteMultipartUpload';
  if (method === 'DELETE') return asked('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
  if (method === 'HEAD') return 'HeadObject';
  if (method === 'GET') return 'GetObject';
  return 'Unknown';
}

/** The one value of a header, undefined where it was not sent. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

const KEPT =
  /^(content-type|content-encoding|cache-control|content-disposition|content-language|x-amz-meta-.+|x-amz-storage-class|x-amz-server-side-encryption.*)$/;

/** The headers of a request that stay with the object. */
export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = { 'x-amz-server-side-encryption': 'AES256' };
  for (const [name, value] of Object.entries(headers)) if (KEPT.test(name)) kept[name] = String(value);
  return kept;
}
