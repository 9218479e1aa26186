import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { S3Error } from './answer.ts';
import { header, type Received } from './call.ts';

const CRC32 = 'x-amz-checksum-crc32';
const UNSIGNED = 'UNSIGNED-PAYLOAD';

/** Refuses what can be refused before the first byte of the body: lengths and checksums that are missing or malformed. */
export function checkAnnounced(headers: IncomingHttpHeaders): void {
  const sha256 = header(headers, 'x-amz-content-sha256');
  if (sha256 === undefined) throw invalid('Missing required header for this request: x-amz-content-sha256');
  if (sha256 !== UNSIGNED && !/^[0-9a-f]{64}$/.test(sha256)) throw notImplemented(`x-amz-content-sha256 ${sha256}`);
  if (announcedLength(headers) === undefined) {
    throw new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  for (const name of Object.keys(headers)) {
    if (/^x-amz-checksum-(?!crc32$|type$|mode$|algorithm$)/.test(name)) throw notImplemented(name);
  }
  const crc = header(headers, CRC32);
  if (crc === undefined && headers['x-amz-sdk-checksum-algorithm'] !== undefined) {
    throw invalid('x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* header was found.');
  }
  if (crc !== undefined && Buffer.from(crc, 'base64').length !== 4) {
    throw invalid(`Value for ${CRC32} header is invalid.`);
  }
  const md5 = header(headers, 'content-md5');
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) {
    throw new S3Error(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
  }
}

/** The number of bytes that the object is announced to have; undefined where the request does not say. */
export function announcedLength(headers: IncomingHttpHeaders): number | undefined {
  const text = header(headers, 'content-length') ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * Reads a body to its end and compares it with its announced length, MD5, SHA-256 and CRC-32.
 * Throws an S3Error for the first one that differs; nothing of such a body is to be stored.
 */
export async function receiveBody(
  request: IncomingMessage,
  headers: IncomingHttpHeaders,
  keep: boolean,
): Promise<Received> {
  const chunks: Buffer[] = [];
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  const payload = header(headers, 'x-amz-content-sha256') ?? UNSIGNED;
  let crc = 0;
  let size = 0;
  // The default iterator would destroy the connection where the body is refused half way, and the answer with it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    crc = crc32(chunk, crc);
    md5.update(chunk);
    if (payload !== UNSIGNED) sha256.update(chunk);
    if (keep) chunks.push(chunk);
  }
  const announced = announcedLength(headers);
  if (announced !== undefined && size !== announced) {
    const counts = `${announced} announced, ${size} received`;
    throw new S3Error(400, 'IncompleteBody', `The body has not the bytes of the Content-Length header: ${counts}.`);
  }
  const told = header(headers, CRC32);
  if (told !== undefined && told !== crcHeader(crc)) {
    throw new S3Error(400, 'BadDigest', 'The CRC32 you specified did not match the calculated checksum.');
  }
  if (payload !== UNSIGNED && payload !== sha256.digest('hex')) {
    const message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    throw new S3Error(400, 'XAmzContentSHA256Mismatch', message);
  }
  const digest = md5.digest();
  if (headers['content-md5'] !== undefined && headers['content-md5'] !== digest.toString('base64')) {
    throw new S3Error(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
  return { body: Buffer.concat(chunks), size, md5: digest, checksums: told === undefined ? {} : { [CRC32]: told } };
}

/** A CRC-32 as S3 writes it in headers: four bytes, highest first, in base64. */
export function crcHeader(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString('base64');
}

function invalid(message: string): S3Error {
  return new S3Error(400, 'InvalidRequest', message);
}

function notImplemented(what: string): S3Error {
  return new S3Error(501, 'NotImplemented', `${what} is not implemented here`);
}
