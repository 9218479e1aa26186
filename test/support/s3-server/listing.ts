import { type Answer, element, escapeXml, S3Error, xmlAnswer } from './answer.ts';
import type { Call, Store } from './call.ts';

/** ListObjectsV2: prefix, delimiter, start-after, max-keys, continuation-token and encoding-type. */
export async function listObjects(call: Call, store: Store): Promise<Answer> {
  const { query } = call;
  const asked = (name: string) => query.get(name) ?? '';
  const most = readMaxKeys(query.get('max-keys'));
  const token = query.get('continuation-token');
  const after = token === null ? asked('start-after') : readToken(token);
  const write = keyWriter(query);
  const delimiter = asked('delimiter');

  const entries: string[] = [];
  const groups = new Set<string>();
  let last = '';
  let truncated = false;
  for (const key of sortedKeys(store, call.bucket, asked('prefix'))) {
    const group = groupOf(key, asked('prefix'), delimiter);
    const passed = inUtf8Order(group ?? key, after) <= 0 || (group !== undefined && groups.has(group));
    if (passed) continue;
    if (entries.length + groups.size >= most) {
      truncated = most > 0;
      break;
    }
    last = group ?? key;
    if (group !== undefined) groups.add(group);
    else entries.push(describe(key, store, call.bucket, write));
  }
  return xmlAnswer(
    'ListBucketResult',
    [
      element('Name', call.bucket),
      `<Prefix>${write(asked('prefix'))}</Prefix>`,
      ...(query.has('start-after') ? [`<StartAfter>${write(asked('start-after'))}</StartAfter>`] : []),
      ...(token === null ? [] : [element('ContinuationToken', token)]),
      ...(truncated ? [element('NextContinuationToken', Buffer.from(last).toString('base64url'))] : []),
      element('KeyCount', entries.length + groups.size),
      element('MaxKeys', most),
      ...(delimiter === '' ? [] : [`<Delimiter>${write(delimiter)}</Delimiter>`]),
      ...(query.get('encoding-type') === 'url' ? [element('EncodingType', 'url')] : []),
      element('IsTruncated', truncated),
      ...entries,
      ...[...groups].map((group) => `<CommonPrefixes><Prefix>${write(group)}</Prefix></CommonPrefixes>`),
    ].join(''),
  );
}

function describe(key: string, store: Store, bucket: string, write: (key: string) => string): string {
  const object = store.objects.get(`${bucket}/${key}`);
  if (object === undefined) return '';
  const algorithms = Object.keys(object.headers)
    .map((name) => /^x-amz-checksum-(?!type$)(.+)$/.exec(name)?.[1]?.toUpperCase())
    .filter((name) => name !== undefined);
  return [
    `<Contents><Key>${write(key)}</Key>`,
    element('LastModified', object.modifiedAt.toISOString()),
    element('ETag', object.etag),
    ...algorithms.map((name) => element('ChecksumAlgorithm', name)),
    element('Size', object.size),
    element('StorageClass', object.headers['x-amz-storage-class'] ?? 'STANDARD'),
    '</Contents>',
  ].join('');
}

function sortedKeys(store: Store, bucket: string, prefix: string): string[] {
  const start = `${bucket}/`;
  const keys = [...store.objects.keys()]
    .filter((name) => name.startsWith(start + prefix))
    .map((name) => name.slice(start.length));
  return keys.sort(inUtf8Order);
}

/** S3 orders keys by their UTF-8 bytes, which differs from JavaScript's order beyond the basic plane. */
function inUtf8Order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined;
  const end = key.indexOf(delimiter, prefix.length);
  return end === -1 ? undefined : key.slice(0, end + delimiter.length);
}

function readMaxKeys(text: string | null): number {
  if (text === null) return 1000;
  if (!/^\d+$/.test(text))
    throw new S3Error(400, 'InvalidArgument', 'Provided max-keys not an integer or within integer range');
  return Math.min(Number(text), 1000);
}

function readToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString();
  if (key === '' || Buffer.from(key).toString('base64url') !== token) {
    throw new S3Error(400, 'InvalidArgument', 'The continuation token provided is incorrect');
  }
  return key;
}

function keyWriter(query: URLSearchParams): (key: string) => string {
  if (query.get('encoding-type') !== 'url') return escapeXml;
  const hex = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return (key) =>
    encodeURIComponent(key)
      .replaceAll('%2F', '/')
      .replaceAll('%20', '+')
      .replace(/[!'()~]/g, hex);
}
