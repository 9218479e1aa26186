import { type Answer, element, elements, S3Error, texts, xmlAnswer } from './answer.ts';
import { type Call, header, keptHeaders, type Store, type StoredObject } from './call.ts';

/** PutObject: the body is asked for only once everything that can be refused without it has been looked at. */
export async function putObject(call: Call, store: Store): Promise<Answer> {
  checkEncryption(call);
  checkConditions(call, store);
  const { body, size, md5, checksums } = await call.receive({ keep: store.keepBodies });
  checkConditions(call, store);
  const headers = { ...keptHeaders(call.headers), ...checksums };
  const object = { body, size, etag: `"${md5.toString('hex')}"`, headers, modifiedAt: new Date() };
  store.objects.set(`${call.bucket}/${call.key}`, object);
  return {
    status: 200,
    headers: { etag: object.etag, ...checksums, ...checksumType(checksums), ...encryption(headers) },
  };
}

/** GetObject and HeadObject: the same headers, with checksums where `x-amz-checksum-mode` asks for them. */
export async function getObject(call: Call, store: Store): Promise<Answer> {
  if (call.headers['if-match'] !== undefined) checkConditions(call, store);
  const object = existing(call, store);
  if (call.operation === 'GetObject' && object.body.length !== object.size) {
    throw new S3Error(501, 'NotImplemented', 'This server was started with keepBodies: false');
  }
  const range = readRange(header(call.headers, 'range'), object.size);
  const body = range === undefined ? object.body : object.body.subarray(range.first, range.last + 1);
  const shown = Object.entries(object.headers).filter(([name]) => !name.startsWith('x-amz-checksum-'));
  const checksums = Object.fromEntries(
    Object.entries(object.headers).filter(([name]) => name.startsWith('x-amz-checksum-')),
  );
  const asked = call.headers['x-amz-checksum-mode'] === 'ENABLED' && range === undefined;
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      'content-type': 'binary/octet-stream',
      ...Object.fromEntries(shown),
      ...(asked ? { ...checksums, ...checksumType(checksums) } : {}),
      ...(range === undefined ? {} : { 'content-range': `bytes ${range.first}-${range.last}/${object.size}` }),
      'accept-ranges': 'bytes',
      'content-length': String(range === undefined ? object.size : body.length),
      etag: object.etag,
      'last-modified': object.modifiedAt.toUTCString(),
    },
    body,
  };
}

/** DeleteObject: 204 whether the object was there or not. */
export async function deleteObject(call: Call, store: Store): Promise<Answer> {
  store.objects.delete(`${call.bucket}/${call.key}`);
  return { status: 204 };
}

/** DeleteObjects; a key that `refusal` has an error for is named in the answer and stays. */
export async function deleteObjects(
  call: Call,
  store: Store,
  refusal: (key: string) => S3Error | undefined,
): Promise<Answer> {
  const proof = Object.keys(call.headers).some((name) =>
    /^(content-md5|x-amz-checksum-(crc32|sha1|sha256))$/.test(name),
  );
  if (!proof) throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5');
  const xml = (await call.receive()).body.toString();
  const keys = elements(xml, 'Object').map((entry) => texts(entry, 'Key')[0]);
  if (keys.length === 0 || keys.length > 1000 || keys.includes(undefined)) {
    throw new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate.');
  }
  const quiet = texts(xml, 'Quiet')[0] === 'true';
  let result = '';
  for (const key of keys as string[]) {
    const error = refusal(key);
    if (error !== undefined) {
      result += `<Error>${element('Key', key)}${element('Code', error.code)}${element('Message', error.message)}</Error>`;
      continue;
    }
    store.objects.delete(`${call.bucket}/${key}`);
    if (!quiet) result += `<Deleted>${element('Key', key)}</Deleted>`;
  }
  return xmlAnswer('DeleteResult', result);
}

/** Throws 412 or 404 where `If-None-Match` or `If-Match` forbids writing. */
export function checkConditions(call: Call, store: Store): void {
  const there = store.objects.get(`${call.bucket}/${call.key}`);
  const absent = header(call.headers, 'if-none-match');
  const same = header(call.headers, 'if-match');
  if (absent !== undefined && absent !== '*') {
    throw new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented.');
  }
  if (same !== undefined && there === undefined)
    throw new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
  if ((absent === '*' && there !== undefined) || (same !== undefined && there?.etag !== same)) {
    throw new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
}

/** Throws where a KMS key is named without asking for encryption by KMS, as S3 does. */
export function checkEncryption(call: Call): void {
  const kind = header(call.headers, 'x-amz-server-side-encryption');
  if (kind !== undefined && !['AES256', 'aws:kms', 'aws:kms:dsse'].includes(kind)) {
    throw new S3Error(400, 'InvalidArgument', 'The encryption method specified is not supported');
  }
  if (call.headers['x-amz-server-side-encryption-aws-kms-key-id'] !== undefined && !kind?.startsWith('aws:kms')) {
    throw new S3Error(
      400,
      'InvalidArgument',
      'x-amz-server-side-encryption-aws-kms-key-id needs x-amz-server-side-encryption: aws:kms.',
    );
  }
}

/** The encryption headers that S3 repeats in its answers to writes. */
export function encryption(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('x-amz-server-side-encryption')),
  );
}

function checksumType(checksums: Readonly<Record<string, string>>): Record<string, string> {
  const there = Object.keys(checksums).length > 0 && checksums['x-amz-checksum-type'] === undefined;
  return there ? { 'x-amz-checksum-type': 'FULL_OBJECT' } : {};
}

function existing(call: Call, store: Store): StoredObject {
  const object = store.objects.get(`${call.bucket}/${call.key}`);
  if (object === undefined) throw new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
  return object;
}

function readRange(text: string | undefined, size: number): { first: number; last: number } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(text ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (first > last) throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable');
  return { first, last };
}
