import { createHash, randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Answer, element, elements, S3Error, texts, xmlAnswer } from './answer.ts';
import { crcHeader } from './body.ts';
import { type Call, header, keptHeaders, type Part, type Store, type Upload } from './call.ts';
import { checkConditions, checkEncryption, encryption } from './objects.ts';

/** CreateMultipartUpload; a CRC-32 may be asked for over the whole object (`FULL_OBJECT`) or part by part. */
export async function createUpload(call: Call, store: Store): Promise<Answer> {
  checkEncryption(call);
  const algorithm = header(call.headers, 'x-amz-checksum-algorithm');
  if (algorithm !== undefined && algorithm !== 'CRC32')
    throw new S3Error(501, 'NotImplemented', `Checksums by ${algorithm}`);
  const checksumType =
    header(call.headers, 'x-amz-checksum-type') ?? (algorithm === undefined ? undefined : 'COMPOSITE');
  const { bucket, key } = call;
  const id = randomUUID();
  const headers = keptHeaders(call.headers);
  store.uploads.set(id, { id, bucket, key, headers, algorithm, checksumType, parts: new Map() });
  const told: Record<string, string> = { ...encryption(headers) };
  if (algorithm !== undefined) told['x-amz-checksum-algorithm'] = algorithm;
  if (checksumType !== undefined) told['x-amz-checksum-type'] = checksumType;
  const content = element('Bucket', bucket) + element('Key', key) + element('UploadId', id);
  return xmlAnswer('InitiateMultipartUploadResult', content, told);
}

export async function uploadPart(call: Call, store: Store): Promise<Answer> {
  const upload = openUpload(call, store);
  const number = Number(call.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new S3Error(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  const { body, md5, checksums } = await call.receive();
  openUpload(call, store);
  const etag = `"${md5.toString('hex')}"`;
  upload.parts.set(number, { body, etag });
  return { status: 200, headers: { etag, ...checksums } };
}

/** CompleteMultipartUpload: order, tags and sizes of the parts, then the checksum of all of them joined. */
export async function completeUpload(call: Call, store: Store): Promise<Answer> {
  const upload = openUpload(call, store);
  checkConditions(call, store);
  const xml = (await call.receive()).body.toString();
  const parts = namedParts(xml, upload, store.minPartBytes);
  const body = Buffer.concat(parts.map((part) => part.body));
  const size = header(call.headers, 'x-amz-mp-object-size');
  if (size !== undefined && Number(size) !== body.length) {
    throw new S3Error(
      400,
      'InvalidRequest',
      'The provided x-amz-mp-object-size does not match the size of the object.',
    );
  }
  const told = header(call.headers, 'x-amz-checksum-crc32');
  const type = header(call.headers, 'x-amz-checksum-type');
  if (type !== undefined && type !== upload.checksumType) {
    throw new S3Error(
      400,
      'InvalidRequest',
      `The upload was created with the checksum type ${upload.checksumType}, not ${type}.`,
    );
  }
  const crc = crcHeader(crc32(body));
  if (told !== undefined && upload.checksumType === 'FULL_OBJECT' && told !== crc) {
    throw new S3Error(400, 'BadDigest', 'The CRC32 you specified did not match the calculated checksum.');
  }
  checkConditions(call, store);
  const full =
    upload.checksumType === 'FULL_OBJECT' ? { 'x-amz-checksum-crc32': crc, 'x-amz-checksum-type': 'FULL_OBJECT' } : {};
  const tags = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag.slice(1, -1), 'hex')));
  const etag = `"${createHash('md5').update(tags).digest('hex')}-${parts.length}"`;
  const kept = store.keepBodies ? body : Buffer.alloc(0);
  const object = {
    body: kept,
    size: body.length,
    etag,
    headers: { ...upload.headers, ...full },
    modifiedAt: new Date(),
  };
  store.objects.set(`${call.bucket}/${call.key}`, object);
  store.uploads.delete(upload.id);
  const content = [
    element('Location', `/${call.bucket}/${call.key}`),
    element('Bucket', call.bucket),
    element('Key', call.key),
    element('ETag', etag),
    ...(upload.checksumType === 'FULL_OBJECT'
      ? [element('ChecksumCRC32', crc), element('ChecksumType', 'FULL_OBJECT')]
      : []),
  ];
  return xmlAnswer('CompleteMultipartUploadResult', content.join(''), encryption(upload.headers));
}

export async function abortUpload(call: Call, store: Store): Promise<Answer> {
  store.uploads.delete(openUpload(call, store).id);
  return { status: 204 };
}

function openUpload(call: Call, store: Store): Upload {
  const upload = store.uploads.get(call.query.get('uploadId') ?? '');
  if (upload === undefined || upload.bucket !== call.bucket || upload.key !== call.key) {
    throw new S3Error(
      404,
      'NoSuchUpload',
      'The specified upload does not exist. It may have been aborted or completed.',
    );
  }
  return upload;
}

function namedParts(xml: string, upload: Upload, minPartBytes: number): Part[] {
  const named = elements(xml, 'Part').map((entry) => ({
    number: Number(texts(entry, 'PartNumber')[0]),
    etag: `"${(texts(entry, 'ETag')[0] ?? '').replaceAll('"', '')}"`,
    checksum: texts(entry, 'ChecksumCRC32')[0],
  }));
  if (named.length === 0) throw new S3Error(400, 'MalformedXML', 'You must specify at least one part');
  if (named.some(({ number }, i) => number <= (named[i - 1]?.number ?? 0))) {
    throw new S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  return named.map(({ number, etag, checksum }, i) => {
    const part = upload.parts.get(number);
    if (part === undefined || part.etag !== etag) {
      throw new S3Error(400, 'InvalidPart', `Part ${number} could not be found, or its entity tag differs.`);
    }
    if (checksum === undefined ? upload.checksumType === 'COMPOSITE' : checksum !== crcHeader(crc32(part.body))) {
      throw new S3Error(400, 'InvalidPart', `The checksum of part ${number} is missing or differs.`);
    }
    if (i < named.length - 1 && part.body.length < minPartBytes) {
      throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
    }
    return part;
  });
}
