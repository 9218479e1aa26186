import { command } from '../../command-line.ts';
import type { S3Settings } from '../../config/settings.ts';
import { type ErrorCode, EXIT, JobError, RUN_AGAIN, systemCode } from '../../errors.ts';
import { networkError } from '../../network.ts';
import { redaction } from '../../redaction.ts';
import { addressingOf } from './client.ts';
import {
  codeOf,
  foreignText,
  isCorrupt,
  isTransient,
  isWrongDigest,
  NotS3,
  named,
  regionOf,
  status,
} from './faults.ts';

export interface Attempted {
  readonly action: string;
  readonly key: string;
  readonly bucket: string;
  readonly name: string;
  readonly settings: S3Settings;
  readonly attempts?: number;
}

/** How much of an answer is quoted. */
const QUOTED = 300;

/** Codes of S3 and of STS for keys that are wrong, or no longer right. */
const REFUSED = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
];

/** What each request needs of an IAM policy. */
const PERMISSION: Readonly<Record<string, string>> = {
  ListObjectsV2: 's3:ListBucket on the bucket',
  GetObject: 's3:GetObject on the prefix',
  HeadObject: 's3:GetObject on the prefix',
  PutObject: 's3:PutObject on the prefix',
  DeleteObject: 's3:DeleteObject on the prefix',
  DeleteObjects: 's3:DeleteObject on the prefix',
};

/** The error for people: each cause with its own code and next step, and with S3's own words. Errors of ours pass as they are. */
export function explain(error: unknown, at: Attempted): unknown {
  if (error instanceof JobError) return error;
  const { bucket, name, action, key, settings } = at;
  const network = networkError(error, { proxyEnv: settings.proxyEnv, host: settings.endpoint ?? 'S3' });
  if (network !== undefined) return network;
  const what = `${action} of ${key === '' ? name : `${name}/${key}`.replaceAll('//', '/').replace('s3:/', 's3://')}`;
  const tries = at.attempts === undefined || at.attempts === 1 ? '' : ` after ${at.attempts} attempts`;
  const said = wordsOf(error, settings);
  const ends = (code: ErrorCode, message: string, hint: string, exitCode: number = EXIT.failed) =>
    new JobError(code, message, { cause: error, endsRun: true, exitCode, hint });

  const credentials = credentialsProblem(error, said, settings);
  if (credentials !== undefined) return ends('AWS_CREDENTIALS', ...credentials, EXIT.credentials);
  if (error instanceof NotS3 || (foreignText(error) !== undefined && !isTransient(error))) {
    const why = error instanceof NotS3 ? said : `${said} is not S3's answer`;
    return new JobError('NOT_S3', `${what} failed${tries}: ${why}${endpoint(settings)}.`, {
      cause: error,
      // A success that is none may come of one request; a refusal meets every other one too.
      endsRun: !(error instanceof NotS3),
      hint: `Check AWS_ENDPOINT_URL_S3 and the proxies between here and the store: one of them answers in its place. ${RUN_AGAIN}.`,
    });
  }
  if (named(error, 'NoSuchBucket')) {
    const hint = `Make it, or correct S3_BUCKET or DESTINATION.${addressing(settings)}`;
    return ends('BUCKET_MISSING', `The bucket ${bucket} does not exist${endpoint(settings)}: ${said}.`, hint);
  }
  if (codeOf(error)?.startsWith('KMS.') || (status(error) === 403 && /\bkms:[A-Z]|:kms:/i.test(said))) {
    return ends(
      'KMS_KEY',
      `${what} was refused because of the KMS key: ${said}.`,
      'Check S3_KMS_KEY_ID, and allow kms:GenerateDataKey and kms:Decrypt on the key to these AWS credentials.',
    );
  }
  if (named(error, 'RequestTimeTooSkewed', 'RequestExpired')) {
    return ends(
      'CLOCK_SKEW',
      `S3 refused ${what}: this machine's clock is off by more than 15 minutes (${said}).`,
      "Set the clock (NTP), also that of the host if this is a container; it shows the host's.",
    );
  }
  const region = regionOf(error);
  if (region !== undefined || named(error, 'PermanentRedirect', 'AuthorizationHeaderMalformed')) {
    const asked = settings.region === undefined ? 'the region asked' : `AWS_REGION=${settings.region}`;
    return ends(
      'WRONG_REGION',
      `The bucket ${bucket} is not in ${asked}: ${said}.`,
      region === undefined ? "Set AWS_REGION to the bucket's region." : `Set AWS_REGION=${region}.`,
    );
  }
  if (/quota|StorageFull|InsufficientStorage/i.test(codeOf(error) ?? '')) {
    return ends(
      'DISK_FULL',
      `${what} was refused${tries}: ${said}.`,
      'The space or the quota of the store is used up: free some or raise it, then run the same command again.',
    );
  }
  if (status(error) === 403 || named(error, 'AccessDenied', 'AllAccessDisabled')) {
    return ends('ACCESS_DENIED', `${what} was refused: ${said}.`, accessHint(said, action, settings));
  }
  if (isWrongDigest(error)) {
    return new JobError('BAD_DIGEST', `Other bytes arrived for ${key} than were sent${tries}: ${said}.`, {
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
    return new JobError('DESTINATION_UNREACHABLE', `${what} failed${tries}: ${said}${endpoint(settings)}.`, {
      cause: error,
      endsRun: systemCode(error) === 'ENOTFOUND' || systemCode(error) === 'ECONNREFUSED',
      hint: 'Check the network, AWS_REGION and AWS_ENDPOINT_URL_S3; then run the same command again.',
    });
  }
  return new JobError('DESTINATION', `${what} failed${tries}: ${said}.`, {
    cause: error,
    hint: 'Run the same command again; LOG_LEVEL=debug shows the whole error.',
  });
}

/** Message and hint where it is the credentials that are missing, cannot be had, or are refused. */
function credentialsProblem(error: unknown, said: string, { profile }: S3Settings): [string, string] | undefined {
  if (named(error, ...REFUSED) || (status(error) === 401 && foreignText(error) === undefined)) {
    return [
      `The store refused the AWS credentials: ${said}.`,
      'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary keys, AWS_SESSION_TOKEN.',
    ];
  }
  const role = /not authorized to perform:? sts:AssumeRole\w*(?: on resource: ([^\s"]+))?/i.exec(said);
  if (role !== null) {
    return [
      `The AWS credentials may not assume the role${role[1] === undefined ? '' : ` ${role[1]}`}: ${said}.`,
      'Check role_arn and external_id of the profile, or AWS_ROLE_ARN, and whom the trust policy of the role names.',
    ];
  }
  const ofProfile = profile === undefined ? '' : ` with AWS_PROFILE=${profile}`;
  if (named(error, 'CredentialsProviderError', 'TokenProviderError', 'ProviderError')) {
    return [
      `The AWS SDK found no credentials${ofProfile}: ${said}.`,
      profile === undefined
        ? 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the AWS SDK finds a profile or role.'
        : `Check that ~/.aws/config and ~/.aws/credentials are those of this user and name the profile ${profile}.`,
    ];
  }
  // What is sent is opened by ourselves and told apart: a file that the SDK cannot read is one of credentials.
  const code = systemCode(error);
  if (status(error) === undefined && (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR')) {
    return [
      `The AWS SDK cannot read a file of credentials${ofProfile}: ${said}.`,
      'Check AWS_WEB_IDENTITY_TOKEN_FILE, AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, and what is mounted there.',
    ];
  }
  if (
    named(error, 'InvalidIdentityToken', 'InvalidIdentityTokenException', 'ExpiredTokenException', 'IDPRejectedClaim')
  ) {
    return [
      `AWS refused the identity token${ofProfile}: ${said}.`,
      'Check AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, and which identity provider the trust policy of the role names.',
    ];
  }
  return undefined;
}

function accessHint(said: string, action: string, settings: S3Settings): string {
  if (/explicit deny/i.test(said)) {
    return 'A policy denies it explicitly, and no other one can allow it: look for the Deny in the bucket policy, the IAM policies, the VPC endpoint and the organization.';
  }
  const allow = `Allow ${PERMISSION[action] ?? action} to these AWS credentials, and look for a bucket policy that denies it`;
  const encrypted = settings.sse === undefined && action === 'PutObject' ? ' or that demands S3_SSE' : '';
  return `${allow}${encrypted}.${addressing(settings)}`;
}

function addressing(settings: S3Settings): string {
  if (settings.endpoint === undefined) return '';
  const other = addressingOf(settings) === 'path' ? 'virtual' : 'path';
  return ` A store that addresses buckets otherwise answers like this too: try S3_ADDRESSING=${other}.`;
}

/** S3's code and sentence, or what came instead, in one line and without a full stop. */
function wordsOf(error: unknown, { credentials }: S3Settings): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = status(error);
  if (error instanceof NotS3 || code === undefined) return message.replace(/\.+\s*$/, '');
  const foreign = foreignText(error);
  const ours = foreign === undefined ? codeOf(error) : undefined;
  const bare = (foreign ?? '').replace(/<(style|script).*?<\/\1>/gis, ' ').replace(/<[^>]*>/g, ' ');
  const text = redaction(Object.values(credentials ?? {}))(ours === undefined ? bare : message)
    .replace(/\s+/g, ' ')
    .trim();
  const cut = text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text;
  return `${ours ?? `HTTP ${code}`}${cut === '' ? '' : `, "${cut}"`}`;
}

function endpoint({ endpoint: at }: S3Settings): string {
  return at === undefined ? '' : ` at ${at}`;
}
