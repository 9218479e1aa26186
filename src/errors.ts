import { command } from './command-line.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  credentials: 4,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** What each error code means and what to do about it. docs/errors.md is made from this list. */
export const ERRORS = {
  USAGE: 'The command line has a mistake. `--help` shows the flags. The message shows the forms of a time.',
  CONFIG:
    'Settings are missing or wrong. The message lists all of them. Correct them. `.env.example` explains each one.',
  AMPLITUDE_CREDENTIALS:
    'Amplitude refused the keys. Check `AMPLITUDE_API_KEY`, `AMPLITUDE_SECRET_KEY` (both of one project) and `AMPLITUDE_REGION`.',
  AMPLITUDE_BAD_REQUEST:
    'Amplitude says that a parameter of the request is wrong. That is a defect of this program: report it with the message.',
  AMPLITUDE_REFUSED_WINDOW:
    'Amplitude answered 400 without a usable reason. Run again later. If the error stays, send Amplitude the quoted answer.',
  AMPLITUDE_TOO_LARGE:
    "A single hour is larger than the Export API's 4 GB. Set up Amplitude's own Amazon S3 export for this project, then take the hour over from there: `adopt`.",
  AMPLITUDE_RATE_LIMIT:
    'The project reached the limit of its API use. Look for other programs that use it. Run again later, or lower `REQUEST_CONCURRENCY`.',
  AMPLITUDE_SERVER:
    "Every attempt got a 5xx, or an answer that is not the Export API's. Run again. If the status is not 5xx, check `AMPLITUDE_BASE_URL`.",
  AMPLITUDE_TIMEOUT:
    'An answer did not start in time, stopped midway or was too slow. Run again, lower `REQUEST_HOURS`, or raise the time-outs in the settings.',
  AMPLITUDE_UNREACHABLE:
    'There is no connection to Amplitude. Check the network, name resolution and `AMPLITUDE_BASE_URL`.',
  AMPLITUDE_REDIRECT:
    "Amplitude's host answered with a redirect, which is not followed. Check `AMPLITUDE_BASE_URL` and `AMPLITUDE_REGION`.",
  AMPLITUDE_DOWN:
    "Five windows in a row got no answer, so the run stopped. Look at Amplitude's status page and at the network. Run again.",
  NOT_AMPLITUDE:
    'A 404, or a 403 in the middle of a run, came from something other than Amplitude. It sealed nothing. Check `AMPLITUDE_BASE_URL`, and the proxies, firewalls and gateways on the way.',
  PROXY:
    'A proxy cannot be reached, refuses the user or opens no connection. Check `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.',
  CERTIFICATE: "A certificate cannot be verified. Name the CA's file in `AWS_CA_BUNDLE` or `NODE_EXTRA_CA_CERTS`.",
  ARCHIVE_TRUNCATED:
    'The connection broke off within the archive, at every attempt. Run again. A smaller `REQUEST_HOURS` makes smaller archives.',
  ARCHIVE_BROKEN:
    'The answer is no archive, or a damaged one, at every attempt. Run again later. If the error stays, report the hours to Amplitude.',
  ARCHIVE_REFUSED:
    'The archive is whole, but its names do not fit the window and the project. Check the keys and the prefix. `REQUEST_HOURS=1` lands the other hours of the window.',
  NOT_EVENTS:
    'A member of the archive holds no event at all, at every attempt. Run again later. If the error stays, report the hours to Amplitude.',
  MANIFEST_UNREADABLE:
    'The manifest is damaged, or another file has its name. Look at it. `verify --repair`, or `export --force` for that hour, replaces it.',
  MANIFEST_NEWER: 'A newer version of this program wrote the manifest, so its hour stays as it is. Use that version.',
  MANIFEST_FOREIGN:
    'A manifest under the prefix belongs to another project. Give each project a prefix of its own, and move the files of that hour there.',
  REPAIR_SHRUNK:
    'Amplitude returns less for an hour than has landed, so `verify --repair` leaves it. To take less, use `export --force` for that hour, or `--force=empty` for no data.',
  NOT_S3:
    "An answer is not S3's, so it proves nothing. Check `AWS_ENDPOINT_URL_S3`, and the proxies between here and the store.",
  BUCKET_MISSING: 'The bucket does not exist. Create it, or correct `S3_BUCKET` or `DESTINATION`.',
  ACCESS_DENIED:
    'S3 or the file system does not allow the action in the message. Allow it. The image runs as user 1000.',
  AWS_CREDENTIALS:
    'AWS refused the credentials, or the AWS SDK found none. Check the AWS keys in the settings, or the role of the machine and its trust policy.',
  KMS_KEY: 'S3 cannot use the KMS key. Check `S3_KMS_KEY_ID`. Allow `kms:GenerateDataKey` and `kms:Decrypt`.',
  CLOCK_SKEW:
    "This machine's clock is more than 5 minutes off Amplitude's or S3's. Set the clock. A container uses the clock of its host.",
  WRONG_REGION:
    'The bucket is in another region than `AWS_REGION`. Set the region in the message, or unset `AWS_REGION`.',
  BAD_DIGEST:
    'S3 received other bytes than the program sent, at every attempt. Check what stands between here and S3, and the memory of the machine.',
  DISK_FULL:
    'No space is left, or the quota of the store is used up. Free some space, raise the quota, or point the variable in the message elsewhere.',
  DESTINATION:
    'The destination failed for another reason. The message quotes it. Run again. `LOG_LEVEL=debug` shows the whole error.',
  DESTINATION_UNREACHABLE:
    'There is no connection to S3, or every attempt got a 5xx. Check the network, `AWS_REGION` and `AWS_ENDPOINT_URL_S3`.',
  DESTINATION_LOCKED:
    'Another run is writing to the folder. Wait for it, then run again. The lock ends with its process: there is nothing to delete.',
  ADOPT_DIFFERS:
    'An hour has landed already, and the files to adopt hold other content. The landing stays. `export --force` for that hour asks Amplitude.',
  ADOPT_OVERLAP:
    'Two files to adopt are the same part of an hour, with different content. The hour is not adopted. Take the wrong file away, or ask Amplitude for the hour.',
  ADOPT_BROKEN:
    'A file to adopt is damaged, or holds no event. The hour is not adopted. Ask Amplitude for it, or take the file away.',
  ADOPT_UNREADABLE:
    'A file to adopt cannot be read. The hour is not adopted. Give the right to read it, or restore it from an archive class such as Glacier.',
  ADOPT_NOTHING:
    'There is no file to adopt under the given folder or prefix. Check its name, the project and the range.',
  HOUR_CONTESTED:
    'Other runs sealed the hour five times while this one tried to. Let only one run at a time work on a range. Run again.',
  NOT_ATTEMPTED: 'The run ended before it came to this hour. The message says why. Fix that, then run again.',
  INTERRUPTED: 'SIGINT (exit code 130) or SIGTERM (143) stopped the run. Run again.',
  INTERNAL:
    'The program met an error that it does not know. This is a defect. Run with `LOG_LEVEL=debug` and report what it says.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** The exit code of a run that an error ends, if it is not 1. */
export const EXIT_CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  USAGE: EXIT.usage,
  CONFIG: EXIT.usage,
  AMPLITUDE_CREDENTIALS: EXIT.credentials,
  AWS_CREDENTIALS: EXIT.credentials,
};

/** True of every command: an export repeats gaps and unsettled hours, and --force and --repair repeat their hours. */
export const RUN_AGAIN = 'Run the same command again: it asks again for every hour of its range that failed';

interface ErrorDetails {
  /** The next step for the person who reads the message; a whole sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** True if every other hour would meet the same error, so that the run ends at once. */
  readonly endsRun?: boolean;
  readonly exitCode?: number;
  /** True if another request may bring a right archive. */
  readonly retry?: boolean;
}

/**
 * An error that the job expects. `message` says what failed, on what and why; `hint` says what to do next. Any other
 * error is a defect of this program.
 */
export class JobError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly endsRun: boolean;
  readonly exitCode: number;
  readonly retry: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, hint, endsRun = false, exitCode = EXIT_CODES[code] ?? EXIT.failed, retry = false } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
    this.endsRun = endsRun;
    this.exitCode = exitCode;
    this.retry = retry;
  }
}

/** A mistake on the command line. */
export class UsageError extends JobError {
  /** The hint, if it says more than where to find help. */
  readonly ownHint: string | undefined;

  constructor(message: string, hint?: string) {
    super('USAGE', message, { hint: hint ?? `\`${command('--help')}\` lists commands and flags.`, endsRun: true });
    this.ownHint = hint;
  }
}

/** A signal stops the run. What is sealed stays sealed. */
export class Interrupted extends JobError {
  readonly signal: 'SIGINT' | 'SIGTERM';

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super('INTERRUPTED', `Stopped by ${signal}.`, {
      hint: 'Run the same command again: it goes on with what is left. With --force, an export asks for all of its range.',
      endsRun: true,
      exitCode: EXIT[signal],
    });
    this.signal = signal;
  }
}

/** An error and its causes. If several errors happened at once (one for each address of a host), the first counts. */
export function* causesOf(error: unknown): Generator<Error> {
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < 8; depth++) {
    yield cause;
    cause = cause.cause ?? (cause instanceof AggregateError ? cause.errors[0] : undefined);
  }
}

/** The first code that matches, along the chain of causes. */
export function codeOf(error: unknown, pattern: RegExp): string | undefined {
  for (const cause of causesOf(error)) {
    if ('code' in cause && typeof cause.code === 'string' && pattern.test(cause.code)) return cause.code;
  }
  return undefined;
}

/** The operating system's code of an error (`ENOSPC`, `EAI_AGAIN`, …). */
export function systemCode(error: unknown): string | undefined {
  return codeOf(error, /^E(?!RR_)[A-Z0-9_]+$/);
}

/** The error of a local folder that cannot be used; undefined for any other error. `variable` names the folder. */
export function diskError(
  cause: unknown,
  folder: string,
  variable: string,
  doing: 'writing' | 'reading' = 'writing',
): JobError | undefined {
  const code = systemCode(cause) ?? '';
  const error = (kind: ErrorCode, why: string, hint: string) =>
    new JobError(kind, `${why} (${code}).`, { cause, endsRun: true, hint });
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) {
    const hint = `Free some space there, or point ${variable} at a larger disk; then run the same command again.`;
    return error('DISK_FULL', `No space is left for writing in ${folder}`, hint);
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(code)) {
    const [verb, what] = doing === 'writing' ? ['write', 'Writing'] : ['read', 'Reading'];
    const hint = `Give this user the right to ${verb} there, or point ${variable} at another folder.`;
    return error('ACCESS_DENIED', `${what} in ${folder} is not allowed`, hint);
  }
  if (['ENOTDIR', 'ENOENT', 'EISDIR', 'ENAMETOOLONG'].includes(code)) {
    const hint = `Point ${variable} at a folder that exists or can be made.`;
    return error('DESTINATION', `${folder} cannot be used as a folder`, hint);
  }
  return undefined;
}
