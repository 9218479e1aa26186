import { command } from '../command-line.ts';
import type { S3Settings } from '../config.ts';
import { EXIT, JobError, systemCode } from '../errors.ts';

/** What the SDK throws for an answer that is no success. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly Region?: string;
}

export interface Attempted {
  readonly action: string;
  readonly key: string;
  readonly bucket: string;
  readonly name: string;
  readonly settings: S3Settings;
  readonly attempts?: number;
}

/** An answer of success that S3 cannot have given; what it brings or confirms does not count. */
export class NotS3 extends Error {
  override name = 'NotS3';
  constructor(why: string, cause?: unknown) {
    super(`the answer is not S3's: ${why}`, { cause });
  }
}

const named = (error: unknown, ...names: string[]) => error instanceof Error && names.includes(error.name);
export const status = (error: unknown) => (error as ServiceError | undefined)?.$metadata?.httpStatusCode;

export const isAbsent = (error: unknown) => named(error, 'NoSuchKey', 'NotFound');
export const isPresent = (error: unknown) => named(error, 'PreconditionFailed') || status(error) === 412;
/** Stores that know no conditional writes answer 501, or 400 and the header's name. */
export const isUnsupportedCondition = (error: unknown) =>
  named(error, 'NotImplemented') ||
  status(error) === 501 ||
  (status(error) === 400 && error instanceof Error && /if-(none-)?match/i.test(error.message));
export const isWrongDigest = (error: unknown) =>
  named(error, 'BadDigest', 'InvalidDigest', 'XAmzContentChecksumMismatch');
/** The SDK's verdict on what it received. */
const isCorrupt = (error: unknown) => error instanceof Error && /^Checksum mismatch/.test(error.message);

/** Faults that say nothing of the request itself, so that it may be sent again. */
export function isTransient(error: unknown): boolean {
  if (error instanceof NotS3) return true;
  const code = status(error);
  if (code !== undefined && (code >= 500 || code === 429 || code === 408 || code === 409)) return code !== 501;
  if (named(error, 'TimeoutError', 'RequestTimeout', 'IncompleteBody')) return true;
  const system = systemCode(error);
  if (system !== undefined) return system !== 'ENOTFOUND';
  return code === undefined && error instanceof Error && /socket hang up|request was closed/.test(error.message);
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

/** What each request needs of an IAM policy. */
const PERMISSION: Readonly<Record<string, string>> = {
  ListObjectsV2: 's3:ListBucket on the bucket',
  GetObject: 's3:GetObject on the prefix',
  HeadObject: 's3:GetObject on the prefix',
  PutObject: 's3:PutObject on the prefix',
  DeleteObjects: 's3:DeleteObject on the prefix',
};

/** The error for people: each cause with its own code and next step. Errors of ours pass as they are. */
export function explain(error: unknown, at: Attempted): unknown {
  if (error instanceof JobError) return error;
  const { bucket, name, action, key, settings } = at;
  const text = error instanceof Error ? error.message : String(error);
  const what = `${action} of ${key === '' ? name : `${name}/${key}`.replaceAll('//', '/').replace('s3:/', 's3://')}`;
  const endsRun = true;

  if (named(error, 'NoSuchBucket')) {
    return new JobError('BUCKET_MISSING', `The bucket ${bucket} does not exist${endpoint(settings)}.`, {
      cause: error,
      endsRun,
      hint: 'Make it, or correct S3_BUCKET or DESTINATION.',
    });
  }
  if (error instanceof Error && (error.name.startsWith('KMS.') || (status(error) === 403 && /kms/i.test(text)))) {
    return new JobError('KMS_KEY', `${what} was refused because of the KMS key: ${text}.`, {
      cause: error,
      endsRun,
      hint: 'Check S3_KMS_KEY_ID, and allow kms:GenerateDataKey and kms:Decrypt on the key to these AWS credentials.',
    });
  }
  if (
    named(error, 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken', 'InvalidToken', 'TokenRefreshRequired')
  ) {
    return new JobError(
      'AWS_CREDENTIALS',
      `AWS refused the credentials (${error instanceof Error ? error.name : ''}).`,
      {
        cause: error,
        endsRun,
        exitCode: EXIT.credentials,
        hint: 'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary keys, AWS_SESSION_TOKEN.',
      },
    );
  }
  const [, role] = /not authorized to perform: sts:AssumeRole\w* on resource: (\S+)/.exec(text) ?? [];
  if (role !== undefined) {
    return new JobError('AWS_CREDENTIALS', `The AWS credentials may not assume the role ${role}.`, {
      cause: error,
      endsRun,
      exitCode: EXIT.credentials,
      hint: 'Check role_arn and external_id of the profile, and whom the trust policy of the role names.',
    });
  }
  if (named(error, 'CredentialsProviderError')) {
    return new JobError('AWS_CREDENTIALS', 'No AWS credentials were found.', {
      cause: error,
      endsRun,
      exitCode: EXIT.credentials,
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the AWS SDK finds a profile or role.',
    });
  }
  if (named(error, 'RequestTimeTooSkewed', 'RequestExpired')) {
    return new JobError('CLOCK_SKEW', `S3 refused ${what}: this machine's clock is off by more than 15 minutes.`, {
      cause: error,
      endsRun,
      hint: "Set the clock (NTP), also that of the host if this is a container; it shows the host's.",
    });
  }
  const region = regionOf(error);
  if (region !== undefined || named(error, 'PermanentRedirect', 'AuthorizationHeaderMalformed')) {
    const asked = settings.region === undefined ? 'the region asked' : `AWS_REGION=${settings.region}`;
    return new JobError('WRONG_REGION', `The bucket ${bucket} is not in ${asked}.`, {
      cause: error,
      endsRun,
      hint: region === undefined ? "Set AWS_REGION to the bucket's region." : `Set AWS_REGION=${region}.`,
    });
  }
  if (status(error) === 403 || named(error, 'AccessDenied', 'AllAccessDisabled')) {
    return new JobError('ACCESS_DENIED', `${what} is not allowed to these AWS credentials.`, {
      cause: error,
      endsRun,
      hint: `Allow ${PERMISSION[action] ?? action} to them, and look for a bucket policy that denies it.`,
    });
  }
  const tries = at.attempts === undefined || at.attempts === 1 ? '' : ` after ${at.attempts} attempts`;
  if (isWrongDigest(error)) {
    return new JobError('BAD_DIGEST', `S3 says that other bytes arrived for ${key} than were sent${tries}.`, {
      cause: error,
      hint: 'Our own count agrees with what was sent, so something between here and S3 changes data: look at proxies and at the memory of this machine.',
    });
  }
  if (isCorrupt(error)) {
    return new JobError('BAD_DIGEST', `${what} brought other bytes than S3 has the checksum of.`, {
      cause: error,
      hint: `Ask once more; where it stays so, land the hour again: \`${command('verify --deep --repair')}\`.`,
    });
  }
  if (isTransient(error) || systemCode(error) === 'ENOTFOUND') {
    return new JobError('DESTINATION_UNREACHABLE', `${what} failed${tries}: ${text}${endpoint(settings)}.`, {
      cause: error,
      endsRun: systemCode(error) === 'ENOTFOUND' || systemCode(error) === 'ECONNREFUSED',
      hint: 'Check the network, AWS_REGION and AWS_ENDPOINT_URL_S3; then run the same command again.',
    });
  }
  const label = error instanceof Error ? error.name : 'Error';
  return new JobError('DESTINATION', `${what} failed${tries}: ${label}, ${text}.`, {
    cause: error,
    hint: 'Run the same command again; LOG_LEVEL=debug shows the whole error.',
  });
}

function endpoint({ endpoint: at }: S3Settings): string {
  return at === undefined ? '' : ` at ${at}`;
}
