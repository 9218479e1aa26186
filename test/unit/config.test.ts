import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { readArguments } from '../../src/cli/arguments.ts';
import { COMMANDS } from '../../src/commands/all.ts';
import { isLostWithContainer, readDestination } from '../../src/config/address.ts';
import { logSettings } from '../../src/config/environment.ts';
import { localPath, PathError } from '../../src/config/path.ts';
import { type Environment, loadSettings, type Needs, type Settings } from '../../src/config/settings.ts';
import { VARIABLES, type Variable, type VariableName } from '../../src/config/variables.ts';
import type { Watch } from '../../src/config/watch.ts';
import { JobError, UsageError } from '../../src/errors.ts';
import { redaction } from '../../src/redaction.ts';

const KEYS = { AMPLITUDE_API_KEY: 'the-api-key', AMPLITUDE_SECRET_KEY: 'the-secret-key' };
const BASE = { ...KEYS, DESTINATION: 's3://landing/events' };
const ALL = Object.entries(VARIABLES) as [VariableName, Variable][];
/** Variables that refuse some values. */
const CHOOSY = ALL.filter(
  ([name, { secret }]) =>
    secret !== true && !['EXPORT_START', 'EXPORT_END', 'S3_KMS_KEY_ID', 'NO_PROXY'].includes(name),
).map(([name]) => name);
const SECRETS = ALL.filter(([, { secret }]) => secret === true).map(([name]) => name);

function refusal(env: Environment, needs?: Needs): JobError {
  try {
    loadSettings(env, needs);
  } catch (error) {
    if (error instanceof JobError) return error;
    throw error;
  }
  throw new Error('the settings were taken');
}

/** One entry for each problem. */
function problems(env: Environment, needs?: Needs): string[] {
  const [, ...lines] = refusal(env, needs).message.split('\n');
  return lines.map((line) => line.replace(/^ {2}- /, ''));
}

/** The only problem of valid settings with `changed`. */
function problem(changed: Environment): string {
  const found = problems({ ...BASE, ...changed });
  expect(found, found.join('\n')).to.have.length(1);
  return found[0] as string;
}

const load = (changed: Environment = {}): Settings => loadSettings({ ...BASE, ...changed });

describe('settings', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'settings-'));
  });

  after(() => rmSync(folder, { recursive: true }));

  function file(name: string, content: string): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }

  it('need two keys and a destination, and have the documented defaults', () => {
    expect(load()).to.deep.equal({
      amplitude: {
        apiKey: 'the-api-key',
        secretKey: 'the-secret-key',
        region: 'us',
        baseUrl: 'https://amplitude.com',
        maxAttempts: 5,
        backoffMs: 1000,
        connectTimeoutMs: 10_000,
        firstByteTimeoutMs: 300_000,
        idleTimeoutMs: 60_000,
        minBytesPerSecond: 1024,
        concurrency: 4,
        rateLimitWaitMs: 900_000,
        proxyEnv: {},
      },
      caBundle: undefined,
      destination: { kind: 's3', bucket: 'landing', prefix: 'events' },
      s3: {
        credentials: undefined,
        region: undefined,
        endpoint: undefined,
        kmsKeyId: undefined,
        sse: undefined,
        profile: undefined,
        addressing: undefined,
        proxyEnv: {},
        maxAttempts: 5,
      },
      range: { start: undefined, end: undefined, lookbackDays: 7, timezone: 'UTC' },
      outputFormat: 'json',
      settleHours: 24,
      requestHours: 24,
      uploadConcurrency: 8,
      archiveMemoryBytes: 64 * 2 ** 20,
      workDir: tmpdir(),
      reportFile: undefined,
      secrets: ['the-api-key', 'the-secret-key', 'the-api-key:the-secret-key'],
      warnings: [],
    } satisfies Settings);
  });

  it('read every variable by its own name', () => {
    const settings = load({
      AMPLITUDE_REGION: 'eu',
      AWS_ACCESS_KEY_ID: 'AKIA1234',
      AWS_SECRET_ACCESS_KEY: 'aws-secret',
      AWS_SESSION_TOKEN: 'aws-token',
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000/',
      S3_KMS_KEY_ID: 'arn:aws:kms:eu-central-1:1:key/2',
      S3_SSE: 'aws:kms',
      S3_ADDRESSING: 'virtual',
      HTTPS_PROXY: 'http://ana:pass%20word@proxy:3128',
      http_proxy: 'proxy:3128',
      NO_PROXY: '.internal',
      AWS_CA_BUNDLE: '/etc/ssl/company.pem',
      EXPORT_START: '2026-11-20',
      EXPORT_END: '2026-11-21',
      LOOKBACK_DAYS: '30',
      EXPORT_TIMEZONE: 'Europe/Berlin',
      OUTPUT_FORMAT: 'gzip',
      SETTLE_HOURS: '0',
      REQUEST_HOURS: '6',
      REQUEST_CONCURRENCY: '2',
      UPLOAD_CONCURRENCY: '3',
      UPLOAD_MAX_ATTEMPTS: '4',
      ARCHIVE_MEMORY_MB: '128',
      EXPORT_MAX_ATTEMPTS: '6',
      EXPORT_BACKOFF_MS: '10',
      EXPORT_RATE_LIMIT_WAIT_S: '60',
      EXPORT_CONNECT_TIMEOUT_S: '0.5',
      EXPORT_FIRST_BYTE_TIMEOUT_S: '7',
      EXPORT_IDLE_TIMEOUT_S: '8',
      EXPORT_MIN_BYTES_PER_S: '0',
      WORK_DIR: 'work',
    });
    const proxyEnv = {
      HTTPS_PROXY: 'http://ana:pass%20word@proxy:3128',
      HTTP_PROXY: 'http://proxy:3128',
      NO_PROXY: '.internal',
    };
    expect(settings.amplitude).to.deep.equal({
      apiKey: 'the-api-key',
      secretKey: 'the-secret-key',
      region: 'eu',
      baseUrl: 'https://analytics.eu.amplitude.com',
      maxAttempts: 6,
      backoffMs: 10,
      connectTimeoutMs: 500,
      firstByteTimeoutMs: 7000,
      idleTimeoutMs: 8000,
      minBytesPerSecond: 0,
      concurrency: 2,
      rateLimitWaitMs: 60_000,
      proxyEnv,
    });
    expect(settings.caBundle).to.equal('/etc/ssl/company.pem');
    expect(settings.secrets).to.include.members(['pass word', 'pass%20word', 'ana:pass word']);
    expect(settings.s3).to.deep.equal({
      credentials: { accessKeyId: 'AKIA1234', secretAccessKey: 'aws-secret', sessionToken: 'aws-token' },
      region: 'eu-central-1',
      endpoint: 'http://127.0.0.1:9000',
      kmsKeyId: 'arn:aws:kms:eu-central-1:1:key/2',
      sse: 'aws:kms',
      profile: undefined,
      addressing: 'virtual',
      proxyEnv,
      maxAttempts: 4,
    });
    expect(settings.range).to.deep.equal({
      start: '2026-11-20',
      end: '2026-11-21',
      lookbackDays: 30,
      timezone: 'Europe/Berlin',
    });
    expect(settings).to.deep.include({
      outputFormat: 'gzip',
      settleHours: 0,
      requestHours: 6,
      uploadConcurrency: 3,
      archiveMemoryBytes: 128 * 2 ** 20,
      workDir: resolve('work'),
    });
    expect(load({ AMPLITUDE_BASE_URL: 'http://127.0.0.1:8300/' }).amplitude.baseUrl).to.equal('http://127.0.0.1:8300');
  });

  it('accept the whole address of the Export API as a base URL', () => {
    for (const path of ['', '/', '//', '/api/2/export', '/api/2/export/']) {
      const { baseUrl } = load({ AMPLITUDE_BASE_URL: `https://proxy.example/amplitude${path}` }).amplitude;
      expect(baseUrl, path).to.equal('https://proxy.example/amplitude');
    }
    expect(load({ AMPLITUDE_BASE_URL: 'https://amplitude.com/api/2/export' }).amplitude.baseUrl).to.equal(
      'https://amplitude.com',
    );
    expect(load({ AWS_ENDPOINT_URL: 'http://s3.example/api/2/export' }).s3.endpoint).to.equal(
      'http://s3.example/api/2/export',
    );
  });

  it('accept words in any letter case', () => {
    const settings = load({ OUTPUT_FORMAT: 'GZIP', S3_SSE: 'aes256', S3_ADDRESSING: 'Path', LOG_LEVEL: 'DEBUG' });
    expect(settings.outputFormat).to.equal('gzip');
    expect(settings.s3).to.include({ sse: 'AES256', addressing: 'path' });
    expect(load({ S3_SSE: 'AWS:KMS', LOG_FORMAT: 'Kestra' }).s3.sse).to.equal('aws:kms');
    expect(logSettings({ LOG_FORMAT: 'Kestra', LOG_LEVEL: 'WARN ' }, true)).to.include({
      format: 'kestra',
      level: 'warn',
    });
  });

  it('accept the example of every variable', () => {
    for (const [name, { example }] of ALL) {
      const halves = { AWS_ACCESS_KEY_ID: 'AKIA1234', AWS_SECRET_ACCESS_KEY: 'aws-secret' };
      expect(() => load({ ...halves, [name]: example }), name).not.to.throw();
    }
  });

  describe('of the Python scripts', () => {
    const SETS: [string[], Environment, string?][] = [
      [['AMP_API_KEY', 'AMP_SECRET_KEY', 'AWS_ACCESS_KEY', 'AWS_SECRET_KEY', 'BUCKET_NAME'], {}],
      [
        ['API_TOKEN', 'SECRET_KEY', 'Access_key_ID', 'Secret_access_key', 'AWB_BUCKET_NAME'],
        { S3_PREFIX: 'python-import/' },
        'python-import',
      ],
      [['AMPLITUDE_API_KEY', 'AMPLITUDE_SECRET_KEY', 'aws_key', 'secret', 'bucket_name'], { region: 'eu-west-1' }],
      [['API_TOKEN', 'SECRET_KEY', 'ACCESS_KEY', 'SECRET_ACCESS_KEY', 'AWS_BUCKET_NAME'], {}],
    ];
    for (const [names, more, prefix = 'amplitude'] of SETS) {
      it(`work as ${names.join(', ')}`, () => {
        const values = ['the-api-key', 'the-secret-key', 'AKIA1234', 'aws-secret', 'landing'];
        const settings = loadSettings({ ...Object.fromEntries(names.map((name, at) => [name, values[at]])), ...more });
        expect(settings.amplitude).to.include({ apiKey: 'the-api-key', secretKey: 'the-secret-key' });
        expect(settings.s3.credentials).to.deep.equal({ accessKeyId: 'AKIA1234', secretAccessKey: 'aws-secret' });
        expect(settings.s3.region).to.equal(more.region);
        expect(settings.destination).to.deep.equal({ kind: 's3', bucket: 'landing', prefix });
        expect(settings.warnings).to.deep.equal([]);
      });
    }

    it("do not use Amplitude's SECRET_KEY as half of an AWS pair", () => {
      const [only, ...more] = problems({ ...BASE, AMPLITUDE_SECRET_KEY: '', SECRET_KEY: 'x', ACCESS_KEY: 'AKIA1234' });
      expect(only).to.match(/^ACCESS_KEY is set without its other half: set AWS_SECRET_ACCESS_KEY /);
      expect(more).to.deep.equal([]);
    });

    it('combine AWS keys from two sets of names', () => {
      expect(load({ ACCESS_KEY: 'AKIA1234', AWS_SECRET_ACCESS_KEY: 'aws-secret' }).s3.credentials).to.deep.equal({
        accessKeyId: 'AKIA1234',
        secretAccessKey: 'aws-secret',
      });
    });

    it('accept every name that is in use for the region of Amplitude', () => {
      for (const name of ['AMPLITUDE_REGION', 'AMP_DATA_REGION', 'AMPLITUDE_DATA_REGION', 'AMP_REGION']) {
        for (const value of ['eu', 'EU', 'Eu', 'EU Residency Server', 'eu residency server']) {
          expect(load({ [name]: value }).amplitude, `${name}=${value}`).to.include({
            region: 'eu',
            baseUrl: 'https://analytics.eu.amplitude.com',
          });
        }
        for (const value of ['us', 'US', 'Standard Server']) {
          expect(load({ [name]: value }).amplitude.region, `${name}=${value}`).to.equal('us');
        }
        expect(problem({ [name]: 'eu-central-1' })).to.include('it must be one of us, eu');
      }
    });

    it('work as AMP_DATA_REGION, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL', () => {
      const settings = load({
        AMP_DATA_REGION: 'eu',
        AWS_DEFAULT_REGION: 'eu-west-1',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:9000',
      });
      expect(settings.amplitude.region).to.equal('eu');
      expect(settings.s3).to.include({ region: 'eu-west-1', endpoint: 'http://127.0.0.1:9000' });
    });
  });

  describe('precedence', () => {
    it('gives the canonical name first place, then the aliases in their order', () => {
      for (const [name, { aliases = [] }] of ALL) {
        const names = [name, ...aliases];
        for (let from = 0; from < names.length - 1; from++) {
          const values = names.slice(from).map((each, at) => [each, at === 0 ? first(name) : other(name)]);
          const { s3, amplitude, destination } = loadSettings({
            ...KEYS,
            AWS_ACCESS_KEY_ID: 'AKIA1234',
            AWS_SECRET_ACCESS_KEY: 'aws-secret',
            ...(name === 'S3_BUCKET' ? {} : { DESTINATION: 's3://landing' }),
            ...Object.fromEntries(names.map((each) => [each, ''])),
            ...Object.fromEntries(values),
          });
          expect(JSON.stringify({ s3, amplitude, destination }), names[from]).to.include(first(name));
          expect(JSON.stringify({ s3, amplitude, destination }), names[from]).not.to.include(`"${other(name)}"`);
        }
      }
    });

    it('puts DESTINATION before S3_BUCKET and S3_PREFIX', () => {
      const settings = load({ S3_BUCKET: 'other-bucket', S3_PREFIX: 'other' });
      expect(settings.destination).to.deep.equal({ kind: 's3', bucket: 'landing', prefix: 'events' });
    });

    it('warns if DESTINATION beats another place, and only then', () => {
      const warnings = (changed: Environment) => load(changed).warnings;
      expect(warnings({ BUCKET_NAME: 'other-bucket', S3_PREFIX: 'other' })).to.deep.equal([
        'DESTINATION=s3://landing/events is used, and BUCKET_NAME=other-bucket and S3_PREFIX=other is not: leave one of them out.',
      ]);
      expect(warnings({ S3_PREFIX: 'other' })).to.deep.equal([
        'DESTINATION=s3://landing/events is used, and S3_PREFIX=other is not: leave one of them out.',
      ]);
      expect(warnings({ DESTINATION: '/data', S3_BUCKET: 'landing' })).to.have.length(1);
      expect(warnings({ S3_BUCKET: 'landing' })).to.deep.equal([]);
      expect(warnings({ S3_BUCKET: 'landing', S3_PREFIX: '/events/' })).to.deep.equal([]);
      expect(warnings({ AMPLITUDE_API_KEY: 'hush-key', S3_BUCKET: 'hush-key' }).join()).not.to.include('hush');
    });

    it('warns about another value that does not count, without showing it', () => {
      const path = file('hush', 'hush-file');
      const warnings = (changed: Environment) => load(changed).warnings;
      expect(warnings({ AMP_API_KEY: 'hush' })).to.deep.equal([
        'AMPLITUDE_API_KEY is used, and AMP_API_KEY is not: leave one of them out.',
      ]);
      expect(warnings({ AMPLITUDE_API_KEY_FILE: path, API_TOKEN: 'hush' })).to.deep.equal([
        'AMPLITUDE_API_KEY is used, and AMPLITUDE_API_KEY_FILE and API_TOKEN are not: leave all but one of them out.',
      ]);
      expect(warnings({ AMPLITUDE_API_KEY: '', AMP_API_KEY_FILE: path, API_TOKEN: 'hush' })).to.deep.equal([
        'AMP_API_KEY_FILE is used, and API_TOKEN is not: leave one of them out.',
      ]);
      expect(warnings({ AMPLITUDE_API_KEY_FILE: join(folder, 'none') })).to.deep.equal([
        'AMPLITUDE_API_KEY is used, and AMPLITUDE_API_KEY_FILE is not: leave one of them out.',
      ]);
      expect(warnings({ HTTPS_PROXY: 'http://a:hush@a', https_proxy: 'http://b' })).to.deep.equal([
        'HTTPS_PROXY is used, and https_proxy is not: leave one of them out.',
      ]);
      const same = file('same', 'the-api-key\n');
      expect(warnings({ AMPLITUDE_API_KEY_FILE: same, API_TOKEN: ' the-api-key', AMP_API_KEY: '' })).to.deep.equal([]);
      // The SDK asks its other services there.
      const services = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000', AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' };
      expect(warnings(services)).to.deep.equal([]);
    });

    it('puts the file of the canonical name before an alias, and a value before its file', () => {
      const path = file('api-key', 'from-the-file');
      expect(
        load({ AMPLITUDE_API_KEY: '', AMPLITUDE_API_KEY_FILE: path, AMP_API_KEY: 'alias' }).amplitude.apiKey,
      ).to.equal('from-the-file');
      expect(load({ AMPLITUDE_API_KEY_FILE: path }).amplitude.apiKey).to.equal('the-api-key');
    });

    it('ignores a name that is set to nothing', () => {
      const empty = Object.fromEntries(
        ALL.flatMap(([name, { aliases = [] }]) => [name, ...aliases]).map((name) => [name, '']),
      );
      expect(loadSettings({ ...empty, ...BASE })).to.deep.equal(load());
      expect(loadSettings({ ...BASE, LOOKBACK_DAYS: '  \n' }).range.lookbackDays).to.equal(7);
      expect(loadSettings({ ...empty, ...KEYS, AWB_BUCKET_NAME: 'landing' }).destination).to.include({
        bucket: 'landing',
      });
      expect(problems({ ...empty, ...KEYS })).to.have.length(1);
    });
  });

  describe('secrets', () => {
    const pair = { AWS_ACCESS_KEY_ID: 'AKIA1234', AWS_SECRET_ACCESS_KEY: 'aws-secret' };

    it('are read from NAME_FILE, without the line end, by every name', () => {
      for (const name of SECRETS) {
        for (const each of [name, ...((VARIABLES[name] as Variable).aliases ?? [])]) {
          const value = name === 'NOTIFY_URL' ? 'https://hooks.test/from-the-file' : 'from-the-file';
          const path = file('secret', `\uFEFF${value}\r\n`);
          let watch: Watch | undefined;
          const onWatch = (read: Watch) => {
            watch = read;
          };
          const settings = loadSettings(
            { ...BASE, ...pair, [name]: '', [`${each}_FILE`]: path },
            { amplitude: true, onWatch },
          );
          expect(settings.secrets, each).to.include(value);
          expect(JSON.stringify([settings.amplitude, settings.s3, watch]), each).to.include(`"${value}"`);
        }
      }
    });

    it('cause one problem for a file that cannot be read or is empty', () => {
      const none = join(folder, 'none');
      for (const name of SECRETS) {
        expect(problem({ ...pair, [name]: '', [`${name}_FILE`]: none })).to.equal(
          `${name}_FILE names ${none}, which cannot be read (ENOENT).`,
        );
        const path = file('empty', '\n');
        expect(problem({ ...pair, [name]: '', [`${name}_FILE`]: path })).to.equal(
          `${name}_FILE names ${path}, which is empty.`,
        );
      }
      expect(problem({ AMPLITUDE_API_KEY: '', AMPLITUDE_API_KEY_FILE: folder })).to.match(/cannot be read \(EISDIR\)/);
    });

    it('are not shown if NAME_FILE holds the secret itself', () => {
      for (const value of ['hush0123456789abcdef', 'hush/0123+4567', '//hush', '~hush/0123', 'C:\\hush']) {
        const told = problem({ AMPLITUDE_API_KEY: '', AMPLITUDE_API_KEY_FILE: value });
        expect(told)
          .to.match(/^AMPLITUDE_API_KEY_FILE /)
          .and.not.include('hush');
      }
      expect(problem({ AMPLITUDE_API_KEY: '', AMP_API_KEY_FILE: 'hush0123456789abcdef' })).to.equal(
        'AMP_API_KEY_FILE names a file that cannot be read (ENOENT): it takes the path of a file, not the secret.',
      );
    });

    it('alone are read from files', () => {
      const path = file('bucket', 'landing');
      expect(problems({ ...KEYS, S3_BUCKET_FILE: path })[0]).to.match(/^DESTINATION is not set/);
    });

    it('lose the line end of a copied value', () => {
      const settings = load({ AMPLITUDE_API_KEY: ' the-api-key\n', AMPLITUDE_SECRET_KEY: 'the-secret-key\r\n' });
      expect(settings.amplitude).to.include({ apiKey: 'the-api-key', secretKey: 'the-secret-key' });
    });

    it('are all listed for redaction, and those of Amplitude also as a pair', () => {
      const { secrets } = load({ ...pair, AWS_SESSION_TOKEN: 'aws-token' });
      expect(secrets).to.have.members([
        'the-api-key',
        'the-secret-key',
        'AKIA1234',
        'aws-secret',
        'aws-token',
        'the-api-key:the-secret-key',
      ]);
    });

    it('never show in the error, whatever the problem', () => {
      const values = Object.fromEntries(SECRETS.map((name) => [name, `"hush-${name}"`]));
      const wrong = Object.fromEntries(CHOOSY.map((name) => [name, '§']));
      const files = Object.fromEntries(SECRETS.map((name) => [`${name}_FILE`, file(name, `hush-${name}`)]));
      const many = refusal({ ...values, ...wrong });
      expect(`${many.message} ${many.hint} ${many.stack}`).not.to.include('hush');
      expect(refusal({ ...files, ...wrong }).message).not.to.include('hush');
      expect(refusal({ AWS_ACCESS_KEY_ID: 'hush-id' }).message).not.to.include('hush');
      expect(refusal({ AMPLITUDE_API_KEI: 'hush-key' }).message).not.to.include('hush');
      for (const name of ['AMPLITUDE_BASE_URL', 'AWS_ENDPOINT_URL_S3', 'DESTINATION']) {
        for (const scheme of ['http', 's3', 'ftp']) {
          expect(problem({ [name]: `${scheme}://hush-user:hu/sh@host/x` }), name).not.to.match(/hu\/?sh/);
        }
      }
    });
  });

  it('do not show the text before the @ of an address, with or without a scheme', () => {
    for (const [name, value, shown] of [
      ['HTTPS_PROXY', 'jane:50%hush@proxy.corp:3128', '[secret]@proxy.corp:3128'],
      ['HTTPS_PROXY', '//jane:50%hush@proxy.corp:3128', '[secret]@proxy.corp:3128'],
      ['AWS_ENDPOINT_URL_S3', 'hush:hu@sh@minio:9000', '[secret]@minio:9000'],
      ['AWS_ENDPOINT_URL_S3', 'http://hush:hu@sh@minio:9000', 'http://[secret]@minio:9000'],
      ['DESTINATION', 's3:hush:hush@bucket/x', '[secret]@bucket/x'],
      ['DESTINATION', 'file://hush@host', 'file://[secret]@host'],
    ] as const) {
      expect(problem({ [name]: value }), value).to.match(/^\S+ is "/);
      expect(problem({ [name]: value }), value)
        .to.include(` is "${shown}": `)
        .and.not.include('hush');
    }
    const { warnings } = load({ DESTINATION: '/data/ana@home', S3_BUCKET: 'landing' });
    expect(warnings.join()).to.include('DESTINATION=/data/ana@home is used');
    expect(load({ DESTINATION: 'ana@home', S3_BUCKET: 'landing' }).warnings.join()).to.include(
      '=[secret]@home is used',
    );
  });

  it('do not show a secret in the wrong variable', () => {
    const key = 'hush+key/0123456789abcdef';
    const wrong = Object.fromEntries(CHOOSY.map((name) => [name, `§ ${key}`]));
    for (const AMPLITUDE_SECRET_KEY of [key, `"${key}"`]) {
      const { message } = refusal({ ...BASE, ...wrong, AMPLITUDE_SECRET_KEY });
      expect(message).not.to.include('hush');
      expect(message).to.include('OUTPUT_FORMAT is "§ [secret]": it must be one of json, gzip');
    }
    expect(problem({ DESTINATION: `s3://${key}`, AMPLITUDE_API_KEY: key })).not.to.include('hush');
    expect(refusal({ ...BASE, OUTPUT_FORMAT: encodeURIComponent(key), API_TOKEN: key }).message).not.to.include('hush');
  });

  describe('that are wrong', () => {
    it('are all reported at once, each with its name, the reason and an example', () => {
      const error = refusal({
        API_TOKEN: '"quoted"',
        BUCKET_NAME: 'S3://Bucket',
        S3_PREFIX: '../up',
        Access_key_ID: 'AKIA1234',
        AMP_DATA_REGION: 'us-east-1',
        LOOKBACK_DAYS: 'a week',
        OUTPUT_FORMAT: 'parquet',
        EXPORT_TIMEZONE: 'Asia/Kolkata',
        EXPORT_IDLE_TIMEOUT_S: '0',
        AWS_ENDPOINT_URL: 'localhost:9000',
        LOG_LEVEL: 'verbose',
      });
      expect(error).to.include({ code: 'CONFIG', exitCode: 2, endsRun: true });
      expect(error.hint).to.include('.env.example');
      expect(error.message.split('\n')).to.have.members([
        'The settings cannot be used:',
        '  - API_TOKEN is wrapped in quotes, and docker run --env-file passes them on as part of the value: write it without them.',
        '  - AMP_DATA_REGION is "us-east-1": it must be one of us, eu, for example eu.',
        '  - BUCKET_NAME is "S3://Bucket": it must be the bare name of a bucket (3 to 63 lower-case letters, digits, dots and dashes), for example my-bucket.',
        '  - S3_PREFIX is "../up": it must not contain . or .., for example python-import.',
        '  - AWS_ENDPOINT_URL is "localhost:9000": it must be an http:// or https:// URL, for example http://127.0.0.1:9000.',
        '  - LOOKBACK_DAYS is "a week": it must be a whole number from 1 to 3650, for example 7.',
        '  - EXPORT_TIMEZONE is "Asia/Kolkata": it must be a time zone on whole UTC hours, since Amplitude exports whole UTC hours only, for example Europe/Berlin.',
        '  - OUTPUT_FORMAT is "parquet": it must be one of json, gzip, for example gzip.',
        '  - EXPORT_IDLE_TIMEOUT_S is "0": it must be a number of seconds above 0 and up to 86400, for example 60.',
        '  - LOG_LEVEL is "verbose": it must be one of debug, info, warn, error, for example debug.',
        '  - AMPLITUDE_SECRET_KEY (or AMP_SECRET_KEY or SECRET_KEY) is not set, for example AMPLITUDE_SECRET_KEY=fedcba9876543210fedcba9876543210.',
        "  - Access_key_ID is set without its other half: set AWS_SECRET_ACCESS_KEY (or AWS_SECRET_KEY, Secret_access_key, SECRET_ACCESS_KEY, secret) too, or neither to use the AWS SDK's own chain.",
      ]);
    });

    it('are reported together with wrong flags', async () => {
      const needs = {
        amplitude: true,
        flags: { start: '2026-02-30', end: 'tomorrow', lookbackDays: 3 },
        wrong: [
          new UsageError('--force=x is not known.', 'Write --force.'),
          ...readArguments(['--lookback-days', 'week'], await COMMANDS.export()).wrong,
        ],
      };
      const error = refusal({ ...BASE, AMPLITUDE_API_KEY: '', EXPORT_TIMEZONE: 'Berlin' }, needs);
      expect(error).to.include({ code: 'CONFIG', exitCode: 2 });
      const all = problems({ ...BASE, AMPLITUDE_API_KEY: '', EXPORT_TIMEZONE: 'Berlin' }, needs);
      expect(all.map((line) => line.split(' ')[0])).to.have.members([
        'EXPORT_TIMEZONE',
        'AMPLITUDE_API_KEY',
        '--force=x',
        '--lookback-days',
        '--lookback-days',
        '--start',
        '--end',
      ]);
      expect(all).to.include(
        '--start is "2026-02-30": there is no such day. Write 2026-11-20T05 (a UTC hour), 2026-11-20 (a day) or 2026-11-20T05:00:00Z (a full hour with its zone).',
      );
      expect(all).to.include(
        '--lookback-days is "week": it must be a whole number from 1 to 3650, for example --lookback-days 30.',
      );
      expect(all.join()).not.to.include('--help');
    });

    it('include times that do not exist, and an end that is not after the start', () => {
      expect(problem({ EXPORT_START: '2026-02-30' })).to.match(
        /^EXPORT_START is "2026-02-30": there is no such day\. Write /,
      );
      expect(problems({ EXPORT_END: '2026-11-20T24' })).to.have.length(4);
      expect(refusal({ ...BASE, EXPORT_END: 'x' })).to.include({ code: 'CONFIG', exitCode: 2 });
      expect(problem({ EXPORT_START: '2026-11-21', EXPORT_END: '2026-11-20' })).to.match(
        /^The end 2026-11-20T00 \(EXPORT_END\) is not after the start 2026-11-21T00 \(EXPORT_START\)\./,
      );
      const range = { EXPORT_START: '2026-11-21', EXPORT_END: '2026-11-22' };
      const end = refusal({ ...BASE, ...range }, { amplitude: false, flags: { end: '2026-11-20' } });
      expect(end).to.include({ code: 'USAGE', exitCode: 2 });
      expect(end.message).to.include('2026-11-20T00 (--end)').and.include('2026-11-21T00 (EXPORT_START)');
    });

    it('do not include times that flags beat', () => {
      const wrong = { ...BASE, EXPORT_START: 'x', EXPORT_END: 'y' };
      expect(() =>
        loadSettings(wrong, { amplitude: true, flags: { start: '2026-11-20', end: '2026-11-21' } }),
      ).not.to.throw();
      expect(() => loadSettings(wrong, { amplitude: true, flags: { yesterday: true } })).not.to.throw();
      expect(refusal(wrong, { amplitude: true, flags: { lookbackDays: 3 } }).message).to.not.include('EXPORT_START');
    });

    it('are a USAGE error if only flags are wrong', () => {
      const flags = (given: Needs['flags']) => refusal(BASE, { amplitude: true, ...(given && { flags: given }) });
      const one = flags({ start: '2026-02-30' });
      expect(one).to.include({ code: 'USAGE', exitCode: 2, message: '--start is "2026-02-30": there is no such day.' });
      const two = flags({ start: '2026-02-30', end: '2026-02-31' });
      expect(two.code).to.equal('USAGE');
      expect(two.message.split('\n')).to.have.length(3);
    });

    it('do not show a secret in the place of a time', () => {
      const told = refusal({ ...BASE, AMPLITUDE_API_KEY: 'hush-key', EXPORT_START: 'hush-key' });
      expect(told.message).not.to.include('hush');
      const flag = refusal({ ...BASE, AMPLITUDE_API_KEY: 'hush-key' }, { amplitude: true, flags: { end: 'hush-key' } });
      expect(flag.message).not.to.include('hush');
    });

    it('are the three required ones in an empty environment', () => {
      expect(problems({})).to.deep.equal([
        'AMPLITUDE_API_KEY (or AMP_API_KEY or API_TOKEN) is not set, for example AMPLITUDE_API_KEY=0123456789abcdef0123456789abcdef.',
        'AMPLITUDE_SECRET_KEY (or AMP_SECRET_KEY or SECRET_KEY) is not set, for example AMPLITUDE_SECRET_KEY=fedcba9876543210fedcba9876543210.',
        'DESTINATION is not set, for example s3://my-bucket/amplitude; S3_BUCKET (or BUCKET_NAME or AWB_BUCKET_NAME or AWS_BUCKET_NAME or bucket_name) is not set, for example S3_BUCKET=my-bucket.',
      ]);
    });

    it('include half a pair of AWS keys, whichever half and name', () => {
      const halves = [
        ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
        ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
      ] as const;
      for (const [given, lacking] of halves) {
        for (const name of [given, ...(VARIABLES[given].aliases ?? [])]) {
          expect(problem({ [name]: 'half' })).to.match(
            new RegExp(`^${name} is set without its other half: set ${lacking} `),
          );
        }
      }
      expect(load({ AWS_SESSION_TOKEN: 'for the chain' }).s3.credentials).to.equal(undefined);
      expect(load({ AWS_ACCESS_KEY_ID: 'AKIA1234', secret: 'aws-secret' }).s3.credentials).to.include({
        secretAccessKey: 'aws-secret',
      });
    });

    it('include values in quotes of either kind', () => {
      for (const [name, { example }] of ALL) {
        for (const quote of ['"', "'"]) {
          const found = problems({ ...BASE, [name]: `${quote}${example}${quote}` });
          expect(found, name).to.have.length(1);
          expect(found[0]).to.match(new RegExp(`^${name} is wrapped in quotes, .*without them\\.$`));
        }
      }
      expect(load({ AMPLITUDE_SECRET_KEY: '"one-sided' }).amplitude.secretKey).to.equal('"one-sided');
    });

    const BOUNDS: [VariableName, number, number][] = [
      ['LOOKBACK_DAYS', 1, 3650],
      ['SETTLE_HOURS', 0, 8760],
      ['REQUEST_HOURS', 1, 8760],
      ['REQUEST_CONCURRENCY', 1, 5],
      ['UPLOAD_CONCURRENCY', 1, 64],
      ['UPLOAD_MAX_ATTEMPTS', 1, 20],
      ['ARCHIVE_MEMORY_MB', 0, 2048],
      ['EXPORT_MAX_ATTEMPTS', 1, 20],
      ['EXPORT_BACKOFF_MS', 0, 60_000],
      ['EXPORT_MIN_BYTES_PER_S', 0, 1_000_000_000],
    ];
    for (const [name, least, most] of BOUNDS) {
      it(`include whole numbers out of bounds: ${name} from ${least} to ${most}`, () => {
        for (const value of [least, most]) expect(() => load({ [name]: String(value) })).not.to.throw();
        for (const value of [least - 1, most + 1, '1.5', '1e1', '0x1', '+1', '1 000', '1h', 'NaN', '∞']) {
          expect(problem({ [name]: String(value) })).to.equal(
            `${name} is "${value}": it must be a whole number from ${least} to ${most}, for example ${VARIABLES[name].example}.`,
          );
        }
      });
    }

    it('include seconds out of bounds', () => {
      for (const name of [
        'EXPORT_CONNECT_TIMEOUT_S',
        'EXPORT_FIRST_BYTE_TIMEOUT_S',
        'EXPORT_IDLE_TIMEOUT_S',
      ] as const) {
        for (const value of ['0.001', '1', '86400']) expect(() => load({ [name]: value })).not.to.throw();
        for (const value of ['0', '0.0', '-1', '86401', '1e3', '5s', '.5', 'Infinity']) {
          expect(problem({ [name]: value })).to.equal(
            `${name} is "${value}": it must be a number of seconds above 0 and up to 86400, for example ${VARIABLES[name].example}.`,
          );
        }
      }
    });

    it('include time zones off whole UTC hours, and names of no zone', () => {
      for (const zone of ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Pacific/Kiritimati']) {
        expect(load({ EXPORT_TIMEZONE: zone }).range.timezone).to.equal(zone);
      }
      for (const zone of ['Asia/Kolkata', 'Asia/Kathmandu', 'America/St_Johns', 'Australia/Lord_Howe']) {
        expect(problem({ EXPORT_TIMEZONE: zone }), zone).to.include('whole UTC hours');
      }
      for (const zone of ['Berlin', 'CEST', 'local']) {
        expect(problem({ EXPORT_TIMEZONE: zone }), zone).to.include('must be an IANA time zone');
      }
    });

    it('include URLs that are more or less than an address', () => {
      for (const name of ['AMPLITUDE_BASE_URL', 'AWS_ENDPOINT_URL_S3'] as const) {
        for (const url of [
          'localhost',
          'ftp://host',
          'http://',
          'http://host/?a=b',
          'http://host/#a',
          'http://u:p@host',
        ]) {
          expect(problem({ [name]: url }), url).to.match(new RegExp(`^${name} is "`));
        }
        expect(() => load({ [name]: 'https://proxy.example/path/' })).not.to.throw();
      }
    });

    it('include regions with more than a name', () => {
      for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'region']) {
        for (const value of ['eu-central-1 # Frankfurt', 'EU (Frankfurt)', 'eu-central-1,']) {
          expect(problem({ [name]: value })).to.equal(
            `${name} is "${value}": it must be the name of a region and nothing else, for example eu-central-1.`,
          );
        }
      }
      for (const region of ['eu-central-1', 'auto', 'US_EAST', 'garage']) {
        expect(load({ AWS_REGION: region }).s3.region).to.equal(region);
      }
    });

    it('include impossible names of buckets, and prefixes that lead elsewhere', () => {
      for (const bucket of ['ab', 'My-Bucket', 's3://bucket', 'bucket/prefix', '-bucket', 'a'.repeat(64), 'b_c']) {
        const [only, ...more] = problems({ ...KEYS, S3_BUCKET: bucket });
        expect(only).to.match(new RegExp(`^S3_BUCKET is "${bucket}": it must be the bare name of a bucket`));
        expect(more).to.deep.equal([]);
      }
      for (const prefix of ['..', 'a/../b', './a']) {
        expect(problems({ ...KEYS, S3_BUCKET: 'landing', S3_PREFIX: prefix })).to.deep.equal([
          `S3_PREFIX is "${prefix}": it must not contain . or .., for example python-import.`,
        ]);
      }
    });
  });

  describe('that are misspelt', () => {
    it('are reported after the missing setting', () => {
      const [first, guess] = problems({ ...BASE, AMPLITUDE_API_KEY: '', AMPLITUDE_API_KEI: 'x' });
      expect(first).to.match(/^AMPLITUDE_API_KEY .*is not set/);
      expect(guess).to.equal('AMPLITUDE_API_KEI is no setting of this program; did you mean AMPLITUDE_API_KEY?');
      expect(problems({ ...KEYS, BUKET_NAME: 'x' })[1]).to.match(/^BUKET_NAME .*did you mean BUCKET_NAME\?$/);
    });

    it('are reported with any other problem', () => {
      const found = problems({ ...BASE, SETTLE_HOURS: 'x', AMPLITUDE_REGOIN: 'eu' });
      expect(found).to.have.length(2);
      expect(found[1]).to.include('AMPLITUDE_REGOIN').and.include('did you mean AMPLITUDE_REGION?');
    });

    it('cause a warning if nothing is wrong', () => {
      expect(load({ SETLE_HOURS: '0', OUTPUT_FORMATS: 'gzip' }).warnings).to.deep.equal([
        'SETLE_HOURS is no setting of this program; did you mean SETTLE_HOURS?',
        'OUTPUT_FORMATS is no setting of this program; did you mean OUTPUT_FORMAT?',
      ]);
    });

    it('are noticed in another letter case, as in ~/.aws/credentials', () => {
      expect(load({ aws_access_key_id: 'x', Output_Format: 'gzip' }).warnings).to.deep.equal([
        'aws_access_key_id is no setting of this program; did you mean AWS_ACCESS_KEY_ID?',
        'Output_Format is no setting of this program; did you mean OUTPUT_FORMAT?',
      ]);
    });

    it('are not suspected if the setting has a right name too', () => {
      expect(load({ APP_TOKEN: 'x', BUKET_NAME: 'x', BUCKET_NAME: 'landing' }).warnings).to.deep.equal([]);
      expect(load({ SETTLE_HOURS: '0', SETLE_HOURS: '1' }).warnings).to.deep.equal([]);
      expect(problems({ ...BASE, AMPLITUDE_API_KEY: '', APP_TOKEN: 'x' })[1]).to.match(/^APP_TOKEN is no setting/);
    });

    it('are not suspected in the settings of other programs', () => {
      const others = {
        PATH: '/bin',
        HOME: '/root',
        HOSTNAME: 'host',
        AWS_PROFILE: 'default',
        AWS_ROLE_ARN: 'arn',
        AWS_WEB_IDENTITY_TOKEN_FILE: '/token',
        AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1',
        AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1',
        NODE_OPTIONS: '',
        LOG_LEVELS: '',
        APP_REGION: 'eu',
        GCP_REGION: 'europe-west1',
        AMPLITUDE_SECRET_KEY_FILE: file('same-secret', 'the-secret-key'),
      };
      expect(load(others).warnings).to.deep.equal([]);
    });
  });

  describe('destinations', () => {
    it('are a bucket with or without a prefix', () => {
      const s3 = (bucket: string, prefix: string) => ({ kind: 's3', bucket, prefix });
      expect(readDestination('s3://landing')).to.deep.equal(s3('landing', ''));
      expect(readDestination('s3://landing/')).to.deep.equal(s3('landing', ''));
      expect(readDestination('s3://landing/a/b c/')).to.deep.equal(s3('landing', 'a/b c'));
      expect(readDestination('s3://my.bucket-1//a')).to.deep.equal(s3('my.bucket-1', 'a'));
      const ofParts = (S3_PREFIX: string) => loadSettings({ ...KEYS, S3_BUCKET: 'landing', S3_PREFIX }).destination;
      expect(ofParts('/a/b/')).to.deep.equal(s3('landing', 'a/b'));
      expect(ofParts('/')).to.deep.equal(s3('landing', ''));
      expect(ofParts('')).to.deep.equal(s3('landing', 'amplitude'));
    });

    it('are a folder, by URL or path', () => {
      const file = (folder: string) => ({ kind: 'file', folder });
      expect(readDestination('file:///data/hours')).to.deep.equal(file('/data/hours'));
      expect(readDestination('file:///data/a%20b')).to.deep.equal(file('/data/a b'));
      expect(readDestination('/data/hours/')).to.deep.equal(file('/data/hours'));
      expect(readDestination('./hours')).to.deep.equal(file(resolve('hours')));
      expect(readDestination('hours')).to.deep.equal(file(resolve('hours')));
    });

    it('are nothing else', () => {
      const wrong = {
        's3://': 'it must have the name of a bucket between s3:// and the next /',
        's3://Bucket/x': 'it must have the name of a bucket between s3:// and the next /',
        's3://landing/../x': 'it must not contain . or ..',
        's3:/landing/x': 'it must begin with s3:// or file:/// or be a path',
        's3:landing': 'it must begin with s3:// or file:/// or be a path',
        'S3://landing': 'it must begin with s3:// or file:/// or be a path',
        'gs://landing/x': 'it must begin with s3:// or file:/// or be a path',
        'https://landing.s3.amazonaws.com': 'it must begin with s3:// or file:/// or be a path',
        'file://data/hours': 'with three slashes',
        'file:hours': 'with three slashes',
        'file:///a%2Fb': 'without an encoded slash',
      };
      for (const [text, why] of Object.entries(wrong)) {
        const told = problem({ DESTINATION: text });
        expect(told).to.include(why);
        expect(told).to.match(/^DESTINATION is ".*, for example s3:\/\/my-bucket\/amplitude\.$/);
      }
    });
  });

  describe('for those who watch the runs', () => {
    const watching = (changed: Environment) => {
      const seen: Watch[] = [];
      const needs = { amplitude: true, onWatch: (watch: Watch) => void seen.push(watch) };
      try {
        loadSettings({ ...BASE, ...changed }, needs);
      } catch (error) {
        if (!(error instanceof JobError)) throw error;
      }
      return seen;
    };
    const url = 'https://hooks.slack.com/services/T0/B0/abcdefghijklmnop';

    it('are told also where others are wrong', () => {
      const [watch, ...more] = watching({ NOTIFY_URL: url, METRICS_FILE: '/m/a.prom', OUTPUT_FORMAT: 'x' });
      expect(more).to.deep.equal([]);
      expect(watch).to.include({ notifyUrl: url, metricsFile: '/m/a.prom', destination: 's3://landing/events' });
      expect(watching({ NOTIFY_URL: url, DESTINATION: 'ftp://x' })[0]?.destination).to.equal(undefined);
    });

    it('keep a webhook secret, whole and in its parts, and leave words alone', () => {
      const [watch] = watching({ NOTIFY_URL: url });
      const redact = redaction(watch?.secrets ?? []);
      for (const text of [url, `POST ${url}`, '/services/T0/B0/abcdefghijklmnop', 'token abcdefghijklmnop']) {
        expect(redact(text)).not.to.include('abcdefgh').and.not.to.equal(text);
      }
      expect(redact('services of hooks.slack.com')).to.equal('services of hooks.slack.com');
      for (const wrong of ['hooks.slack.com/services/hush', 'ftp://x/hush', 'hush']) {
        expect(problem({ NOTIFY_URL: wrong }))
          .to.match(/^NOTIFY_URL: it must be an http/)
          .and.not.include('hush');
      }
    });

    it('warn of a file that node_exporter does not read', () => {
      const warnings = (file: string) => load({ METRICS_FILE: file }).warnings;
      for (const name of ['/m/a.txt', '/m/.prom', 'a.prom/', '/m/a.prom.tmp']) {
        expect(warnings(name)).to.deep.equal([
          `METRICS_FILE is "${name}": node_exporter reads files that end in .prom only.`,
        ]);
      }
      expect(warnings('/m/a.prom')).to.deep.equal([]);
      expect(watching({ METRICS_FILE: '~/a.prom' })[0]?.metricsFile).to.equal(join(homedir(), 'a.prom'));
    });
  });

  describe('that are paths', () => {
    const PATHS = ['WORK_DIR', 'REPORT_FILE', 'AWS_CA_BUNDLE'] as const;
    const ofSettings = ({ workDir, reportFile, caBundle }: Settings) => [workDir, reportFile, caBundle];

    it('may begin with ~, the home of this user', () => {
      expect(load({ DESTINATION: '~/exports' }).destination).to.deep.equal({
        kind: 'file',
        folder: join(homedir(), 'exports'),
      });
      expect(readDestination('~')).to.deep.equal({ kind: 'file', folder: homedir() });
      for (const name of PATHS) expect(ofSettings(load({ [name]: '~/x' }))).to.include(join(homedir(), 'x'));
      expect(problem({ AMPLITUDE_API_KEY: '', AMPLITUDE_API_KEY_FILE: '~/no-such-key' })).to.include('ENOENT');
      for (const text of ['./~', 'a~b', '/x/~']) expect(localPath(text)).to.equal(text);
    });

    it('cannot begin with the home of another user, or with a variable', () => {
      expect(problem({ DESTINATION: '~ana/exports' })).to.equal(
        'DESTINATION is "~ana/exports": it begins with the name of a user, and only ~ is known: write the whole path, for example /data.',
      );
      for (const text of ['$HOME/x', `\${PWD}/x`, '~ana/x']) {
        for (const name of PATHS)
          expect(problem({ [name]: text })).to.match(new RegExp(`^${name} is ".*": it begins with`));
        expect(problem({ AMPLITUDE_API_KEY: '', AMPLITUDE_API_KEY_FILE: text })).to.match(
          /^AMPLITUDE_API_KEY_FILE cannot be used: it begins with/,
        );
      }
    });

    it('do not show the start of a secret', () => {
      for (const mark of ['~', '$']) {
        for (const name of [...PATHS, 'DESTINATION'] as const) {
          const key = `${mark}hush/0123456789`;
          expect(problem({ [name]: key, AMPLITUDE_SECRET_KEY: key })).not.to.include('hush');
        }
      }
    });

    it('cannot be paths of Windows on another system', () => {
      const windows = [
        'C:\\Users\\ana',
        'c:/Users/ana',
        '\\\\server\\share',
        '.\\exports',
        '..\\x',
        '%USERPROFILE%\\x',
      ];
      for (const text of windows) {
        if (!text.startsWith('~')) expect(localPath(text, 'win32')).to.equal(text);
        expect(() => localPath(text, 'linux'), text).to.throw(PathError, 'mount the folder');
      }
      if (process.platform === 'win32') return;
      for (const text of [...windows, 'file:///C:/Users/ana']) {
        expect(problem({ DESTINATION: text }), text).to.match(
          /it is a path of Windows, and this is \w+: mount the folder \(docker run -v\) and name the path in the container, for example \/data\.$/,
        );
      }
      for (const name of PATHS) expect(problem({ [name]: 'D:\\x' })).to.include('is a path of Windows');
    });
  });

  describe('in a container', () => {
    const mounts = (root: string) =>
      [
        `22 1 0:20 / / rw,relatime master:1 - ${root} overlay rw,lowerdir=/a,upperdir=/b`,
        '23 22 0:21 / /proc rw,nosuid - proc proc rw',
        '24 22 0:22 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k',
        '25 22 8:1 /home/ana/hours /data rw,relatime - ext4 /dev/sda1 rw',
        '26 22 8:1 /home/ana/b /mnt/two\\040words rw,relatime shared:3 master:4 - ext4 /dev/sda1 rw',
        '27 22 0:30 / /tmp rw,nosuid - tmpfs tmpfs rw',
        '28 22 8:1 /x /covered rw - ext4 /dev/sda1 rw',
        '29 28 0:31 / /covered rw - tmpfs tmpfs rw',
        '',
      ].join('\n');

    it('a folder is lost unless it is on a mount that stays', () => {
      for (const folder of ['/', '/hours', '/database', '/tmp/x', '/dev/shm', '/covered/x', '/mnt/two']) {
        expect(isLostWithContainer(folder, mounts('overlay')), folder).to.equal(true);
      }
      for (const folder of ['/data', '/data/a/b', '/mnt/two words/x']) {
        expect(isLostWithContainer(folder, mounts('overlay')), folder).to.equal(false);
      }
      for (const folder of ['/hours', '/data', '/tmp/x']) {
        expect(isLostWithContainer(folder, mounts('ext4')), folder).to.equal(false);
        expect(isLostWithContainer(folder, ''), folder).to.equal(false);
      }
    });

    it('a destination that is lost causes a warning', () => {
      const warnings = (DESTINATION: string) =>
        loadSettings({ ...BASE, DESTINATION }, { amplitude: true, mounts: mounts('overlay') }).warnings;
      expect(warnings('/hours')).to.deep.equal([
        'DESTINATION is "/hours", which is inside the container and is lost with it (docker run --rm): mount a folder there, for example -v "$PWD/data:/data" with DESTINATION=/data.',
      ]);
      for (const kept of ['/data/hours', 's3://landing/hours']) expect(warnings(kept)).to.deep.equal([]);
    });
  });

  describe('of the log', () => {
    it('are read before the rest, and fall back if they are wrong', () => {
      expect(logSettings({}, true)).to.deep.equal({ format: 'pretty', level: 'info', color: true });
      expect(logSettings({}, false)).to.deep.equal({ format: 'json', level: 'info', color: false });
      expect(logSettings({ LOG_FORMAT: 'kestra', LOG_LEVEL: 'debug' }, true)).to.include({
        format: 'kestra',
        level: 'debug',
      });
      expect(logSettings({ LOG_FORMAT: 'xml', LOG_LEVEL: 'loud' }, false)).to.include({
        format: 'json',
        level: 'info',
      });
      expect(logSettings({ NO_COLOR: '1' }, true).color).to.equal(false);
      expect(logSettings({ NO_COLOR: '' }, true).color).to.equal(true);
      expect(logSettings({ TERM: 'dumb' }, true).color).to.equal(false);
    });

    it('are refused with the rest if they are wrong', () => {
      expect(problem({ LOG_FORMAT: 'xml' })).to.equal(
        'LOG_FORMAT is "xml": it must be one of pretty, json, kestra, for example kestra.',
      );
    });
  });
});

/** A value of `name` that is easy to find in the settings. */
function first(name: VariableName): string {
  if (name === 'AMPLITUDE_REGION') return 'eu';
  return name === 'AWS_ENDPOINT_URL_S3' ? 'http://first' : 'the-first';
}

function other(name: VariableName): string {
  if (name === 'AMPLITUDE_REGION') return 'us';
  return name === 'AWS_ENDPOINT_URL_S3' ? 'http://other' : 'the-other';
}
