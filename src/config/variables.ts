import { tmpdir } from 'node:os';
import { makeExactValidator, type OptionalValidatorSpec, type RequiredValidatorSpec } from 'envalid';
import { LONGEST_REQUEST_HOURS } from '../hours.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../log.ts';
import { readDestination } from './address.ts';
import { localPath } from './path.ts';
import * as read from './readers.ts';

/** What people need to know about a setting. Its canonical name is its key in VARIABLES. */
interface Facts {
  readonly description: string;
  /** For error messages and `.env.example`. Never a working secret. */
  readonly example: string;
  /** Other names that count, after the canonical one and in this order. Other pipelines use them. */
  readonly aliases?: readonly string[];
  /** No output shows the value. `NAME_FILE` may name a file that holds it. */
  readonly secret?: boolean;
}

export type Variable = Facts & { readonly default?: string | number | undefined };

function optional<T>(reader: read.Reader<T>, facts: Facts): OptionalValidatorSpec<T> & Facts {
  return { ...facts, ...makeExactValidator(reader)({ default: undefined }) };
}

function defaulting<T extends string | number>(
  reader: read.Reader<T>,
  facts: Omit<Facts, 'example'> & { default: NonNullable<T>; example?: string },
): RequiredValidatorSpec<T> & Facts {
  return { example: String(facts.default), ...facts, ...makeExactValidator(reader)({ default: facts.default }) };
}

function whole([least, most]: readonly [number, number], usual: number, description: string) {
  return defaulting(read.wholeNumber(least, most), { default: usual, description });
}

function seconds(usual: number, description: string) {
  return defaulting(read.seconds, { default: usual, description });
}

function secret(example: string, description: string, aliases: readonly string[] = []) {
  return optional(read.asIs, { description, example, aliases, secret: true });
}

const AMPLITUDE = {
  AMPLITUDE_API_KEY: secret('0123456789abcdef0123456789abcdef', "The project's API key.", ['AMP_API_KEY', 'API_TOKEN']),
  AMPLITUDE_SECRET_KEY: secret('fedcba9876543210fedcba9876543210', "The project's secret key.", [
    'AMP_SECRET_KEY',
    'SECRET_KEY',
  ]),
  AMPLITUDE_REGION: defaulting(read.choiceOf(['us', 'eu'], { us: 'Standard Server', eu: 'EU Residency Server' }), {
    default: 'us',
    aliases: ['AMP_DATA_REGION', 'AMPLITUDE_DATA_REGION', 'AMP_REGION'],
    description: "The project's data region: us or eu.",
    example: 'eu',
  }),
  AMPLITUDE_BASE_URL: optional(read.apiAddress, {
    description: "Scheme and host to ask instead of the region's. For tests and the simulator.",
    example: 'http://127.0.0.1:8300',
  }),
};

const DESTINATION = {
  DESTINATION: optional(readDestination, {
    description: 'Where to put the hours: s3://bucket/prefix, file:///folder or a path. Beats S3_BUCKET and S3_PREFIX.',
    example: 's3://my-bucket/amplitude',
  }),
  S3_BUCKET: optional(read.bucketName, {
    aliases: ['BUCKET_NAME', 'AWB_BUCKET_NAME', 'AWS_BUCKET_NAME', 'bucket_name'],
    description: 'The bucket, if DESTINATION is not set.',
    example: 'my-bucket',
  }),
  S3_PREFIX: defaulting(read.keyPrefix, {
    default: 'amplitude',
    description: 'The folder in S3_BUCKET. Give each Amplitude project a folder of its own.',
    example: 'python-import',
  }),
  AWS_ACCESS_KEY_ID: secret(
    'AKIAIOSFODNN7EXAMPLE',
    'The AWS access key. Without it, the AWS SDK looks for credentials (profile, role of the instance or task, …).',
    ['AWS_ACCESS_KEY', 'Access_key_ID', 'ACCESS_KEY', 'aws_key'],
  ),
  AWS_SECRET_ACCESS_KEY: secret(
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    'The secret that belongs to the access key.',
    ['AWS_SECRET_KEY', 'Secret_access_key', 'SECRET_ACCESS_KEY', 'secret'],
  ),
  AWS_SESSION_TOKEN: secret('IQoJb3JpZ2luX2VjEXAMPLETOKEN', 'The session token of temporary AWS keys.'),
  AWS_REGION: optional(read.regionName, {
    aliases: ['AWS_DEFAULT_REGION', 'region'],
    description: "The bucket's region. Without it, the AWS SDK looks for one; if it finds none, S3 tells it.",
    example: 'eu-central-1',
  }),
  AWS_ENDPOINT_URL_S3: optional(read.webAddress, {
    aliases: ['AWS_ENDPOINT_URL'],
    description: 'The address of an S3 server other than AWS.',
    example: 'http://127.0.0.1:9000',
  }),
  S3_KMS_KEY_ID: optional(read.asIs, {
    description: "The KMS key for SSE-KMS. Without it, the bucket's default encryption applies.",
    example: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  }),
  S3_SSE: optional(read.choiceOf(['AES256', 'aws:kms']), {
    description: 'The encryption to request for every object: AES256 or aws:kms. S3_KMS_KEY_ID implies aws:kms.',
    example: 'aws:kms',
  }),
  S3_ADDRESSING: optional(read.choiceOf(['path', 'virtual']), {
    description: 'Where the bucket stands in the address: path or virtual. AWS gets virtual, another server path.',
    example: 'virtual',
  }),
  OUTPUT_FORMAT: defaulting(read.choiceOf(['json', 'gzip']), {
    default: 'json',
    description: 'json stores objects uncompressed. gzip stores them as Amplitude compressed them.',
    example: 'gzip',
  }),
};

const HOURS = {
  EXPORT_START: optional(read.asIs, {
    description: 'The first hour: 2026-11-20T05 (UTC), 2026-11-20 (a day) or 2026-11-20T05:00:00Z.',
    example: '2026-11-20',
  }),
  EXPORT_END: optional(read.asIs, {
    description: 'The end of the range, exclusive, in the same forms.',
    example: '2026-11-21',
  }),
  LOOKBACK_DAYS: whole([1, 3650], 7, 'How many days to look back for gaps, if no start is given.'),
  EXPORT_TIMEZONE: defaulting(read.timeZone, {
    default: 'UTC',
    description: 'The time zone of days: of a bare date and of --yesterday.',
    example: 'Europe/Berlin',
  }),
  SETTLE_HOURS: whole(
    [0, 8760],
    24,
    'An export asks for an hour once more when it is this many hours old, because late events may arrive. 0: never.',
  ),
};

const WORK = {
  REQUEST_HOURS: whole([1, LONGEST_REQUEST_HOURS], 24, 'The most hours to ask for in one request.'),
  REQUEST_CONCURRENCY: whole([1, 5], 4, 'Requests at once. Amplitude allows a project 5, over all its REST APIs.'),
  EXPORT_MAX_ATTEMPTS: whole([1, 20], 5, 'The most attempts for one request.'),
  EXPORT_BACKOFF_MS: whole(
    [0, 60_000],
    1000,
    'The longest first pause between attempts, in milliseconds. It doubles up to 60 s. The pause is random below it.',
  ),
  EXPORT_RATE_LIMIT_WAIT_S: seconds(900, 'How long to wait for one window while Amplitude answers 429, in seconds.'),
  EXPORT_CONNECT_TIMEOUT_S: seconds(10, 'How long connecting to Amplitude may take, in seconds.'),
  EXPORT_FIRST_BYTE_TIMEOUT_S: seconds(
    300,
    'How long an answer may take to start, in seconds. Amplitude prepares the archive in this time.',
  ),
  EXPORT_IDLE_TIMEOUT_S: seconds(60, 'How long an answer may pause, in seconds.'),
  EXPORT_MIN_BYTES_PER_S: whole(
    [0, 1_000_000_000],
    1024,
    'The slowest download to accept, in bytes per second over five minutes. 0: any.',
  ),
  UPLOAD_CONCURRENCY: whole([1, 64], 8, 'Members to inflate and upload at once.'),
  UPLOAD_MAX_ATTEMPTS: whole([1, 20], 5, 'The most attempts for one upload.'),
  ARCHIVE_MEMORY_MB: whole(
    [0, 2048],
    64,
    'Memory for all archives together, in MB. What does not fit goes to a temporary file in WORK_DIR.',
  ),
  WORK_DIR: defaulting(localPath, {
    default: tmpdir(),
    description: "The folder for temporary files that hold large archives. Without it, the system's.",
    example: '/var/tmp',
  }),
};

const NETWORK = {
  HTTPS_PROXY: optional(read.proxyUrl, {
    aliases: ['https_proxy'],
    description: 'The proxy for https:// addresses, of Amplitude and of the store.',
    example: 'http://proxy.example.com:3128',
  }),
  HTTP_PROXY: optional(read.proxyUrl, {
    aliases: ['http_proxy'],
    description: 'The proxy for http:// addresses.',
    example: 'http://proxy.example.com:3128',
  }),
  NO_PROXY: optional(read.asIs, {
    aliases: ['no_proxy'],
    description: 'Hosts to reach without the proxy, separated by commas.',
    example: 'localhost,.internal.example.com',
  }),
  AWS_CA_BUNDLE: optional(localPath, {
    description: 'A file of certificates (PEM) to trust besides the usual ones. NODE_EXTRA_CA_CERTS works too.',
    example: '/etc/ssl/company-ca.pem',
  }),
};

const REPORT = {
  REPORT_FILE: optional(localPath, {
    description: 'A file that also gets the document of --json, for schedulers that keep the files of a run.',
    example: 'run-report.json',
  }),
  LOG_FORMAT: optional(read.choiceOf(LOG_FORMATS), {
    description:
      'pretty, json or kestra (log lines, outputs and metrics for Kestra). Without it, pretty on a terminal and json elsewhere.',
    example: 'kestra',
  }),
  LOG_LEVEL: defaulting(read.choiceOf(LOG_LEVELS), {
    default: 'info',
    description: 'debug, info, warn or error.',
    example: 'debug',
  }),
};

/** The settings by their part of `.env.example`. */
export const GROUPS = {
  Amplitude: AMPLITUDE,
  'Where the hours go': DESTINATION,
  'Which hours': HOURS,
  'Requests, memory and disk': WORK,
  Network: NETWORK,
  'Log and report': REPORT,
};

/** Every setting of the program: envalid's specification of it, and the facts for people. */
export const VARIABLES = { ...AMPLITUDE, ...DESTINATION, ...HOURS, ...WORK, ...NETWORK, ...REPORT };

export type VariableName = keyof typeof VARIABLES;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/** Defaults that differ by machine. Documents name them in words. */
export const MACHINE_DEFAULTS: readonly VariableName[] = ['WORK_DIR'];
