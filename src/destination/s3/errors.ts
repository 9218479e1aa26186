import { isTransientCause } from '../../network.ts';

/** An answer of success that S3 cannot have given. What it brings or confirms does not count. */
export class NotS3 extends Error {
  constructor(why: string, cause?: unknown) {
    super(`the answer is not S3's: ${why}`, { cause });
  }
}

/** The SDK has found no credentials, cannot read them, or AWS issues none: `cause` says which. */
export class NoCredentials extends Error {}
/** `cause` is what the content itself threw while it was sent. S3 has no part in it. */
export class ContentFailure extends Error {}
/** Something else is there than a swap is from. */
export class ConditionFailed extends Error {}
/** S3 says by an MD5 that it got other bytes than were sent. */
export class WrongDigest extends Error {}
/** S3 sent other bytes than it has the checksum of. */
export class WrongBytes extends Error {}

/** What the SDK throws for an answer that is no success. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  /** `body` is a text where it is no XML, else a stream that has been read. */
  readonly $response?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown };
  readonly Code?: string;
  /** What the SDK made of a page that happens to be XML. */
  readonly body?: unknown;
  readonly Region?: string;
  readonly Endpoint?: string;
}

export const statusOf = (error: unknown) => (error as ServiceError | undefined)?.$metadata?.httpStatusCode;

/** How often the SDK has tried by itself. It does not repeat a stream, nor after every transient fault. */
export const attemptsOf = (error: unknown) => (error as ServiceError | undefined)?.$metadata?.attempts ?? 1;

/** The code of a refusal, as S3 or the SDK gives it; undefined where there is none, as in every answer to HEAD. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, Code = name } = error as ServiceError;
  return Code === 'Unknown' || Code === 'Error' ? undefined : Code;
}

export const hasCode = (error: unknown, ...codes: string[]) => codes.includes(codeOf(error) ?? '');
export const isAbsent = (error: unknown) => hasCode(error, 'NoSuchKey', 'NotFound');
/** Undefined for an object that is not there, and for nothing else. */
export function ifAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}
export const isConditionFailed = (error: unknown) =>
  error instanceof ConditionFailed || statusOf(error) === 412 || isAbsent(error);
export const isWrongDigest = (error: unknown) =>
  error instanceof WrongDigest || hasCode(error, 'BadDigest', 'InvalidDigest', 'XAmzContentChecksumMismatch');
export const isWrongRegion = (error: unknown) =>
  statusOf(error) === 301 ||
  hasCode(error, 'PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException');

/** S3 is at another endpoint for now: DNS does not know a new bucket yet. An answer to HEAD has no code. */
export const isTemporaryRedirect = (error: unknown) =>
  statusOf(error) === 307 && (hasCode(error, 'TemporaryRedirect', 'Redirect') || regionIn(error) !== undefined);

/** Where the status does not tell: errors of the client, of single keys, and of an upload that is gone. */
const TRANSIENT = [
  ...['TimeoutError', 'RequestTimeout', 'IncompleteBody', 'NoSuchUpload'],
  ...['SlowDown', 'InternalError', 'ServiceUnavailable', 'OperationAborted'],
];

/** A fault that is not the request's own: the same request may succeed later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof NotS3 || isTemporaryRedirect(error)) return true;
  const status = statusOf(error);
  if (status !== undefined && (status >= 500 || [408, 409, 429].includes(status))) return status !== 501;
  return hasCode(error, ...TRANSIENT) || isTransientCause(error);
}

/** The region of the bucket, where S3 says that it is another one than that of the request. */
export function regionOf(error: unknown): string | undefined {
  return isWrongRegion(error) || isTemporaryRedirect(error) ? regionIn(error) : undefined;
}

function regionIn(error: unknown): string | undefined {
  const { $response, Region, Endpoint, message } = error as ServiceError;
  const { 'x-amz-bucket-region': told, location } = $response?.headers ?? {};
  // Some stores name it in their sentence alone. Of an endpoint only the region counts: requests go nowhere else.
  const named = told ?? Region ?? /expecting '([a-z0-9-]+)'/.exec(message)?.[1];
  const at = /^(?:https?:\/\/)?(?:[^/]*\.)?s3[.-]([a-z]+-[a-z-]+-\d+)\.amazonaws\.com(?:\.cn)?(?:\/|$)/.exec(
    Endpoint ?? location ?? '',
  )?.[1];
  return named ?? at;
}

/** What came in place of S3's XML: a page, JSON, plain text. Undefined where the answer may be S3's. */
export function foreignText(error: unknown): string | undefined {
  if (statusOf(error) === undefined) return undefined;
  const { $response, Code, body: parsed } = error as ServiceError;
  const { headers = {}, body } = $response ?? {};
  if (typeof body === 'string') return body;
  return Code === undefined && /html|json/i.test(headers['content-type'] ?? '') ? textIn(parsed) : undefined;
}

function textIn(parsed: unknown): string {
  return parsed instanceof Object ? Object.values(parsed).map(textIn).join(' ') : String(parsed ?? '');
}
