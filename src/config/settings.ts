import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { cleanEnv, type ValidatorSpec } from 'envalid';
import { EXIT, JobError, seeHelp, UsageError } from '../errors.ts';
import { type Redact, redaction } from '../redaction.ts';
import { readDestination, withoutUserinfo } from './address.ts';
import { passwordsOf, readCredentials, readProxies, secretsOf } from './credentials.ts';
import { type Found, find, inSecretVariables, missing, misspelt } from './names.ts';
import { readTimes, type TimeFlags } from './range.ts';
import { choose, VARIABLES, type Variable, type VariableName } from './variables.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type OutputFormat = 'json' | 'gzip';
export type LogFormat = 'pretty' | 'json' | 'kestra';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type DestinationAddress =
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }
  | { readonly kind: 'file'; readonly folder: string };

/** All that the environment says, checked. Times are still text: what they mean depends on flags and on the clock. */
export interface Settings {
  readonly amplitude: {
    readonly apiKey: string;
    readonly secretKey: string;
    readonly region: 'us' | 'eu';
    readonly baseUrl: string;
    readonly maxAttempts: number;
    readonly backoffMs: number;
    readonly connectTimeoutMs: number;
    readonly firstByteTimeoutMs: number;
    readonly idleTimeoutMs: number;
    /** 0: any rate will do. */
    readonly minBytesPerSecond: number;
    readonly concurrency: number;
    /** Longest time to wait for one window while the answer is 429. */
    readonly rateLimitWaitMs: number;
    readonly proxyEnv: ProxyEnv;
  };
  /** A file of certificates to trust besides the usual ones. */
  readonly caBundle: string | undefined;
  readonly destination: DestinationAddress;
  readonly s3: S3Settings;
  readonly range: {
    readonly start: string | undefined;
    readonly end: string | undefined;
    readonly lookbackDays: number;
    readonly timezone: string;
  };
  readonly outputFormat: OutputFormat;
  readonly settleHours: number;
  readonly requestHours: number;
  readonly uploadConcurrency: number;
  readonly archiveMemoryBytes: number;
  readonly workDir: string;
  readonly reportFile: string | undefined;
  /** Values that no output may show. */
  readonly secrets: readonly string[];
  /** Of names that look misspelt or are not used, and of a folder that is lost with its container: a sentence each. */
  readonly warnings: readonly string[];
}

export interface S3Settings {
  readonly credentials:
    | {
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken?: string;
      }
    | undefined;
  /** That of the SDK's own chain, to be named where it brings no credentials. */
  readonly profile: string | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly kmsKeyId: string | undefined;
  readonly sse: 'AES256' | 'aws:kms' | undefined;
  /** Undefined: virtual for AWS, path for an endpoint. */
  readonly addressing: 'path' | 'virtual' | undefined;
  readonly proxyEnv: ProxyEnv;
  readonly maxAttempts: number;
}

/** As Node.js's agents take it. */
export type ProxyEnv = Readonly<Partial<Record<'HTTPS_PROXY' | 'HTTP_PROXY' | 'NO_PROXY', string>>>;

/** Hosts of the Export API: documented by Amplitude for its US and EU data regions. */
export const HOSTS = {
  us: 'https://amplitude.com',
  eu: 'https://analytics.eu.amplitude.com',
} as const;

export class ConfigError extends JobError {
  override name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super('CONFIG', `The settings cannot be used:\n${listed(problems)}`, {
      hint: 'Set them in the environment (docker run --env-file, .env for npm start); .env.example lists them all.',
      endsRun: true,
      exitCode: EXIT.usage,
    });
    this.problems = problems;
  }
}

function listed(problems: readonly string[]): string {
  return problems.map((problem) => `  - ${problem}`).join('\n');
}

/** What a command asks of the settings, and what its command line said. */
export interface Needs {
  /** Without it the keys of Amplitude may be missing (they are empty then): who only looks at what has landed needs none. */
  readonly amplitude: boolean;
  readonly flags?: TimeFlags;
  /** What is wrong with the command line, to be told with the rest. */
  readonly wrong?: readonly UsageError[];
  /** /proc/self/mountinfo, for the warning that a folder is lost with its container. */
  readonly mounts?: string;
}

/** The only look at the process's environment; everything else is handed what it needs. */
export function processEnvironment(): Environment {
  // An editor's mark at the head of an env file ends up in the first name.
  for (const [name, value] of Object.entries(process.env)) {
    if (!name.startsWith('\uFEFF')) continue;
    process.env[name.slice(1)] ??= value;
    delete process.env[name];
  }
  // The AWS SDK reads its own variables and takes an empty one for a value.
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_') && process.env[name] === '') delete process.env[name];
  }
  return process.env;
}

/** What is mounted where, as Linux tells it; empty elsewhere. */
export function processMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}

/** The look of the log, which must be known before anything can be said about the rest. */
export function logSettings(env: Environment, isTerminal: boolean) {
  const format = choose(env.LOG_FORMAT ?? '', ['pretty', 'json', 'kestra'] as const);
  const level = choose(env.LOG_LEVEL ?? '', ['debug', 'info', 'warn', 'error'] as const);
  return {
    format: (format ?? (isTerminal ? 'pretty' : 'json')) satisfies LogFormat as LogFormat,
    level: (level ?? 'info') satisfies LogLevel as LogLevel,
    color: isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
  };
}

/**
 * Reads and checks every setting. Throws one JobError (code CONFIG, exit code 2) that lists all that is wrong, each
 * with the variable or flag, the reason and an example; code USAGE where it is flags alone. `""` counts as unset.
 */
export function loadSettings(env: Environment, needs: Needs = { amplitude: true }): Settings {
  const problems: string[] = [];
  const warnings: string[] = [];
  const found = new Map<VariableName, Found>();
  const unusable = new Set<VariableName>();
  for (const name of Object.keys(VARIABLES) as VariableName[]) {
    const before = problems.length;
    const value = find(name, env, problems, warnings);
    if (value !== undefined) found.set(name, value);
    if (problems.length > before) unusable.add(name);
  }
  // A key may have been pasted into the wrong variable, whose value a message would show.
  const redact = redaction([...secretsOf(found, '', ''), ...inSecretVariables(env)]);
  const input: Record<string, string> = {};
  const specs: Record<string, ValidatorSpec<unknown>> = {};
  for (const [name, variable] of Object.entries(VARIABLES) as [VariableName, Variable][]) {
    // envalid takes a default as it stands; handed in as input it is parsed like any other value.
    const value = found.get(name)?.value ?? variable.default;
    if (value !== undefined) input[name] = value;
    specs[name] = variable.validator({ default: undefined });
  }
  const clean = cleanEnv(input, specs, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) {
        if (error === undefined) continue;
        const { example, secret } = VARIABLES[name as VariableName] as Variable;
        const at = found.get(name as VariableName);
        unusable.add(name as VariableName);
        const shown = secret === true ? ':' : ` is "${withoutUserinfo(redact(at?.value ?? ''))}":`;
        problems.push(`${at?.name ?? name}${shown} it ${error.message}, for example ${example}.`);
      }
    },
  }) as unknown as Record<VariableName, string & number>;

  const unknown = misspelt(env, found);
  // envalid throws where a value that did not pass is looked at.
  const get = (name: VariableName): string | undefined =>
    found.has(name) && !unusable.has(name) ? clean[name] : undefined;
  const require = (name: VariableName) => {
    if (needs.amplitude && !found.has(name) && !unusable.has(name)) problems.push(missing(name, unknown));
    return found.get(name)?.value ?? '';
  };
  const apiKey = require('AMPLITUDE_API_KEY');
  const secretKey = require('AMPLITUDE_SECRET_KEY');
  const prefix = unusable.has('S3_PREFIX') ? '' : clean.S3_PREFIX;
  warnings.push(...unknown.map(asksFor));
  const given = { found, unusable, get, unknown, redact, mounts: needs.mounts ?? '' };
  const destination = readDestination(given, prefix, problems, warnings);
  const credentials = readCredentials(found, unusable, problems);
  if (get('S3_KMS_KEY_ID') !== undefined && get('S3_SSE') === 'AES256') {
    problems.push('S3_SSE is "AES256", and S3_KMS_KEY_ID names a key: leave one of them out, or set S3_SSE=aws:kms.');
  }
  const range = {
    start: get('EXPORT_START'),
    end: get('EXPORT_END'),
    lookbackDays: unusable.has('LOOKBACK_DAYS') ? 1 : clean.LOOKBACK_DAYS,
    timezone: unusable.has('EXPORT_TIMEZONE') ? 'UTC' : clean.EXPORT_TIMEZONE,
  };
  const wrong: JobError[] = [...(needs.wrong ?? [])];
  readTimes(needs.flags ?? {}, range, wrong);
  if (problems.length > 0) {
    for (const at of unknown) if (!problems.some((problem) => problem.includes(at.name))) problems.push(asksFor(at));
  }
  refuse(problems, wrong, redact);

  const proxyEnv = readProxies(get);
  const region = clean.AMPLITUDE_REGION as unknown as 'us' | 'eu';
  return {
    amplitude: {
      apiKey,
      secretKey,
      region,
      baseUrl: get('AMPLITUDE_BASE_URL') ?? HOSTS[region],
      maxAttempts: clean.EXPORT_MAX_ATTEMPTS,
      backoffMs: clean.EXPORT_BACKOFF_MS,
      connectTimeoutMs: clean.EXPORT_CONNECT_TIMEOUT_S * 1000,
      firstByteTimeoutMs: clean.EXPORT_FIRST_BYTE_TIMEOUT_S * 1000,
      idleTimeoutMs: clean.EXPORT_IDLE_TIMEOUT_S * 1000,
      minBytesPerSecond: clean.EXPORT_MIN_BYTES_PER_S,
      concurrency: clean.REQUEST_CONCURRENCY,
      rateLimitWaitMs: clean.EXPORT_RATE_LIMIT_WAIT_S * 1000,
      proxyEnv,
    },
    caBundle: get('AWS_CA_BUNDLE'),
    destination,
    s3: {
      credentials,
      profile: env.AWS_PROFILE,
      region: get('AWS_REGION'),
      endpoint: get('AWS_ENDPOINT_URL_S3'),
      kmsKeyId: get('S3_KMS_KEY_ID'),
      sse: get('S3_SSE') as S3Settings['sse'],
      addressing: get('S3_ADDRESSING') as S3Settings['addressing'],
      proxyEnv,
      maxAttempts: clean.UPLOAD_MAX_ATTEMPTS,
    },
    range,
    outputFormat: clean.OUTPUT_FORMAT as unknown as OutputFormat,
    settleHours: clean.SETTLE_HOURS,
    requestHours: clean.REQUEST_HOURS,
    uploadConcurrency: clean.UPLOAD_CONCURRENCY,
    archiveMemoryBytes: clean.ARCHIVE_MEMORY_MB * 2 ** 20,
    workDir: resolve(clean.WORK_DIR),
    reportFile: get('REPORT_FILE'),
    secrets: [...secretsOf(found, apiKey, secretKey), ...passwordsOf(proxyEnv)],
    warnings,
  };
}

function asksFor({ name, meant }: { name: string; meant: string }): string {
  return `${name} is no setting of this program; did you mean ${meant}?`;
}

function refuse(problems: readonly string[], wrong: readonly JobError[], redact: Redact): void {
  const told = ({ message, hint }: JobError) => redact(hint === seeHelp() ? message : `${message} ${hint}`);
  const lines = [...problems, ...wrong.map(told)];
  if (lines.length === 0) return;
  if (problems.length > 0 || !wrong.every((error) => error instanceof UsageError)) throw new ConfigError(lines);
  const [only] = wrong;
  if (wrong.length === 1) throw new UsageError(redact(only?.message ?? ''), only?.hint);
  throw new UsageError(`The flags cannot be used:\n${listed(lines)}`);
}
