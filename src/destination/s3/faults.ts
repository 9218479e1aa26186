import { systemCode } from '../../errors.ts';
import { isTransientCause } from '../../network.ts';
import type { Dialect } from './dialect.ts';

/** What the SDK throws for an answer that is no success. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  /** `body` is a text where it is no XML, else a stream that has been read. */
  readonly $response?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown };
  readonly Code?: string;
  /** What the SDK made of a page that happens to be XML. */
  readonly body?: unknown;
  readonly Region?: string;
}

/** An answer of success that S3 cannot have given; what it brings or confirms does not count. */
export class NotS3 extends Error {
  override name = 'NotS3';
  constructor(why: string, cause?: unknown) {
    super(`the answer is not S3's: ${why}`, { cause });
  }
}

export const named = (error: unknown, ...names: string[]) => error instanceof Error && names.includes(error.name);
export const status = (error: unknown) => (error as ServiceError | undefined)?.$metadata?.httpStatusCode;

export const isAbsent = (error: unknown) => named(error, 'NoSuchKey', 'NotFound');
export const isPresent = (error: unknown) => named(error, 'PreconditionFailed') || status(error) === 412;
export const isWrongDigest = (error: unknown) =>
  named(error, 'BadDigest', 'InvalidDigest', 'XAmzContentChecksumMismatch');
/** The SDK's verdict on what it received. */
export const isCorrupt = (error: unknown) => error instanceof Error && /^Checksum mismatch/.test(error.message);

/** Faults that say nothing of the request itself, so that it may be sent again. */
export function isTransient(error: unknown): boolean {
  if (error instanceof NotS3) return true;
  const code = status(error);
  if (code !== undefined && (code >= 500 || code === 429 || code === 408 || code === 409)) return code !== 501;
  return named(error, 'TimeoutError', 'RequestTimeout', 'IncompleteBody') || isTransientCause(error);
}

/** The region in which S3 says the bucket is, of an answer that it is not the one asked. */
export function regionOf(error: unknown): string | undefined {
  const wrong =
    named(error, 'PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException') ||
    status(error) === 301;
  if (!wrong) return undefined;
  const { $response, Region, message } = error as ServiceError;
  return $response?.headers?.['x-amz-bucket-region'] ?? Region ?? /expecting '([a-z0-9-]+)'/.exec(message)?.[1];
}

/** S3's own code of a refusal; undefined where the answer names none, as every answer to HEAD. */
export function codeOf(error: unknown): string | undefined {
  const { name, Code = name } = error as ServiceError;
  return Code === 'Unknown' || Code === 'Error' ? undefined : Code;
}

/** What came instead of S3's XML: a page, JSON, plain text. Undefined where the answer may be S3's. */
export function foreignText(error: unknown): string | undefined {
  if (status(error) === undefined) return undefined;
  const { $response, Code, body: parsed } = error as ServiceError;
  const { headers = {}, body } = $response ?? {};
  if (typeof body === 'string') return body;
  return Code === undefined && /html|json/i.test(headers['content-type'] ?? '') ? textIn(parsed) : undefined;
}

function textIn(parsed: unknown): string {
  return parsed instanceof Object ? Object.values(parsed).map(textIn).join(' ') : String(parsed ?? '');
}

/** What the SDK repeats by itself, as its retry strategy lists them. */
const KNOWN_TO_SDK = /^(ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/** An answer that is not S3's, or a cause of the network that the SDK takes for final, such as a proxy that is busy. */
export function isNewToSdk(error: unknown): boolean {
  if (error instanceof NotS3) return true;
  return isTransientCause(error) && !KNOWN_TO_SDK.test(systemCode(error) ?? '');
}

/** Codes of a refusal that explains itself by its sentence alone, or by nothing. */
const VAGUE = /^(InvalidArgument|InvalidRequest|BadRequest|ExcessHeaderValues|Unsupported\w*|InvalidHeader\w*)$/;

/**
 * What the store may have refused of a request that AWS takes: named by its sentence, or meant by 501; a 400 that says
 * nothing may mean the checksum. What it has taken before is not meant, and a page is no refusal of the store.
 */
export function refusedFeatures(
  error: unknown,
  { isAws, takesChecksums }: Dialect,
): readonly ('checksums' | 'conditions')[] {
  const code = status(error);
  if ((code !== 400 && code !== 501) || isAws || isWrongDigest(error) || !(error instanceof Error)) return [];
  if (foreignText(error) !== undefined) return [];
  if (/if-(none-)?match/i.test(error.message)) return ['conditions'];
  if (/checksum|crc-?32/i.test(error.message)) return ['checksums'];
  if (code === 501) return takesChecksums ? ['conditions'] : ['checksums', 'conditions'];
  return takesChecksums || !VAGUE.test(codeOf(error) ?? 'BadRequest') ? [] : ['checksums'];
}

/** Stores without DeleteObjects answer 501 or 405, those that want a Content-MD5 with it 400. */
export function refusesDeleteObjects(error: unknown, { isAws }: Dialect): boolean {
  return [400, 405, 411, 501].includes(status(error) ?? 0) && !isAws && foreignText(error) === undefined;
}
