import { command } from '../../command-line.ts';
import type { S3Settings } from '../../config/settings.ts';
import { JobError, RUN_AGAIN, systemCode } from '../../errors.ts';
import { networkError } from '../../network.ts';
import { redaction } from '../../redaction.ts';
import { addressingOf } from './client.ts';
import {
  codeOf,
  foreignText,
  isTemporaryRedirect,
  isTransient,
  isWrongDigest,
  isWrongRegion,
  NoCredentials,
  NotS3,
  regionOf,
  statusOf,
  WrongBytes,
} from './errors.ts';

/** What an IAM policy calls a request that has another name there. */
const RIGHTS = new Map([
  ['ListObjectsV2', 'ListBucket'],
  ['HeadObject', 'GetObject'],
  ['CopyObject', 'PutObject'],
  ['DeleteObjects', 'DeleteObject'],
]);

export interface Attempted {
  /** The request, as S3 calls it. */
  readonly action: string;
  readonly key: string;
  /** The destination as people write it. */
  readonly name: string;
  readonly settings: S3Settings;
  /** What leads there, if not the settings of the destination. */
  readonly setting?: string | undefined;
  readonly attempts?: number;
}

/** How much of an answer is quoted. */
const QUOTED = 300;

/** Codes of S3 and STS for keys that are wrong, or no longer right. */
const REFUSED_KEYS =
  /^(InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired|InvalidClientTokenId|UnrecognizedClientException)$/;

/** The error for people: each cause has its own code and next step, and quotes S3. A JobError passes unchanged. */
export function explain(error: unknown, attempted: Attempted): JobError {
  if (error instanceof JobError) return error;
  const { action, key, name, settings, attempts = 1 } = attempted;
  const cause = error instanceof NoCredentials ? error.cause : error;
  const network = networkError(cause, { proxyEnv: settings.proxyEnv, host: settings.endpoint ?? 'S3' });
  if (network !== undefined) return network;
  const profile = settings.profile === undefined ? '' : ` with AWS_PROFILE=${settings.profile}`;
  const missing = error instanceof NoCredentials ? `${error.message}${profile}: ` : '';
  const said = missing + wordsOf(cause, settings);
  const what = `${action} of ${key === '' ? name : `${name.replace(/\/$/, '')}/${key}`}`;
  const tries = attempts === 1 ? '' : ` after ${attempts} attempts`;
  const where = settings.endpoint === undefined ? '' : ` at ${settings.endpoint}`;
  const code = codeFor(error, said, settings);
  return new JobError(code, `${what} failed${tries}${where}: ${said}.`, {
    cause: error,
    hint: hintsFor(error, said, attempted)[code],
    endsRun: endsRun(code, error),
  });
}

function codeFor(error: unknown, said: string, { region }: S3Settings): Code {
  if (error instanceof NoCredentials) return isTransient(error.cause) ? 'DESTINATION_UNREACHABLE' : 'AWS_CREDENTIALS';
  const status = statusOf(error);
  const code = codeOf(error) ?? '';
  const isPage = foreignText(error) !== undefined;
  if (REFUSED_KEYS.test(code) || (status === 401 && !isPage)) return 'AWS_CREDENTIALS';
  if (error instanceof NotS3 || (isPage && !isTransient(error))) return 'NOT_S3';
  if (code === 'NoSuchBucket') return 'BUCKET_MISSING';
  // IAM says only in its sentence that it denies the use of a key.
  if (code.startsWith('KMS.') || (status === 403 && /\bkms:/i.test(said))) return 'KMS_KEY';
  if (code === 'RequestTimeTooSkewed' || code === 'RequestExpired') return 'CLOCK_SKEW';
  if (isWrongRegion(error) || isOtherRegion(error, region)) return 'WRONG_REGION';
  if (/quota|StorageFull|InsufficientStorage/i.test(code)) return 'DISK_FULL';
  if (status === 403 || code === 'AccessDenied' || code === 'AllAccessDisabled') return 'ACCESS_DENIED';
  if (isWrongDigest(error) || error instanceof WrongBytes) return 'BAD_DIGEST';
  if (isTransient(error) || systemCode(error) === 'ENOTFOUND') return 'DESTINATION_UNREACHABLE';
  return 'DESTINATION';
}

/** A redirect for now that names another region than the one that is set. */
function isOtherRegion(error: unknown, region: string | undefined): boolean {
  return region !== undefined && isTemporaryRedirect(error) && region !== (regionOf(error) ?? region);
}

/** Whether every other request would fail in the same way. */
function endsRun(code: Code, error: unknown): boolean {
  // A false success may come of one request only.
  if (code === 'NOT_S3') return !(error instanceof NotS3);
  if (code === 'DESTINATION_UNREACHABLE') return ['ENOTFOUND', 'ECONNREFUSED'].includes(systemCode(error) ?? '');
  return code !== 'BAD_DIGEST' && code !== 'DESTINATION';
}

type Code = keyof ReturnType<typeof hintsFor>;

function hintsFor(error: unknown, said: string, { action, settings, setting = 'S3_BUCKET or DESTINATION' }: Attempted) {
  const other = addressingOf(settings) === 'path' ? 'virtual' : 'path';
  const addressing =
    settings.endpoint === undefined
      ? ''
      : ` A store that expects the other addressing answers like this too: try S3_ADDRESSING=${other}.`;
  const encryption = settings.sse === undefined && action === 'PutObject' ? ' or that demands S3_SSE' : '';
  return {
    AWS_CREDENTIALS:
      'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary keys, AWS_SESSION_TOKEN; or the profile in ~/.aws/config and ~/.aws/credentials; or the role: AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, its external_id and its trust policy.',
    NOT_S3: `Check AWS_ENDPOINT_URL_S3 and the proxies between here and the store: one of them answers instead. ${RUN_AGAIN}.`,
    BUCKET_MISSING: `Create the bucket, or correct ${setting}.${addressing}`,
    KMS_KEY: 'Check S3_KMS_KEY_ID, and allow kms:GenerateDataKey and kms:Decrypt on the key to these AWS credentials.',
    CLOCK_SKEW:
      "This machine's clock is off by more than 15 minutes: set it (NTP). A container has the clock of its host.",
    WRONG_REGION: `The bucket is in another region than ${settings.region === undefined ? 'the request' : `AWS_REGION=${settings.region}`}. Set AWS_REGION=${regionOf(error) ?? 'REGION, the region of the bucket'}.`,
    DISK_FULL:
      'The space or the quota of the store is used up: free some or raise it, then run the same command again.',
    // IAM says only in its sentence that a policy denies it.
    ACCESS_DENIED: /explicit deny/i.test(said)
      ? 'A policy denies it explicitly, and no other policy can allow it: look for the Deny in the bucket policy, the IAM policies, the VPC endpoint and the organization.'
      : `Allow s3:${RIGHTS.get(action) ?? action} to these AWS credentials, and look for a bucket policy that denies it${encryption}.${addressing}`,
    BAD_DIGEST:
      error instanceof WrongBytes
        ? `Run the same command again. If that fails too, replace the hour: \`${command('verify --deep --repair')}\`.`
        : 'Our own count agrees with what was sent, so something between here and S3 changes data: look at proxies and at the memory of this machine.',
    DESTINATION_UNREACHABLE: isTemporaryRedirect(error)
      ? 'S3 redirects the requests of a new bucket until its name has spread. Run the same command again in an hour.'
      : 'Check the network, AWS_REGION and AWS_ENDPOINT_URL_S3; then run the same command again.',
    DESTINATION:
      codeOf(error) === 'InvalidObjectState'
        ? 'The object is in an archive class, such as Glacier. Restore it, then run the same command again.'
        : 'Run the same command again; LOG_LEVEL=debug shows the whole error.',
  };
}

/** S3's code and sentence, or what came instead, in one line and without a full stop. */
function wordsOf(error: unknown, { credentials }: S3Settings): string {
  const message = error instanceof Error ? error.message : String(error);
  const status = statusOf(error);
  if (status === undefined) return message.replace(/\.+\s*$/, '');
  const page = foreignText(error);
  const code = page === undefined ? codeOf(error) : undefined;
  const bare = (page ?? '').replace(/<(style|script).*?<\/\1>/gis, ' ').replace(/<[^>]*>/g, ' ');
  const redact = redaction(Object.values(credentials ?? {}));
  const text = redact(code === undefined ? bare : message)
    .replace(/\s+/g, ' ')
    .trim();
  const cut = text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text;
  const quoted = `${code ?? `HTTP ${status}`}${cut === '' ? '' : `, "${cut}"`}`;
  return page === undefined ? quoted : `${quoted} is not S3's answer`;
}
