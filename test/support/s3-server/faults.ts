import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, S3Error } from './answer.ts';

export type FaultName =
  | 'access-denied'
  | 'no-such-bucket'
  | 'clock-skew'
  | 'wrong-region'
  | 'bad-digest'
  | 'slow-down'
  | 'internal-error'
  | 'reset'
  | 'stall'
  | 'kms-access-denied'
  | 'not-implemented'
  | 'no-condition'
  | 'no-checksum'
  | 'vague'
  | 'explicit-deny'
  | 'quota'
  | 'page-400'
  | 'page-403'
  | 'page-501'
  | 'broken-page-403'
  | 'method'
  | 'other-md5'
  | 'opaque-etag'
  | 'ignored-condition'
  | 'lost-answer'
  | 'conflict'
  | 'signature'
  | 'expired-token'
  | 'early-etag'
  | 'early-html'
  | 'html'
  | 'text'
  | 'etag'
  | 'other-checksum';

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

/** What something that is not S3 says; `early-` before it has read the body, and then hangs up. */
export function foreignAnswer(fault: FaultName): Answer | undefined {
  const close = { connection: 'close' };
  switch (fault) {
    case 'early-etag':
      return { status: 200, headers: { etag: ETAG, ...close } };
    case 'early-html':
      return { ...HTML, headers: { ...HTML.headers, ...close } };
    case 'html':
      return HTML;
    case 'text':
      return { ...HTML, headers: { 'content-type': 'text/plain' }, body: Buffer.from('It works!') };
    case 'page-400':
    case 'page-403':
    case 'page-501':
      return {
        ...HTML,
        status: Number(fault.slice(-3)),
        body: Buffer.from('<html><body><h1>Blocked by policy 7</h1></body></html>'),
      };
    case 'broken-page-403':
      return {
        ...HTML,
        status: 403,
        body: Buffer.from('<html><head><meta><style>h1 {}</style><h1>Blocked<br>by policy 7'),
      };
    case 'opaque-etag':
      return { status: 200, headers: { etag: '"opaque"' } };
    case 'other-md5':
      return { status: 200, headers: { etag: '"00000000000000000000000000000000"' } };
    case 'etag':
      return { status: 200, headers: { etag: ETAG } };
    case 'other-checksum':
      return { status: 200, headers: { etag: ETAG, 'x-amz-checksum-crc32': 'AAAAAA==' } };
    default:
      return undefined;
  }
}

const ETAG = '"d41d8cd98f00b204e9800998ecf8427e"';

const HTML = {
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: Buffer.from('<html><body><h1>It works!</h1></body></html>'),
};

/** How S3 words each fault that is a refusal; undefined for the others. */
export function faultError(fault: FaultName): S3Error | undefined {
  switch (fault) {
    case 'access-denied':
      return new S3Error(403, 'AccessDenied', 'Access Denied');
    case 'no-such-bucket':
      return noSuchBucket();
    case 'clock-skew':
      return clockSkew();
    case 'wrong-region':
      return permanentRedirect(OTHER_REGION);
    case 'bad-digest':
      return new S3Error(400, 'BadDigest', 'The CRC32 you specified did not match the calculated checksum.');
    case 'slow-down':
      return new S3Error(503, 'SlowDown', 'Please reduce your request rate.');
    case 'internal-error':
      return new S3Error(500, 'InternalError', 'We encountered an internal error. Please try again.');
    case 'kms-access-denied':
      return new S3Error(
        403,
        'AccessDenied',
        'User: arn:aws:iam::111122223333:user/export is not authorized to perform: kms:GenerateDataKey on this resource because no identity-based policy allows the kms:GenerateDataKey action',
      );
    case 'not-implemented':
      return new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented.');
    case 'no-condition':
      return new S3Error(400, 'InvalidArgument', 'If-Match and If-None-Match are not supported by this store.');
    case 'no-checksum':
      return new S3Error(
        400,
        'InvalidArgument',
        "Unsupported header 'x-amz-checksum-crc32' received for this API call.",
      );
    case 'vague':
      return new S3Error(400, 'InvalidRequest', 'Bad request.');
    case 'explicit-deny':
      return new S3Error(
        403,
        'AccessDenied',
        'User: arn:aws:iam::1:user/ana is not authorized to perform: s3:PutObject with an explicit deny in a resource-based policy',
      );
    case 'quota':
      return new S3Error(403, 'QuotaExceeded', 'The bucket quota of 10 GB is used up.');
    case 'method':
      return new S3Error(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
    case 'conflict':
      return new S3Error(
        409,
        'ConditionalRequestConflict',
        'The conditional request cannot succeed due to a conflicting operation against this resource.',
      );
    case 'signature':
      return new S3Error(
        403,
        'SignatureDoesNotMatch',
        'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      );
    case 'expired-token':
      return new S3Error(400, 'ExpiredToken', 'The provided token has expired.');
    default:
      return undefined;
  }
}

export function noSuchBucket(): S3Error {
  return new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
}

export function clockSkew(): S3Error {
  return new S3Error(
    403,
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
  );
}

/** 301: the bucket is in another region than the one that the request was signed for. */
export function permanentRedirect(region: string): S3Error {
  return new S3Error(
    301,
    'PermanentRedirect',
    'The bucket you are attempting to access must be addressed using the specified endpoint.',
    { 'x-amz-bucket-region': region },
  );
}
