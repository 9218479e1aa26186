import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { S3Error } from './answer.ts';
import { decodeAwsChunked } from './aws-chunked.ts';
import { header } from './call.ts';

/** A request's body, complete and verified against everything that the request says of it. */
export interface Received {
  readonly body: Buffer;
  readonly size: number;
  readonly md5: Buffer;
  /** The checksum headers to keep and to send back, as S3 does. */
  readonly checksums: Readonly<Record<string, string>>;
}

const CHECKSUM_BYTES: Readonly<Record<string, number>> = {
  'x-amz-checksum-crc32': 4,
  'x-amz-checksum-sha1': 20,
  'x-amz-checksum-sha256': 32,
};

const UNSIGNED = new Set(['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']);

/** Refuses what can be refused before the first byte of the body: lengths and checksums that are missing or malformed. */
export function checkAnnounced(headers: IncomingHttpHeaders): void {
  const sha256 = header(headers, 'x-amz-content-sha256');
  if (sha256 === undefined) {
    throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  if (!UNSIGNED.has(sha256) && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new S3Error(501, 'NotImplemented', `x-amz-content-sha256 ${sha256} is not implemented here`);
  }
  if (announcedLength(headers) === undefined) {
    throw new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const sent = Object.keys(headers).filter((name) => /^x-amz-checksum-(?!type$|mode$|algorithm$)/.test(name));
  const trailers = trailerNames(headers);
  for (const name of [...sent, ...trailers]) {
    if (CHECKSUM_BYTES[name] === undefined) throw new S3Error(501, 'NotImplemented', `${name} is not implemented here`);
  }
  if (sent.length + trailers.length > 1) {
    throw new S3Error(400, 'InvalidRequest', 'Expecting a single x-amz-checksum- header.');
  }
  if (headers['x-amz-sdk-checksum-algorithm'] !== undefined && sent.length + trailers.length === 0) {
    throw new S3Error(
      400,
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  for (const name of sent) checkForm(name, header(headers, name) ?? '');
  const md5 = header(headers, 'content-md5');
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) {
    throw new S3Error(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
  }
}

/** The number of bytes that the object is announced to have; undefined where the request does not say. */
export function announcedLength(headers: IncomingHttpHeaders): number | undefined {
  const name = isAwsChunked(headers) ? 'x-amz-decoded-content-length' : 'content-length';
  const text = header(headers, name);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * Reads a body to its end and holds it against its announced length, MD5, SHA-256 and checksum.
 * Throws an S3Error on the first that differs; nothing of such a body is to be stored.
 */
export async function receiveBody(
  request: IncomingMessage,
  headers: IncomingHttpHeaders,
  keep: boolean,
): Promise<Received> {
  const trailers = new Map<string, string>();
  // The default iterator would destroy the connection where the body is refused half way, and the answer with it.
  const source: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  const bytes = isAwsChunked(headers) ? decodeAwsChunked(source, trailers) : source;
  const chunks: Buffer[] = [];
  const md5 = createHash('md5');
  const sha1 = createHash('sha1');
  const sha256 = createHash('sha256');
  const wanted = new Set([...Object.keys(headers), ...trailerNames(headers)]);
  const payload = header(headers, 'x-amz-content-sha256') ?? '';
  const hashed = wanted.has('x-amz-checksum-sha256') || !UNSIGNED.has(payload);
  let crc = 0;
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    crc = crc32(chunk, crc);
    md5.update(chunk);
    if (wanted.has('x-amz-checksum-sha1')) sha1.update(chunk);
    if (hashed) sha256.update(chunk);
    if (keep) chunks.push(chunk);
  }
  const announced = announcedLength(headers);
  if (announced !== undefined && size !== announced) {
    throw new S3Error(
      400,
      'IncompleteBody',
      `You did not provide the number of bytes specified by the Content-Length HTTP header: ${announced} announced, ${size} received.`,
    );
  }
  const digests: Record<string, string> = {
    'x-amz-checksum-crc32': crcHeader(crc),
    'x-amz-checksum-sha1': sha1.digest('base64'),
    'x-amz-checksum-sha256': sha256.digest('base64'),
  };
  const checksums = compare(headers, trailers, digests);
  if (!UNSIGNED.has(payload) && Buffer.from(payload, 'hex').toString('base64') !== digests['x-amz-checksum-sha256']) {
    throw new S3Error(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  const digest = md5.digest();
  if (headers['content-md5'] !== undefined && headers['content-md5'] !== digest.toString('base64')) {
    throw new S3Error(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
  return { body: Buffer.concat(chunks), size, md5: digest, checksums };
}

/** A CRC-32 as S3 writes it in headers: four bytes, highest first, in base64. */
export function crcHeader(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString('base64');
}

function compare(
  headers: IncomingHttpHeaders,
  trailers: ReadonlyMap<string, string>,
  digests: Readonly<Record<string, string>>,
): Record<string, string> {
  const checksums: Record<string, string> = {};
  for (const name of trailerNames(headers)) {
    if (!trailers.has(name)) throw new S3Error(400, 'MalformedTrailerError', `The trailer ${name} did not come.`);
    checkForm(name, trailers.get(name) ?? '');
  }
  for (const name of Object.keys(CHECKSUM_BYTES)) {
    const told = trailers.get(name) ?? header(headers, name);
    if (told === undefined) continue;
    if (told !== digests[name]) {
      const algorithm = name.slice('x-amz-checksum-'.length).toUpperCase();
      throw new S3Error(400, 'BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
    }
    checksums[name] = told;
  }
  return checksums;
}

function checkForm(name: string, value: string): void {
  if (Buffer.from(value, 'base64').length !== CHECKSUM_BYTES[name]) {
    throw new S3Error(400, 'InvalidRequest', `Value for ${name} header is invalid.`);
  }
}

function isAwsChunked(headers: IncomingHttpHeaders): boolean {
  return header(headers, 'x-amz-content-sha256') === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
}

function trailerNames(headers: IncomingHttpHeaders): string[] {
  return (header(headers, 'x-amz-trailer') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean);
}
