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

function defaulting<T>(reader: read.Reader<T>, usual: NonNullable<T>, facts: Facts): RequiredValidatorSpec<T> & Facts {
  return { ...facts, ...makeExactValidator(reader)({ default: usual }) };
}

const secret = (facts: Facts) => optional(read.asIs, { ...facts, secret: true });

const number = (reader: read.Reader<number>, usual: number, description: string) =>
  defaulting(reader, usual, { description, example: String(usual) });

const whole = ([least, most]: readonly [number, number], usual: number, description: string) =>
  number(read.wholeNumber(least, most), usual, description);

const seconds = (usual: number, description: string) => number(read.seconds, usual, description);

/** Every setting of the program: envalid's specification of it, and the facts for people. */
export const VARIABLES = {
  AMPLITUDE_API_KEY: secret({
    aliases: ['AMP_API_KEY', 'API_TOKEN'],
    description: "The project's API key (Amplitude: Settings, Projects).",
    example: '0123456789abcdef0123456789abcdef',
  }),
  AMPLITUDE_SECRET_KEY: secret({
    aliases: ['AMP_SECRET_KEY', 'SECRET_KEY'],
    description: "The project's secret key.",
    example: 'fedcba9876543210fedcba9876543210',
  }),
  AMPLITUDE_REGION: defaulting(
    read.choiceOf(['us', 'eu'], { us: 'Standard Server', eu: 'EU Residency Server' }),
    'us',
    {
      aliases: ['AMP_DATA_REGION', 'AMPLITUDE_DATA_REGION', 'AMP_REGION'],
      description: "The project's data region: us or eu.",
      example: 'eu',
    },
  ),
  AMPLITUDE_BASE_URL: optional(read.apiAddress, {
    description: "Scheme and host to ask instead of the region's. For tests and the simulator.",
    example: 'http://127.0.0.1:8300',
  }),
  DESTINATION: optional(readDestination, {
    description: 'Where to put the hours: s3://bucket/prefix, file:///folder or a path. Beats S3_BUCKET and S3_PREFIX.',
    example: 's3://my-bucket/amplitude',
  }),
  S3_BUCKET: optional(read.bucketName, {
    aliases: ['BUCKET_NAME', 'AWB_BUCKET_NAME', 'AWS_BUCKET_NAME', 'bucket_name'],
    description: 'The bucket, if DESTINATION is not set.',
    example: 'my-bucket',
  }),
  S3_PREFIX: defaulting(read.keyPrefix, 'amplitude', {
    description: 'The folder in S3_BUCKET. Give each Amplitude project a folder of its own.',
    example: 'python-import',
  }),
  AWS_ACCESS_KEY_ID: secret({
    aliases: ['AWS_ACCESS_KEY', 'Access_key_ID', 'ACCESS_KEY', 'aws_key'],
    description: 'The AWS access key. Without it, the AWS SDK looks for credentials (profile, role of the machine, …).',
    example: 'AKIAIOSFODNN7EXAMPLE',
  }),
  AWS_SECRET_ACCESS_KEY: secret({
    aliases: ['AWS_SECRET_KEY', 'Secret_access_key', 'SECRET_ACCESS_KEY', 'secret'],
    description: 'The secret that belongs to the access key.',
    example: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }),
  AWS_SESSION_TOKEN: secret({
    description: 'The session token of temporary AWS keys.',
    example: 'IQoJb3JpZ2luX2VjEXAMPLETOKEN',
  }),
  AWS_REGION: optional(read.regionName, {
    aliases: ['AWS_DEFAULT_REGION', 'region'],
    description: "The bucket's region. Without it, the AWS SDK looks for one, and otherwise follows the bucket.",
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
  OUTPUT_FORMAT: defaulting(read.choiceOf(['json', 'gzip']), 'json', {
    description: 'json stores objects uncompressed. gzip stores them as Amplitude compressed them.',
    example: 'gzip',
  }),
  EXPORT_START: optional(read.asIs, {
    description: 'The first hour: 2026-11-20T05 (UTC), 2026-11-20 (a day) or 2026-11-20T05:00:00Z.',
    example: '2026-11-20',
  }),
  EXPORT_END: optional(read.asIs, {
    description: 'The end of the range, exclusive, in the same forms.',
    example: '2026-11-21',
  }),
  LOOKBACK_DAYS: whole([1, 3650], 7, 'How many days to look back for gaps, if no start is given.'),
  EXPORT_TIMEZONE: defaulting(read.timeZone, 'UTC', {
    description: 'The time zone of days: of a bare date and of --yesterday.',
    example: 'Europe/Berlin',
  }),
  SETTLE_HOURS: whole(
    [0, 8760],
    24,
    'Ask once more for an hour that landed before it was this many hours old. 0: never.',
  ),
  REQUEST_HOURS: whole([1, LONGEST_REQUEST_HOURS], 24, 'The most hours to ask for in one request.'),
  REQUEST_CONCURRENCY: whole([1, 5], 4, 'Requests at once. Amplitude allows a project 5, over all its REST APIs.'),
  EXPORT_MAX_ATTEMPTS: whole([1, 20], 5, 'The most attempts for one request.'),
  EXPORT_BACKOFF_MS: whole([0, 60_000], 1000, 'The longest first pause before a retry, in ms. It doubles up to 60 s.'),
  EXPORT_RATE_LIMIT_WAIT_S: seconds(900, 'How long to wait for one window while Amplitude answers 429, in seconds.'),
  EXPORT_CONNECT_TIMEOUT_S: seconds(10, 'How long connecting to Amplitude may take, in seconds.'),
  EXPORT_FIRST_BYTE_TIMEOUT_S: seconds(300, 'How long Amplitude may take to prepare an archive, in seconds.'),
  EXPORT_IDLE_TIMEOUT_S: seconds(60, 'How long an answer may pause, in seconds.'),
  EXPORT_MIN_BYTES_PER_S: whole([0, 1e9], 1024, 'The slowest download to accept, in bytes/s over 5 minutes. 0: any.'),
  UPLOAD_CONCURRENCY: whole([1, 64], 8, 'Members to inflate and upload at once.'),
  UPLOAD_MAX_ATTEMPTS: whole([1, 20], 5, 'The most attempts for one upload.'),
  ARCHIVE_MEMORY_MB: whole([0, 2048], 64, 'Memory for all archives together, in MB. The rest goes to WORK_DIR.'),
  WORK_DIR: defaulting(localPath, tmpdir(), {
    description: "The folder for temporary files that hold large archives. Without it, the system's.",
    example: '/var/tmp',
  }),
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
  REPORT_FILE: optional(localPath, {
    description: 'A file that also gets the document of --json, for schedulers that keep the files of a run.',
    example: 'run-report.json',
  }),
  METRICS_FILE: optional(localPath, {
    description: "A .prom file in the folder of node_exporter's textfile collector. Each run writes its metrics there.",
    example: '/var/lib/node_exporter/amplitude-to-s3.prom',
  }),
  NOTIFY_URL: optional(read.webhook, {
    description: 'A webhook of Slack or the like. A run that fails posts there what happened.',
    example: 'https://hooks.slack.com/services/EXAMPLE',
    secret: true,
  }),
  LOG_FORMAT: optional(read.choiceOf(LOG_FORMATS), {
    description: 'pretty, json or kestra (its logs, outputs and metrics). Default: pretty on a terminal, else json.',
    example: 'kestra',
  }),
  LOG_LEVEL: defaulting(read.choiceOf(LOG_LEVELS), 'info', {
    description: 'debug, info, warn or error.',
    example: 'debug',
  }),
};

export type VariableName = keyof typeof VARIABLES;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/** Defaults that differ by machine. Documents name them in words. */
export const MACHINE_DEFAULTS: readonly VariableName[] = ['WORK_DIR'];
