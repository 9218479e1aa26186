import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, S3Error } from './answer.ts';

/**
 * What is to go wrong: on which operation and key, with which header (every one where not said), how often (always where
 * not said).
 */
export interface Fault {
  operation?: string;
  key?: RegExp;
  header?: RegExp;
  times?: number;
  fault: FaultName;
}

/** The first fault that fits and has times left; taking it uses one of them up. */
export function takeFault(
  faults: Fault[],
  { operation, key, headers }: { operation: string; key: string; headers: IncomingHttpHeaders },
): FaultName | undefined {
  const fits = (fault: Fault) =>
    (fault.operation === undefined || fault.operation === operation) &&
    (fault.key === undefined || key.search(fault.key) !== -1) &&
    (fault.header === undefined || Object.keys(headers).some((name) => name.search(fault.header ?? '') !== -1)) &&
    fault.times !== 0;
  const found = faults.find(fits);
  if (found?.times !== undefined) found.times -= 1;
  return found?.fault;
}

/** The region that a bucket turns out to be in when the fault is `wrong-region`. */
export const OTHER_REGION = 'eu-west-1';

export const noSuchBucket = () => new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');

export const clockSkew = () =>
  new S3Error(
    403,
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
  );

/** 301: the bucket is in another region than the one that the request was signed for. */
export const permanentRedirect = (region: string) =>
  new S3Error(
    301,
    'PermanentRedirect',
    'The bucket you are attempting to access must be addressed using the specified endpoint.',
    { 'x-amz-bucket-region': region },
  );

/** 307: the bucket is new, and DNS does not know yet that it is elsewhere. */
export const temporaryRedirect = (region: string) =>
  new S3Error(
    307,
    'TemporaryRedirect',
    'Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.',
    { location: `https://bucket.s3-${region}.amazonaws.com/` },
  );

/** Faults that are refusals, in S3's words. */
const REFUSALS = {
  'access-denied': new S3Error(403, 'AccessDenied', 'Access Denied'),
  'no-such-bucket': noSuchBucket(),
  'clock-skew': clockSkew(),
  'wrong-region': permanentRedirect(OTHER_REGION),
  'temporary-redirect': temporaryRedirect(OTHER_REGION),
  'bad-digest': new S3Error(400, 'BadDigest', 'The CRC32 you specified did not match the calculated checksum.'),
  'slow-down': new S3Error(503, 'SlowDown', 'Please reduce your request rate.'),
  'internal-error': new S3Error(500, 'InternalError', 'We encountered an internal error. Please try again.'),
  'kms-access-denied': new S3Error(
    403,
    'AccessDenied',
    'User: arn:aws:iam::111122223333:user/export is not authorized to perform: kms:GenerateDataKey on this resource because no identity-based policy allows the kms:GenerateDataKey action',
  ),
  'not-implemented': new S3Error(
    501,
    'NotImplemented',
    'A header you provided implies functionality that is not implemented.',
  ),
  'no-condition': new S3Error(400, 'InvalidArgument', 'If-Match and If-None-Match are not supported by this store.'),
  'no-checksum': new S3Error(
    400,
    'InvalidArgument',
    "Unsupported header 'x-amz-checksum-crc32' received for this API call.",
  ),
  vague: new S3Error(400, 'InvalidRequest', 'Bad request.'),
  'explicit-deny': new S3Error(
    403,
    'AccessDenied',
    'User: arn:aws:iam::1:user/ana is not authorized to perform: s3:PutObject with an explicit deny in a resource-based policy',
  ),
  quota: new S3Error(403, 'QuotaExceeded', 'The bucket quota of 10 GB is used up.'),
  method: new S3Error(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.'),
  conflict: new S3Error(
    409,
    'ConditionalRequestConflict',
    'The conditional request cannot succeed due to a conflicting operation against this resource.',
  ),
  signature: new S3Error(
    403,
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  ),
  'expired-token': new S3Error(400, 'ExpiredToken', 'The provided token has expired.'),
};

const tagged = (etag: string, more: Record<string, string> = {}): Answer => ({
  status: 200,
  headers: { etag, ...more },
});

const page = (status: number, html: string, more: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'text/html', ...more },
  body: Buffer.from(html),
});

const ETAG = '"d41d8cd98f00b204e9800998ecf8427e"';
const WORKS = '<html><body><h1>It works!</h1></body></html>';
const BLOCKED = '<html><body><h1>Blocked by policy 7</h1></body></html>';

/** What something that is not S3 says; `early-` before it has read the body, and then hangs up. */
const FOREIGN = {
  'early-etag': tagged(ETAG, { connection: 'close' }),
  'early-html': page(200, WORKS, { connection: 'close' }),
  html: page(200, WORKS),
  text: page(200, 'It works!', { 'content-type': 'text/plain' }),
  'page-400': page(400, BLOCKED),
  'page-403': page(403, BLOCKED),
  'page-501': page(501, BLOCKED),
  'broken-page-403': page(403, '<html><head><meta><style>h1 {}</style><h1>Blocked<br>by policy 7'),
  'opaque-etag': tagged('"opaque"'),
  'other-md5': tagged('"00000000000000000000000000000000"'),
  etag: tagged(ETAG),
  'error-in-200': page(200, '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code></Error>', {
    'content-type': 'application/xml',
  }),
  'other-checksum': tagged(ETAG, { 'x-amz-checksum-crc32': 'AAAAAA==' }),
};

/**
 * `lost-answer`: the request is carried out, and its answer never comes. `short` and `flipped`: half of the body, or all
 * of it with one wrong bit, as a whole answer.
 */
export type FaultName =
  | keyof typeof REFUSALS
  | keyof typeof FOREIGN
  | 'reset'
  | 'stall'
  | 'short'
  | 'flipped'
  | 'ignored-condition'
  | 'ignored-range'
  | 'lost-answer';

/** How S3 words a fault that is a refusal; undefined for the others. */
export const faultError = (fault: FaultName): S3Error | undefined =>
  (REFUSALS as Partial<Record<string, S3Error>>)[fault];

/** What comes in place of S3's answer; undefined for the other faults. */
export const foreignAnswer = (fault: FaultName): Answer | undefined =>
  (FOREIGN as Partial<Record<string, Answer>>)[fault];
