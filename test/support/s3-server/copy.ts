import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Answer, element, S3Error, xmlAnswer } from './answer.ts';
import { crcHeader } from './body.ts';
import { type Call, header, keptHeaders, type Store, type StoredObject } from './call.ts';
import { checkConditions, checkEncryption, encryption } from './objects.ts';

/** S3 copies no more than this in one request. */
const LARGEST_COPY = 5 * 2 ** 30;

/** CopyObject. S3 itself reads the source, so it computes the checksum that is asked for. */
export async function copyObject(call: Call, store: Store): Promise<Answer> {
  checkEncryption(call);
  checkConditions(call, store);
  const source = sourceOf(call, store);
  if (source.size > LARGEST_COPY) {
    throw new S3Error(
      400,
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${LARGEST_COPY}`,
    );
  }
  if (source.body.length !== source.size) {
    throw new S3Error(501, 'NotImplemented', 'This server was started with keepBodies: false');
  }
  const replaces = header(call.headers, 'x-amz-metadata-directive') === 'REPLACE';
  const headers = { ...(replaces ? {} : source.headers), ...keptHeaders(call.headers), ...checksumOf(source, call) };
  const etag = `"${createHash('md5').update(source.body).digest('hex')}"`;
  const copied = { body: source.body, size: source.size, etag, headers, modifiedAt: new Date() };
  store.objects.set(`${call.bucket}/${call.key}`, copied);
  const crc = headers['x-amz-checksum-crc32'];
  const checksum = crc === undefined ? '' : element('ChecksumCRC32', crc) + element('ChecksumType', 'FULL_OBJECT');
  return xmlAnswer(
    'CopyObjectResult',
    element('LastModified', copied.modifiedAt.toISOString()) + element('ETag', etag) + checksum,
    encryption(headers),
  );
}

/** Throws where the source is not there, or is not the one that the conditions name. */
function sourceOf(call: Call, store: Store): StoredObject {
  const name = header(call.headers, 'x-amz-copy-source') ?? '';
  let path: string;
  try {
    path = decodeURIComponent(name.replace(/^\//, ''));
  } catch {
    throw new S3Error(400, 'InvalidArgument', 'Copy Source must mention the source bucket and key');
  }
  if (path === `${call.bucket}/${call.key}`) {
    throw new S3Error(400, 'InvalidRequest', 'This copy request is illegal: it copies an object to itself.');
  }
  // In a query, what follows a bare ? or + would be something else than a part of the key.
  if (/[?+#]|[^\x20-\x7e]/.test(name)) throw new S3Error(400, 'InvalidArgument', 'The copy source is not URL-encoded.');
  const source = store.objects.get(path);
  if (source === undefined) throw new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
  const same = header(call.headers, 'x-amz-copy-source-if-match');
  if (same !== undefined && same.replaceAll('"', '') !== source.etag.replaceAll('"', '')) {
    throw new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
  const since = Date.parse(header(call.headers, 'x-amz-copy-source-if-unmodified-since') ?? '');
  // As S3, in whole seconds.
  if (Math.floor(source.modifiedAt.getTime() / 1000) * 1000 > since) {
    throw new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
  return source;
}

/** The one that is asked for, or that of the source. */
function checksumOf(source: StoredObject, call: Call): Record<string, string> {
  const algorithm = header(call.headers, 'x-amz-checksum-algorithm');
  if (algorithm === undefined) return {};
  if (algorithm !== 'CRC32') throw new S3Error(501, 'NotImplemented', `Checksums by ${algorithm}`);
  return { 'x-amz-checksum-crc32': crcHeader(crc32(source.body)), 'x-amz-checksum-type': 'FULL_OBJECT' };
}
