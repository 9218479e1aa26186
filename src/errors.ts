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

interface Explanation {
  readonly meaning: string;
  /** What a person does about it. The hint of each error says it for the case at hand. */
  readonly remedy?: string;
  /** The exit code of a run that it ends. Without it: 1, or 3 if other hours were sealed. */
  readonly exit?: number;
}

const explanations = <Code extends string>(codes: Record<Code, Explanation>): Record<Code, Explanation> => codes;

/** Every error code. People read it in the log, scripts in the JSON report. docs/errors.md is made from this list. */
export const ERRORS = explanations({
  USAGE: {
    exit: EXIT.usage,
    meaning: 'The command line has a mistake.',
    remedy: '`--help` shows the flags. The message shows the forms of a time.',
  },
  CONFIG: {
    exit: EXIT.usage,
    meaning: 'Settings are missing or wrong. The message lists all of them.',
    remedy: 'Correct them. `.env.example` explains each one.',
  },
  AMPLITUDE_CREDENTIALS: {
    exit: EXIT.credentials,
    meaning: 'Amplitude refused the keys (401 or 403). The run stops at once.',
    remedy: 'Check `AMPLITUDE_API_KEY`, `AMPLITUDE_SECRET_KEY` (both of one project) and `AMPLITUDE_REGION`.',
  },
  AMPLITUDE_BAD_REQUEST: {
    meaning: 'Amplitude says that a parameter of the request is wrong.',
    remedy: 'This is a defect of this program. Report it with the message.',
  },
  AMPLITUDE_REFUSED_WINDOW: {
    meaning: 'Amplitude answered 400 without a usable reason, for a single hour or for both halves of a window.',
    remedy: 'Run again later. If the error stays, send Amplitude the quoted answer.',
  },
  AMPLITUDE_TOO_LARGE: {
    meaning: "A single hour is larger than the Export API's limit of 4 GB.",
    remedy: "Set up Amplitude's own Amazon S3 export for this project. The API cannot serve such an hour.",
  },
  AMPLITUDE_RATE_LIMIT: {
    meaning:
      'Amplitude answered 429 for all of `EXPORT_RATE_LIMIT_WAIT_S`: the project reached the limit of its API use.',
    remedy:
      'Look for other programs that use the APIs of this project. Run again later, or lower `REQUEST_CONCURRENCY`.',
  },
  AMPLITUDE_SERVER: {
    meaning: "Every attempt got a 5xx, or an answer that is not the Export API's.",
    remedy: 'Run again. If the status is not 5xx, check `AMPLITUDE_BASE_URL`.',
  },
  AMPLITUDE_TIMEOUT: {
    meaning: 'An answer did not start in time, stopped midway or was too slow.',
    remedy:
      'Run again, or lower `REQUEST_HOURS`. `EXPORT_FIRST_BYTE_TIMEOUT_S`, `EXPORT_IDLE_TIMEOUT_S` and `EXPORT_MIN_BYTES_PER_S` set the limits.',
  },
  AMPLITUDE_UNREACHABLE: {
    meaning: 'There is no connection to Amplitude.',
    remedy: 'Check the network, name resolution and `AMPLITUDE_BASE_URL`.',
  },
  AMPLITUDE_REDIRECT: {
    meaning: "Amplitude's host answered with a redirect. The program does not follow redirects.",
    remedy: 'Check `AMPLITUDE_BASE_URL` and `AMPLITUDE_REGION`.',
  },
  AMPLITUDE_DOWN: {
    meaning: 'Five windows in a row used up their attempts without an answer. The run stops.',
    remedy: "Look at Amplitude's status page and at the network. Run again.",
  },
  NOT_AMPLITUDE: {
    meaning: 'A 404 came from something other than Amplitude: a web page, other JSON or a gateway. It sealed nothing.',
    remedy: 'Check `AMPLITUDE_BASE_URL`, and the proxies and gateways on the way.',
  },
  PROXY: {
    meaning: 'A proxy cannot be reached, asks for a user and a password (407) or opens no connection. The run ends.',
    remedy: 'Check `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.',
  },
  CERTIFICATE: {
    meaning: 'A certificate of Amplitude, S3 or a proxy cannot be verified. The run ends at once.',
    remedy: "Name the CA's file in `AWS_CA_BUNDLE` or `NODE_EXTRA_CA_CERTS`.",
  },
  ARCHIVE_TRUNCATED: {
    meaning: 'The connection broke off within the archive, at every attempt.',
    remedy: 'Run again. A smaller `REQUEST_HOURS` makes smaller archives.',
  },
  ARCHIVE_BROKEN: {
    meaning: 'The answer is no archive, or a damaged one, at every attempt.',
    remedy: 'Run again later. If the error stays, report the hours to Amplitude.',
  },
  ARCHIVE_REFUSED: {
    meaning:
      'The archive is whole, but a name in it cannot be read, leaves its folder, appears twice or belongs to another project; or no member is of the window.',
    remedy: 'Check the keys and the prefix. `REQUEST_HOURS=1` lands the other hours of the window.',
  },
  NOT_EVENTS: {
    meaning: 'A member of the archive is empty or holds no line that is an event, at every attempt.',
    remedy: 'Run again later. If the error stays, report the hours to Amplitude.',
  },
  MANIFEST_UNREADABLE: {
    meaning: 'The file in the place of a manifest is no manifest.',
    remedy: 'Look at it. `verify --repair`, or `export --force` for that hour, replaces it.',
  },
  MANIFEST_NEWER: {
    meaning: 'A newer version of this program wrote the manifest. Its hour stays as it is, even with `--force`.',
    remedy: 'Use that version.',
  },
  MANIFEST_FOREIGN: {
    meaning: 'A manifest under the prefix belongs to another project than the others.',
    remedy: 'Give each project a prefix of its own, and move the files of that hour there.',
  },
  REPAIR_SHRUNK: {
    meaning: 'Amplitude returns less for an hour than has landed, so `verify --repair` leaves it as it is.',
    remedy: 'If the smaller answer is right, use `export --force` for that hour, or `--force=empty` for no data.',
  },
  NOT_S3: {
    meaning: "An answer is not S3's: a web page, JSON, plain text, or a success without what S3 sends with it.",
    remedy: 'Check `AWS_ENDPOINT_URL_S3`, and the proxies between here and the store.',
  },
  BUCKET_MISSING: {
    meaning: 'The bucket does not exist.',
    remedy: 'Create it, or correct `S3_BUCKET` or `DESTINATION`.',
  },
  ACCESS_DENIED: {
    meaning: 'S3 or the file system does not allow the action in the message.',
    remedy: 'Allow it. For a folder, give the user (1000 in the image) the right to write.',
  },
  AWS_CREDENTIALS: {
    exit: EXIT.credentials,
    meaning: 'AWS refused the credentials, or the AWS SDK found none.',
    remedy:
      'Check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or the role of the machine and whom it trusts.',
  },
  KMS_KEY: {
    meaning: 'S3 cannot use the KMS key.',
    remedy: 'Check `S3_KMS_KEY_ID`. Allow `kms:GenerateDataKey` and `kms:Decrypt`.',
  },
  CLOCK_SKEW: {
    meaning: "This machine's clock is more than 5 minutes off Amplitude's, or S3 refuses its time.",
    remedy: 'Set the clock. A container uses the clock of its host.',
  },
  WRONG_REGION: {
    meaning: 'The bucket is in another region than `AWS_REGION`.',
    remedy: 'Set the region in the message, or unset `AWS_REGION`.',
  },
  BAD_DIGEST: {
    meaning: 'S3 received other bytes than the program sent, at every attempt.',
    remedy: 'Something on the way changes data. Check what stands between here and S3, and the memory of the machine.',
  },
  DISK_FULL: {
    meaning: 'No space is left in `WORK_DIR` or in the destination folder, or the quota of the store is used up.',
    remedy: 'Free some space, raise the quota, or point the variable in the message elsewhere.',
  },
  DESTINATION: {
    meaning: 'The destination failed in another way. The message quotes it.',
    remedy: 'Run again. `LOG_LEVEL=debug` shows the whole error.',
  },
  DESTINATION_UNREACHABLE: {
    meaning: 'There is no connection to S3, or every attempt got a 5xx.',
    remedy: 'Check the network, `AWS_REGION` and `AWS_ENDPOINT_URL_S3`.',
  },
  DESTINATION_LOCKED: {
    meaning: 'Another run is writing to the folder. The message names its process, its host and its start.',
    remedy: 'Wait for it, then run again. The lock ends with its process: there is nothing to delete.',
  },
  HOUR_CONTESTED: {
    meaning: 'Other runs sealed the hour five times while this one tried to. What they sealed stays.',
    remedy: 'Let only one run at a time work on a range. Run again.',
  },
  NOT_ATTEMPTED: {
    meaning: 'The run ended before it came to this hour. The message says why.',
    remedy: 'Mend that, then run again.',
  },
  INTERRUPTED: {
    meaning: 'SIGINT (exit code 130) or SIGTERM (143) stopped the run.',
    remedy: 'Run again.',
  },
  INTERNAL: {
    meaning: 'The program met an error that it does not know.',
    remedy: 'This is a defect. Run with `LOG_LEVEL=debug` and report what it says.',
  },
});

export type ErrorCode = keyof typeof ERRORS;

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
    const { cause, hint, endsRun = false, exitCode = ERRORS[code].exit ?? EXIT.failed, retry = false } = details;
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
      hint: 'Run the same command again: an export asks for what is not sealed yet, with --force for all of its range.',
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

/** The error of a local folder that cannot be written; undefined for any other error. `variable` names the folder. */
export function diskError(cause: unknown, folder: string, variable: string): JobError | undefined {
  const code = systemCode(cause) ?? '';
  const error = (kind: ErrorCode, why: string, hint: string) =>
    new JobError(kind, `${why} (${code}).`, { cause, endsRun: true, hint });
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) {
    const hint = `Free some space there, or point ${variable} at a larger disk; then run the same command again.`;
    return error('DISK_FULL', `No space is left for writing in ${folder}`, hint);
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(code)) {
    const hint = `Give this user the right to write there, or point ${variable} at another folder.`;
    return error('ACCESS_DENIED', `Writing in ${folder} is not allowed`, hint);
  }
  if (['ENOTDIR', 'ENOENT', 'EISDIR', 'ENAMETOOLONG'].includes(code)) {
    const hint = `Point ${variable} at a folder that exists or can be made.`;
    return error('DESTINATION', `${folder} cannot be used as a folder`, hint);
  }
  return undefined;
}
