import { resolve } from 'node:path';
import { type CleanedEnv, cleanEnv } from 'envalid';
import type { Environment } from '../command-line.ts';
import { JobError, UsageError } from '../errors.ts';
import type { ProxyEnv } from '../network.ts';
import { type Redact, redaction } from '../redaction.ts';
import { type DestinationAddress, isLostWithContainer, nameOf } from './address.ts';
import { halfPair, passwordsOf, secretsOf, withoutUserinfo } from './credentials.ts';
import { find, type Given, missing, misspelt, textsOfSecrets } from './names.ts';
import { isPath, PathError } from './path.ts';
import { readTimes, type TimeFlags } from './range.ts';
import { VARIABLE_NAMES, VARIABLES } from './variables.ts';
import { secretsIn, type Watch } from './watch.ts';

export type { Environment } from '../command-line.ts';
export type { DestinationAddress } from './address.ts';

/** Hosts of the Export API, documented by Amplitude for its US and EU data regions. */
export const HOSTS = {
  us: 'https://amplitude.com',
  eu: 'https://analytics.eu.amplitude.com',
} as const;

/** All that the environment says, checked. */
export type Settings = ReturnType<typeof loadSettings>;
export type S3Settings = Settings['s3'];
export type OutputFormat = Settings['outputFormat'];

export class ConfigError extends JobError {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super('CONFIG', `The settings cannot be used:\n${listed(problems)}`, {
      hint: 'Set them in the environment (docker run --env-file, .env for npm start); .env.example lists them all.',
      endsRun: true,
    });
    this.problems = problems;
  }
}

/** What a command asks of the settings, and what its command line says. */
export interface Needs {
  /** If false, Amplitude's keys may be missing. They are empty then. */
  readonly amplitude: boolean;
  readonly flags?: TimeFlags;
  /** Problems of the command line, to be reported with the others. */
  readonly wrong?: readonly UsageError[];
  /** /proc/self/mountinfo, for a warning about a folder that is lost with its container. */
  readonly mounts?: string;
  /** Called before any problem is thrown: other settings may be wrong, and those who watch the runs must hear of it. */
  readonly onWatch?: (watch: Watch) => void;
}

/**
 * Reads and checks every setting. Throws one error that lists every problem: a ConfigError, or a UsageError if all are
 * about flags.
 */
export function loadSettings(env: Environment, needs: Needs = { amplitude: true }) {
  const problems: string[] = [];
  const warnings: string[] = [];
  const given: Given = new Map();
  for (const name of VARIABLE_NAMES) {
    const before = problems.length;
    const found = find(name, env, problems, warnings);
    if (found !== undefined || problems.length > before) given.set(name, found);
  }
  // People paste keys into wrong variables, whose values messages show.
  const redact = redaction([...secretsOf(given), ...textsOfSecrets(env)]);
  const values = readValues(given, redact, problems);
  if (needs.amplitude) {
    const keys = ['AMPLITUDE_API_KEY', 'AMPLITUDE_SECRET_KEY'] as const;
    problems.push(...keys.filter((name) => !given.has(name)).map(missing));
  }
  if (!given.has('DESTINATION') && !given.has('S3_BUCKET')) {
    problems.push(`DESTINATION is not set, for example ${VARIABLES.DESTINATION.example}; ${missing('S3_BUCKET')}`);
  }
  const { S3_BUCKET: bucket, S3_PREFIX: prefix } = values;
  const destination = values.DESTINATION ?? (bucket && { kind: 's3' as const, bucket, prefix });
  const watch = watchOf(values, destination || undefined, given);
  needs.onWatch?.(watch);
  problems.push(...halfPair(given));
  if (values.S3_KMS_KEY_ID !== undefined && values.S3_SSE === 'AES256') {
    problems.push('S3_SSE is "AES256", and S3_KMS_KEY_ID names a key: leave one of them out, or set S3_SSE=aws:kms.');
  }
  const range = {
    start: values.EXPORT_START,
    end: values.EXPORT_END,
    lookbackDays: values.LOOKBACK_DAYS,
    timezone: values.EXPORT_TIMEZONE,
  };
  const wrong: JobError[] = [...(needs.wrong ?? [])];
  readTimes(needs.flags ?? {}, range, wrong);
  const guesses = misspelt(env, given);
  if (problems.length > 0) problems.push(...guesses);
  const error = refusal(problems, wrong, redact);
  if (error !== undefined || !destination) throw error;

  const amplitude = amplitudeSettings(values);
  const { METRICS_FILE: metrics } = values;
  // Other files in its folder are none to node_exporter, which would never say so.
  if (metrics !== undefined && !/[^\\/]\.prom$/.test(metrics)) {
    warnings.push(`METRICS_FILE is "${shown(metrics, redact)}": node_exporter reads files that end in .prom only.`);
  }
  warnings.push(...guesses, ...destinationWarnings(destination, given, values, needs.mounts ?? '', redact));
  return {
    amplitude,
    destination,
    s3: s3Settings(values, env.AWS_PROFILE),
    range,
    caBundle: values.AWS_CA_BUNDLE,
    outputFormat: values.OUTPUT_FORMAT,
    settleHours: values.SETTLE_HOURS,
    requestHours: values.REQUEST_HOURS,
    uploadConcurrency: values.UPLOAD_CONCURRENCY,
    archiveMemoryBytes: values.ARCHIVE_MEMORY_MB * 2 ** 20,
    workDir: resolve(values.WORK_DIR),
    reportFile: values.REPORT_FILE,
    /** No output may show them. */
    secrets: watch.secrets,
    warnings,
  };
}

type Values = CleanedEnv<typeof VARIABLES>;

/** The values of the settings. One that cannot be read is a problem, and has no value. */
function readValues(given: Given, redact: Redact, problems: string[]): Values {
  const texts = () => Object.fromEntries([...given].map(([name, found]) => [name, found?.value]));
  cleanEnv(texts(), VARIABLES, {
    reporter: ({ errors }) => {
      for (const [name, found] of given) {
        const error = errors[name];
        if (error === undefined || found === undefined) continue;
        const { secret, example } = VARIABLES[name];
        const shownValue = secret ? '' : ` is "${shown(found.value, redact)}"`;
        const place = name === 'DESTINATION' && error instanceof PathError ? '/data' : example;
        problems.push(`${found.name}${shownValue}: it ${error.message}, for example ${place}.`);
        given.set(name, undefined);
      }
    },
  });
  return cleanEnv(texts(), VARIABLES);
}

function watchOf(values: Values, destination: DestinationAddress | undefined, given: Given): Watch {
  const proxyEnv = proxies(values);
  return {
    metricsFile: values.METRICS_FILE,
    notifyUrl: values.NOTIFY_URL,
    destination: destination && nameOf(destination),
    proxyEnv,
    caBundle: values.AWS_CA_BUNDLE,
    secrets: [...secretsOf(given), ...secretsIn(values.NOTIFY_URL), ...passwordsOf(proxyEnv)],
  };
}

function amplitudeSettings(values: Values) {
  return {
    apiKey: values.AMPLITUDE_API_KEY ?? '',
    secretKey: values.AMPLITUDE_SECRET_KEY ?? '',
    region: values.AMPLITUDE_REGION,
    baseUrl: values.AMPLITUDE_BASE_URL ?? HOSTS[values.AMPLITUDE_REGION],
    maxAttempts: values.EXPORT_MAX_ATTEMPTS,
    backoffMs: values.EXPORT_BACKOFF_MS,
    connectTimeoutMs: values.EXPORT_CONNECT_TIMEOUT_S * 1000,
    firstByteTimeoutMs: values.EXPORT_FIRST_BYTE_TIMEOUT_S * 1000,
    idleTimeoutMs: values.EXPORT_IDLE_TIMEOUT_S * 1000,
    minBytesPerSecond: values.EXPORT_MIN_BYTES_PER_S,
    concurrency: values.REQUEST_CONCURRENCY,
    rateLimitWaitMs: values.EXPORT_RATE_LIMIT_WAIT_S * 1000,
    proxyEnv: proxies(values),
  };
}

function s3Settings(values: Values, profile: string | undefined) {
  return {
    /** Without them, the AWS SDK looks for some. `profile` is its own setting, to be named if it finds none. */
    credentials: credentials(values),
    profile,
    region: values.AWS_REGION,
    endpoint: values.AWS_ENDPOINT_URL_S3,
    kmsKeyId: values.S3_KMS_KEY_ID,
    sse: values.S3_SSE,
    /** Without it: virtual for AWS, path for an endpoint. */
    addressing: values.S3_ADDRESSING,
    proxyEnv: proxies(values),
    maxAttempts: values.UPLOAD_MAX_ATTEMPTS,
  };
}

function credentials(values: Values) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = values;
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) };
}

function proxies({ HTTPS_PROXY, HTTP_PROXY, NO_PROXY }: Values): ProxyEnv {
  const given = Object.entries({ HTTPS_PROXY, HTTP_PROXY, NO_PROXY }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

function destinationWarnings(
  destination: DestinationAddress,
  given: Given,
  values: Values,
  mounts: string,
  redact: Redact,
): string[] {
  const found = given.get('DESTINATION');
  if (found === undefined) return [];
  const place = shown(found.value, redact);
  const warnings: string[] = [];
  const beaten = (['S3_BUCKET', 'S3_PREFIX'] as const).flatMap((name) => given.get(name) ?? []);
  const isSame =
    destination.kind === 's3' &&
    [destination.bucket, undefined].includes(values.S3_BUCKET) &&
    (!given.has('S3_PREFIX') || values.S3_PREFIX === destination.prefix);
  if (beaten.length > 0 && !isSame) {
    const names = beaten.map(({ name, value }) => `${name}=${redact(value)}`).join(' and ');
    warnings.push(`DESTINATION=${place} is used, and ${names} is not: leave one of them out.`);
  }
  if (destination.kind === 'file' && isLostWithContainer(destination.folder, mounts)) {
    warnings.push(
      `DESTINATION is "${place}", which is inside the container and is lost with it (docker run --rm): mount a folder there, for example -v "$PWD/data:/data" with DESTINATION=/data.`,
    );
  }
  return warnings;
}

/** A value as messages show it: without secrets, and without the user and password of an address. */
function shown(value: string, redact: Redact): string {
  return isPath(value) ? redact(value) : withoutUserinfo(redact(value));
}

function refusal(problems: readonly string[], wrong: readonly JobError[], redact: Redact): JobError | undefined {
  const flags = wrong.filter((error) => error instanceof UsageError);
  const lines = wrong.map((error) => {
    const hint = error instanceof UsageError ? error.ownHint : error.hint;
    return redact(hint === undefined ? error.message : `${error.message} ${hint}`);
  });
  if (problems.length > 0 || flags.length < wrong.length) return new ConfigError([...problems, ...lines]);
  const [only, ...more] = flags;
  if (only === undefined) return undefined;
  return more.length === 0
    ? new UsageError(redact(only.message), only.ownHint)
    : new UsageError(`The flags cannot be used:\n${listed(lines)}`);
}

function listed(problems: readonly string[]): string {
  return problems.map((problem) => `  - ${problem}`).join('\n');
}
