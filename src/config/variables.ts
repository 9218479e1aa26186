import { tmpdir } from 'node:os';
import { EnvError, makeValidator, type ValidatorSpec } from 'envalid';
import { isZone, LONGEST_REQUEST_HOURS, zoneHasWholeHours } from '../hours.ts';
import { localPath } from './path.ts';

/** One setting: its canonical name is the key in VARIABLES. */
export interface Variable {
  /** Names of the pipelines that people come from, in order of precedence after the canonical one. */
  readonly aliases?: readonly string[];
  readonly description: string;
  /** What an error message and `.env.example` show; never a working secret. */
  readonly example: string;
  /** As documented; undefined where there is none. */
  readonly default?: string;
  /** Kept out of every output; may also be given by `NAME_FILE`. */
  readonly secret?: boolean;
  readonly validator: (spec: { default: undefined }) => ValidatorSpec<unknown>;
}

const text = makeValidator<string>((input) => input);

const whole = (least: number, most: number) =>
  makeValidator<number>((input) => {
    const value = Number(input);
    if (!/^\d+$/.test(input) || value < least || value > most) {
      throw new EnvError(`must be a whole number from ${least} to ${most}`);
    }
    return value;
  });

const seconds = makeValidator<number>((input) => {
  const value = Number(input);
  if (!/^\d+(\.\d+)?$/.test(input) || value <= 0 || value > 86_400) {
    throw new EnvError('must be a number of seconds above 0 and up to 86400');
  }
  return value;
});

/** The choice that is meant, in whatever letter case. */
export function choose<T extends string>(input: string, choices: readonly T[]): T | undefined {
  const asked = input.trim().toLowerCase();
  return choices.find((choice) => choice.toLowerCase() === asked);
}

/** `words`: what others call the choices. */
const oneOf = (choices: readonly string[], words: Readonly<Record<string, string>> = {}) =>
  makeValidator<string>((input) => {
    const word = choose(input, Object.keys(words));
    const choice = word === undefined ? choose(input, choices) : words[word];
    if (choice === undefined) throw new EnvError(`must be one of ${choices.join(', ')}`);
    return choice;
  });

const path = makeValidator<string>((input) => localPath(input));

function webAddress(input: string): string {
  const url = URL.parse(input);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new EnvError('must be an http:// or https:// URL');
  if (url.username !== '' || url.password !== '') throw new EnvError('must not hold a user name or a password');
  if (url.search !== '' || url.hash !== '') throw new EnvError('must be a scheme, a host and at most a path');
  return input.replace(/\/+$/, '');
}

const httpUrl = makeValidator<string>(webAddress);

/** The whole address of the API is often pasted here, and what is meant is plain. */
const baseUrl = makeValidator<string>((input) => webAddress(input).replace(/\/+api\/2\/export$/, ''));

/** Node.js takes a proxy by its whole URL; people and other programs leave the scheme out. */
const proxyUrl = makeValidator<string>((input) => {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(input) ? input : `http://${input}`;
  const url = URL.parse(full);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new EnvError('must be an http:// or https:// URL');
  try {
    decodeURIComponent(`${url.username}${url.password}`);
  } catch {
    throw new EnvError('must have a % in its user name or password as %25');
  }
  return full;
});

const zone = makeValidator<string>((input) => {
  // The default needs no look into the zones' data, which takes 40 ms to load.
  if (input === 'UTC') return input;
  if (!isZone(input)) throw new EnvError('must be an IANA time zone');
  if (!zoneHasWholeHours(input)) {
    throw new EnvError('must be a time zone on whole UTC hours, since Amplitude exports whole UTC hours only');
  }
  return input;
});

const bucket = makeValidator<string>((input) => {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(input)) {
    throw new EnvError('must be the bare name of a bucket (3 to 63 lower-case letters, digits, dots and dashes)');
  }
  return input;
});

const prefix = makeValidator<string>((input) => {
  if (input.split('/').some((part) => part === '.' || part === '..')) throw new EnvError('must not contain . or ..');
  return input.replace(/^\/+|\/+$/g, '');
});

/** It becomes a part of a host's name, and others than AWS have regions of their own. */
const region = makeValidator<string>((input) => {
  if (!/^[a-z0-9_-]+$/i.test(input)) throw new EnvError('must be the name of a region and nothing else');
  return input;
});

/** The data regions as the connectors for Amplitude name them. */
const CONNECTOR_REGIONS = { 'Standard Server': 'us', 'EU Residency Server': 'eu' };

/** Every setting of the program. The table of the README and `.env.example` are held against this list by a test. */
export const VARIABLES = {
  AMPLITUDE_API_KEY: {
    aliases: ['AMP_API_KEY', 'API_TOKEN'],
    description: "The project's API key (Amplitude: Settings, Projects).",
    example: '0123456789abcdef0123456789abcdef',
    secret: true,
    validator: text,
  },
  AMPLITUDE_SECRET_KEY: {
    aliases: ['AMP_SECRET_KEY', 'SECRET_KEY'],
    description: "The project's secret key.",
    example: 'fedcba9876543210fedcba9876543210',
    secret: true,
    validator: text,
  },
  AMPLITUDE_REGION: {
    aliases: ['AMP_DATA_REGION', 'AMPLITUDE_DATA_REGION', 'AMP_REGION'],
    description: "The project's data region: us or eu.",
    example: 'eu',
    default: 'us',
    validator: oneOf(['us', 'eu'], CONNECTOR_REGIONS),
  },
  AMPLITUDE_BASE_URL: {
    description: "Scheme and host instead of the region's, for the simulator and tests; /api/2/export follows.",
    example: 'http://127.0.0.1:8300',
    validator: baseUrl,
  },
  DESTINATION: {
    description: 'Where the hours land: s3://bucket/prefix, file:///folder or a path. Beats S3_BUCKET and S3_PREFIX.',
    example: 's3://my-bucket/amplitude',
    validator: text,
  },
  S3_BUCKET: {
    aliases: ['BUCKET_NAME', 'AWB_BUCKET_NAME', 'AWS_BUCKET_NAME', 'bucket_name'],
    description: 'The bucket, where DESTINATION is not given.',
    example: 'my-bucket',
    validator: bucket,
  },
  S3_PREFIX: {
    description: 'The folder in S3_BUCKET; one for one Amplitude project.',
    example: 'python-import',
    default: 'amplitude',
    validator: prefix,
  },
  AWS_ACCESS_KEY_ID: {
    aliases: ['AWS_ACCESS_KEY', 'Access_key_ID', 'ACCESS_KEY', 'aws_key'],
    description: "AWS access key; without it the SDK's own chain is used (profile, role of the instance or task, …).",
    example: 'AKIAIOSFODNN7EXAMPLE',
    secret: true,
    validator: text,
  },
  AWS_SECRET_ACCESS_KEY: {
    aliases: ['AWS_SECRET_KEY', 'Secret_access_key', 'SECRET_ACCESS_KEY', 'secret'],
    description: 'The secret that belongs to the access key.',
    example: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    secret: true,
    validator: text,
  },
  AWS_SESSION_TOKEN: {
    description: 'The session token of temporary AWS keys.',
    example: 'IQoJb3JpZ2luX2VjEXAMPLETOKEN',
    secret: true,
    validator: text,
  },
  AWS_REGION: {
    aliases: ['AWS_DEFAULT_REGION', 'region'],
    description: "The bucket's region; else that of the SDK's chain, else us-east-1 following the bucket.",
    example: 'eu-central-1',
    validator: region,
  },
  AWS_ENDPOINT_URL_S3: {
    aliases: ['AWS_ENDPOINT_URL'],
    description: 'Another S3 server than AWS.',
    example: 'http://127.0.0.1:9000',
    validator: httpUrl,
  },
  S3_KMS_KEY_ID: {
    description: "KMS key for SSE-KMS; without it the bucket's default encryption holds.",
    example: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    validator: text,
  },
  S3_SSE: {
    description: 'Encryption that is asked for with every object: AES256 or aws:kms. With S3_KMS_KEY_ID it is aws:kms.',
    example: 'aws:kms',
    validator: oneOf(['AES256', 'aws:kms']),
  },
  S3_ADDRESSING: {
    description: 'path or virtual: where the bucket stands in the address; else virtual for AWS, path for an endpoint.',
    example: 'virtual',
    validator: oneOf(['path', 'virtual']),
  },
  EXPORT_START: {
    description: 'First hour: 2026-11-20T05 (UTC), 2026-11-20 (a day) or 2026-11-20T05:00:00Z.',
    example: '2026-11-20',
    validator: text,
  },
  EXPORT_END: {
    description: 'First hour that is left out, in the same forms.',
    example: '2026-11-21',
    validator: text,
  },
  LOOKBACK_DAYS: {
    description: 'How far back to look for gaps where no start is given.',
    example: '30',
    default: '7',
    validator: whole(1, 3650),
  },
  EXPORT_TIMEZONE: {
    description: 'What a bare date and --yesterday mean.',
    example: 'Europe/Berlin',
    default: 'UTC',
    validator: zone,
  },
  OUTPUT_FORMAT: {
    description: 'json: objects uncompressed; gzip: objects as Amplitude compressed them.',
    example: 'gzip',
    default: 'json',
    validator: oneOf(['json', 'gzip']),
  },
  SETTLE_HOURS: {
    description: 'An hour sealed younger than this is asked for once more when it is that old; 0: never.',
    example: '48',
    default: '24',
    validator: whole(0, 8760),
  },
  REQUEST_HOURS: {
    description: 'The longest window of one request, in hours.',
    example: '6',
    default: '24',
    validator: whole(1, LONGEST_REQUEST_HOURS),
  },
  REQUEST_CONCURRENCY: {
    description: 'Requests at once; Amplitude allows a project 5 for all its REST APIs together.',
    example: '2',
    default: '4',
    validator: whole(1, 5),
  },
  UPLOAD_CONCURRENCY: {
    description: 'Members inflated and uploaded at once.',
    example: '4',
    default: '8',
    validator: whole(1, 64),
  },
  UPLOAD_MAX_ATTEMPTS: {
    description: 'Tries for one upload.',
    example: '3',
    default: '5',
    validator: whole(1, 20),
  },
  ARCHIVE_MEMORY_MB: {
    description: 'Memory for all archives together; what does not fit goes to a temporary file in WORK_DIR.',
    example: '128',
    default: '64',
    validator: whole(0, 2048),
  },
  EXPORT_MAX_ATTEMPTS: {
    description: 'Tries for one request.',
    example: '3',
    default: '5',
    validator: whole(1, 20),
  },
  EXPORT_BACKOFF_MS: {
    description:
      'Longest first pause between tries in milliseconds, doubling up to 60 s; the pause is drawn from 0 to that.',
    example: '500',
    default: '1000',
    validator: whole(0, 60_000),
  },
  EXPORT_RATE_LIMIT_WAIT_S: {
    description: 'Longest time to wait for a window while Amplitude answers 429, in seconds.',
    example: '1800',
    default: '900',
    validator: seconds,
  },
  EXPORT_CONNECT_TIMEOUT_S: {
    description: 'Longest time to connect to Amplitude, in seconds.',
    example: '5',
    default: '10',
    validator: seconds,
  },
  EXPORT_FIRST_BYTE_TIMEOUT_S: {
    description: 'Longest time to the first byte of an answer, in seconds; Amplitude prepares the archive meanwhile.',
    example: '600',
    default: '300',
    validator: seconds,
  },
  EXPORT_IDLE_TIMEOUT_S: {
    description: 'Longest silence within an answer, in seconds.',
    example: '30',
    default: '60',
    validator: seconds,
  },
  EXPORT_MIN_BYTES_PER_S: {
    description: 'Least rate of an archive, in bytes a second over five minutes; a slower one is given up. 0: any.',
    example: '4096',
    default: '1024',
    validator: whole(0, 1_000_000_000),
  },
  HTTPS_PROXY: {
    aliases: ['https_proxy'],
    description: 'Proxy for https:// addresses, of Amplitude and of the store.',
    example: 'http://proxy.example.com:3128',
    validator: proxyUrl,
  },
  HTTP_PROXY: {
    aliases: ['http_proxy'],
    description: 'Proxy for http:// addresses.',
    example: 'http://proxy.example.com:3128',
    validator: proxyUrl,
  },
  NO_PROXY: {
    aliases: ['no_proxy'],
    description: 'Hosts that are asked without the proxy, separated by commas.',
    example: 'localhost,.internal.example.com',
    validator: text,
  },
  AWS_CA_BUNDLE: {
    description:
      "File of certificates (PEM) to trust besides the usual ones; Node.js's own NODE_EXTRA_CA_CERTS works too.",
    example: '/etc/ssl/company-ca.pem',
    validator: path,
  },
  WORK_DIR: {
    description: "Folder for temporary files that hold large archives; else the system's.",
    example: '/var/tmp',
    default: tmpdir(),
    validator: path,
  },
  REPORT_FILE: {
    description: 'File that also gets the document of --json, for a scheduler that keeps files of a run.',
    example: 'run-report.json',
    validator: path,
  },
  LOG_FORMAT: {
    description:
      'pretty, json, or kestra (log lines, outputs and metrics in its protocol). Default: pretty on a terminal, else json.',
    example: 'kestra',
    validator: oneOf(['pretty', 'json', 'kestra']),
  },
  LOG_LEVEL: {
    description: 'debug, info, warn or error.',
    example: 'debug',
    default: 'info',
    validator: oneOf(['debug', 'info', 'warn', 'error']),
  },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;

/** The defaults that depend on the machine are told in words, not as values of this machine. */
export const MACHINE_DEFAULTS: readonly VariableName[] = ['WORK_DIR'];
