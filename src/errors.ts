import { command } from './command-line.ts';

/** What can go wrong, as a person who reads the log or a script that reads the JSON report tells it apart. */
export type ErrorCode =
  | 'USAGE'
  | 'CONFIG'
  | 'AMPLITUDE_CREDENTIALS'
  | 'AMPLITUDE_BAD_REQUEST'
  | 'AMPLITUDE_REFUSED_WINDOW'
  | 'AMPLITUDE_TOO_LARGE'
  | 'AMPLITUDE_RATE_LIMIT'
  | 'AMPLITUDE_SERVER'
  | 'AMPLITUDE_TIMEOUT'
  | 'AMPLITUDE_UNREACHABLE'
  | 'AMPLITUDE_REDIRECT'
  | 'AMPLITUDE_DOWN'
  | 'NOT_AMPLITUDE'
  | 'PROXY'
  | 'CERTIFICATE'
  | 'ARCHIVE_TRUNCATED'
  | 'ARCHIVE_BROKEN'
  | 'ARCHIVE_REFUSED'
  | 'NOT_EVENTS'
  | 'MANIFEST_UNREADABLE'
  | 'MANIFEST_NEWER'
  | 'MANIFEST_FOREIGN'
  | 'REPAIR_SHRUNK'
  | 'NOT_S3'
  | 'BUCKET_MISSING'
  | 'ACCESS_DENIED'
  | 'AWS_CREDENTIALS'
  | 'KMS_KEY'
  | 'CLOCK_SKEW'
  | 'WRONG_REGION'
  | 'BAD_DIGEST'
  | 'DISK_FULL'
  | 'DESTINATION'
  | 'DESTINATION_UNREACHABLE'
  | 'DESTINATION_LOCKED'
  | 'HOUR_CONTESTED'
  | 'NOT_ATTEMPTED'
  | 'INTERRUPTED'
  | 'INTERNAL';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  credentials: 4,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/**
 * True of every command: a gap is asked for until it is sealed, an unsettled hour until it has settled, and --force and
 * --repair ask for their hours each time.
 */
export const RUN_AGAIN = 'Run the same command again: it asks again for every hour of its range that failed';

interface ErrorDetails {
  /** The next step for the person who reads the message; a whole sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** True where every other hour would meet the same error, so that the run ends at once. */
  readonly endsRun?: boolean;
  readonly exitCode?: number;
  /** True where another request may bring a right archive. */
  readonly retry?: boolean;
}

/**
 * An error that the job foresaw: `message` says what failed, on what and why; `hint` says what to do next.
 * Whatever is thrown and is no JobError is a defect of this program.
 */
export class JobError extends Error {
  override name = 'JobError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly endsRun: boolean;
  readonly exitCode: number;
  readonly retry: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.endsRun = details.endsRun ?? false;
    this.exitCode = details.exitCode ?? EXIT.failed;
    this.retry = details.retry ?? false;
  }
}

export const seeHelp = () => `\`${command('--help')}\` lists commands and flags.`;

/** A mistake on the command line: one line and exit code 2. */
export class UsageError extends JobError {
  override name = 'UsageError';
  constructor(message: string, hint = seeHelp()) {
    super('USAGE', message, { hint, endsRun: true, exitCode: EXIT.usage });
  }
}

/** The run was told to stop; what was sealed stays sealed. */
export class Interrupted extends JobError {
  override name = 'Interrupted';
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

/** The system's own code of an error (`ENOSPC`, `EAI_AGAIN`, …), wherever in the chain of causes it stands. */
export function systemCode(error: unknown): string | undefined {
  return codeOf(error, /^E(?!RR_)[A-Z0-9_]+$/);
}

/** The first code that matches, along the chain of causes. */
export function codeOf(error: unknown, pattern: RegExp): string | undefined {
  for (const at of causesOf(error)) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && pattern.test(code)) return code;
  }
  return undefined;
}

/** An error and its causes. Of several at once (each address of a host fails by itself) the first one is the cause. */
export function* causesOf(error: unknown): Generator<Error> {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < 8; depth++) {
    yield at;
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined);
  }
}

/** A local disk or folder that cannot be written, told by the system's code; undefined for any other error. */
export function diskError(error: unknown, folder: string, variable: string): JobError | undefined {
  const code = systemCode(error);
  const details = { cause: error, endsRun: true };
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new JobError('DISK_FULL', `No space is left for writing in ${folder} (${code}).`, {
      ...details,
      hint: `Free some space there, or point ${variable} at a larger disk; then run the same command again.`,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new JobError('ACCESS_DENIED', `Writing in ${folder} is not allowed (${code}).`, {
      ...details,
      hint: `Give this user the right to write there, or point ${variable} at another folder.`,
    });
  }
  if (code === 'ENOTDIR' || code === 'ENOENT' || code === 'EISDIR' || code === 'ENAMETOOLONG') {
    return new JobError('DESTINATION', `${folder} cannot be used as a folder (${code}).`, {
      ...details,
      hint: `Point ${variable} at a folder that exists or can be made.`,
    });
  }
  return undefined;
}
