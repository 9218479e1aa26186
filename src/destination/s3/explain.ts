import { command } from '../../command-line.ts';
import type { S3Settings } from '../../config/settings.ts';
import { type ErrorCode, EXIT, JobError, RUN_AGAIN, systemCode } from '../../errors.ts';
import { networkError } from '../../network.ts';
import { redaction } from '../../redaction.ts';
import { addressingOf } from './client.ts';
import {
  codeOf,
  foreignText,
  isTransient,
  isWrongDigest,
  isWrongRegion,
  NoCredentials,
  NotS3,
  regionOf,
  statusOf,
  WrongBytes,
} from './errors.ts';

/** What each request needs of an IAM policy. */
const PERMISSION = {
  ListObjectsV2: 's3:ListBucket on the bucket',
  GetObject: 's3:GetObject on the prefix',
  HeadObject: 's3:GetObject on the prefix',
  PutObject: 's3:PutObject on the prefix',
  DeleteObject: 's3:DeleteObject on the prefix',
  DeleteObjects: 's3:DeleteObject on the prefix',
};

export type Action = keyof typeof PERMISSION;

export interface Attempted {
  readonly action: Action;
  readonly key: string;
  /** The destination as people write it. */
  readonly name: string;
  readonly settings: S3Settings;
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
  const isMissing = error instanceof NoCredentials && !isTransient(cause);
  const profile = settings.profile === undefined ? '' : ` with AWS_PROFILE=${settings.profile}`;
  const said = `${isMissing ? `${error.message}${profile}: ` : ''}${wordsOf(cause, settings)}`;
  const [code, hint] = isMissing ? MISSING : judge(cause, said, attempted);
  const what = `${action} of ${key === '' ? name : `${name.replace(/\/$/, '')}/${key}`}`;
  const tries = attempts === 1 ? '' : ` after ${attempts} attempts`;
  const where = settings.endpoint === undefined ? '' : ` at ${settings.endpoint}`;
  const details = { cause: error, hint, endsRun: endsRun(code, cause) };
  const exitCode = code === 'AWS_CREDENTIALS' ? EXIT.credentials : EXIT.failed;
  return new JobError(code, `${what} failed${tries}${where}: ${said}.`, { ...details, exitCode });
}

type Verdict = [code: ErrorCode, hint: string];

const MISSING: Verdict = [
  'AWS_CREDENTIALS',
  'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Or check the profile in ~/.aws/config and ~/.aws/credentials. Or check the role: AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, its external_id and its trust policy.',
];

function judge(error: unknown, said: string, { action, settings }: Attempted): Verdict {
  const status = statusOf(error);
  const code = codeOf(error) ?? '';
  const isPage = foreignText(error) !== undefined;
  if (REFUSED_KEYS.test(code) || (status === 401 && !isPage)) {
    const keys = 'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary keys, AWS_SESSION_TOKEN';
    return ['AWS_CREDENTIALS', `The store refused the AWS credentials. Check ${keys}.`];
  }
  if (error instanceof NotS3 || (isPage && !isTransient(error))) {
    const check = 'Check AWS_ENDPOINT_URL_S3 and the proxies between here and the store';
    return ['NOT_S3', `${check}: one of them answers in its place. ${RUN_AGAIN}.`];
  }
  if (code === 'NoSuchBucket') {
    return ['BUCKET_MISSING', `Create the bucket, or correct S3_BUCKET or DESTINATION.${otherAddressing(settings)}`];
  }
  // IAM says only in its sentence that it denies the use of a key.
  if (code.startsWith('KMS.') || (status === 403 && /\bkms:/i.test(said))) {
    const rights = 'allow kms:GenerateDataKey and kms:Decrypt on the key to these AWS credentials';
    return ['KMS_KEY', `Check S3_KMS_KEY_ID, and ${rights}.`];
  }
  if (code === 'RequestTimeTooSkewed' || code === 'RequestExpired') {
    const clock = "This machine's clock is off by more than 15 minutes: set it (NTP)";
    return ['CLOCK_SKEW', `${clock}. A container has the clock of its host.`];
  }
  if (isWrongRegion(error)) {
    const asked = settings.region === undefined ? 'the region asked' : `AWS_REGION=${settings.region}`;
    const region = regionOf(error) ?? '<region of the bucket>';
    return ['WRONG_REGION', `The bucket is not in ${asked}. Set AWS_REGION=${region}.`];
  }
  if (/quota|StorageFull|InsufficientStorage/i.test(code)) {
    return [
      'DISK_FULL',
      'The space or the quota of the store is used up: free some or raise it, then run the same command again.',
    ];
  }
  if (status === 403 || code === 'AccessDenied' || code === 'AllAccessDisabled') {
    return ['ACCESS_DENIED', accessHint(said, action, settings)];
  }
  if (isWrongDigest(error)) {
    const ours = 'Our own count agrees with what was sent, so something between here and S3 changes data';
    return ['BAD_DIGEST', `${ours}: look at proxies and at the memory of this machine.`];
  }
  if (error instanceof WrongBytes) {
    const repair = command('verify --deep --repair');
    return ['BAD_DIGEST', `Run the same command again. If that fails too, replace the hour: \`${repair}\`.`];
  }
  if (isTransient(error) || systemCode(error) === 'ENOTFOUND') {
    const check = 'Check the network, AWS_REGION and AWS_ENDPOINT_URL_S3';
    return ['DESTINATION_UNREACHABLE', `${check}; then run the same command again.`];
  }
  return ['DESTINATION', 'Run the same command again; LOG_LEVEL=debug shows the whole error.'];
}

/** Whether every other request would fail in the same way. */
function endsRun(code: ErrorCode, error: unknown): boolean {
  // A false success may come of one request only.
  if (code === 'NOT_S3') return !(error instanceof NotS3);
  if (code === 'DESTINATION_UNREACHABLE') return ['ENOTFOUND', 'ECONNREFUSED'].includes(systemCode(error) ?? '');
  return code !== 'BAD_DIGEST' && code !== 'DESTINATION';
}

function accessHint(said: string, action: Action, settings: S3Settings): string {
  // Only the sentence tells it.
  if (/explicit deny/i.test(said)) {
    return 'A policy denies it explicitly, and no other one can allow it: look for the Deny in the bucket policy, the IAM policies, the VPC endpoint and the organization.';
  }
  const encrypted = settings.sse === undefined && action === 'PutObject' ? ' or that demands S3_SSE' : '';
  const denying = `look for a bucket policy that denies it${encrypted}`;
  return `Allow ${PERMISSION[action]} to these AWS credentials, and ${denying}.${otherAddressing(settings)}`;
}

function otherAddressing(settings: S3Settings): string {
  if (settings.endpoint === undefined) return '';
  const other = addressingOf(settings) === 'path' ? 'virtual' : 'path';
  return ` A store that addresses buckets otherwise gives the same answer: try S3_ADDRESSING=${other}.`;
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
