import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { S3Settings } from '../../src/config/settings.ts';
import { contentOf, type DestinationOptions, Miscounted } from '../../src/destination/destination.ts';
import { NoCredentials } from '../../src/destination/s3/errors.ts';
import { explain } from '../../src/destination/s3/explain.ts';
import { JobError } from '../../src/errors.ts';
import { failure } from '../support/destination-contract.ts';
import { openBucket } from '../support/destinations.ts';
import { runProgram } from '../support/program.ts';
import { type FaultName, type S3Server, startS3Server } from '../support/s3-server/server.ts';
import { type HeardLog, hearingLog, s3Settings } from '../support/settings.ts';

const small = contentOf(Buffer.from('{"a":1}\n'));
const large = contentOf(Buffer.alloc(25_000, 'x'));
const PARTS = { aboveBytes: 10_000, partBytes: 10_000 };
const MD5 = createHash('md5').update('{"a":1}\n').digest('hex');

describe('a store that speaks a dialect', () => {
  let server: S3Server;
  let log: HeardLog;
  const open = (settings: Partial<S3Settings> = {}, options: Partial<DestinationOptions> = {}) =>
    openBucket(server, settings, { log, ...options });
  const stored = (key: string) => server.objects.get(`bucket/p/${key}`)?.body;
  const said = (words: RegExp) => log.lines.filter(({ message }) => words.test(message));
  const puts = () => server.requests.filter(({ operation }) => operation === 'PutObject');

  beforeEach(async () => {
    server = await startS3Server({ minPartBytes: 1000 });
    log = hearingLog();
  });
  afterEach(() => server.close());

  for (const fault of ['not-implemented', 'vague', 'method'] as const) {
    it(`deletes one by one where DeleteObjects is refused (${fault}), and says so once`, async () => {
      const destination = open();
      const keys = Array.from({ length: 20 }, (_, n) => `events/${n}.json`);
      for (const key of keys) await destination.put(key, small);
      server.faults.push({ fault, operation: 'DeleteObjects' });
      await destination.delete([...keys.slice(0, 10), 'events/never-there.json']);
      await destination.delete(keys.slice(10));
      expect(server.objects.size).to.equal(0);
      expect(server.requests.filter(({ operation }) => operation === 'DeleteObjects')).to.have.length(1);
      expect(said(/deleted one by one/)).to.have.length(1);
      expect([...destination.lacks]).to.deep.equal(['batch-deletes']);
    });
  }

  it('refuses an answer that does not name what was deleted', async () => {
    server.faults.push({ fault: 'html', operation: 'DeleteObjects' });
    expect(await failure(open().delete(['events/a.json']))).to.include({ code: 'NOT_S3' });
  });

  it('names the permission where single deletes are refused too', async () => {
    server.faults.push({ fault: 'not-implemented', operation: 'DeleteObjects' });
    server.faults.push({ fault: 'access-denied', operation: 'DeleteObject' });
    const destination = open();
    const error = (await failure(destination.delete(['events/a.json']))) as JobError;
    expect(error).to.include({ code: 'ACCESS_DENIED' });
    expect(error.hint).to.include('s3:DeleteObject');
    expect([...destination.lacks]).to.deep.equal([]);
  });

  it('names the permission where one of many keys may not be deleted', async () => {
    server.faults.push({ fault: 'access-denied', operation: 'DeleteObjects', key: /b\.json$/ });
    const error = (await failure(open().delete(['events/a.json', 'events/b.json']))) as JobError;
    expect(error).to.include({ code: 'ACCESS_DENIED' });
    expect(error.message).to.include('AccessDenied, "Access Denied"');
    expect(error.hint).to.include('s3:DeleteObject');
  });

  for (const fault of ['no-checksum', 'not-implemented', 'vague'] as const) {
    it(`puts and swaps without a checksum where the store refuses it (${fault}), and says once that the proof is weaker`, async () => {
      server.faults.push({ fault, operation: 'PutObject', header: /^x-amz-checksum-crc32$/ });
      const destination = open();
      await destination.put('events/a.json', small);
      await destination.put('events/b.json', small);
      expect(await destination.swap('manifests/a.json', Buffer.from('{}'), undefined)).to.equal('swapped');
      expect(await destination.swap('manifests/a.json', Buffer.from('{ }'), undefined)).to.equal('lost');
      expect(stored('events/b.json')?.toString()).to.equal('{"a":1}\n');
      expect(puts().filter(({ headers }) => 'x-amz-checksum-crc32' in headers)).to.have.length(1);
      expect(said(/proof of an object is weaker/)).to.have.length(1);
      expect([...destination.lacks]).to.deep.equal(['checksums']);
    });
  }

  for (const lacks of [['checksums'], ['conditions'], ['checksums', 'conditions']]) {
    it(`shows by a first swap that it lacks ${lacks.join(' and ')}, where it only answers 501`, async () => {
      const header = new RegExp(
        lacks.map((lack) => (lack === 'checksums' ? '^x-amz-checksum-crc32$' : '^if-')).join('|'),
      );
      server.faults.push({ fault: 'not-implemented', operation: 'PutObject', header });
      const destination = open();
      expect(await destination.swap('manifests/a.json', Buffer.from('{}'), undefined)).to.equal('swapped');
      expect(await destination.swap('manifests/b.json', Buffer.from('{}'), undefined)).to.equal('swapped');
      expect([...destination.lacks]).to.have.members(lacks);
      expect(stored('manifests/b.json')?.toString()).to.equal('{}');
    });
  }

  it('fails a swap that is refused once without a reason, and takes that for no lack', async () => {
    const destination = open();
    await destination.put('events/a.json', small);
    server.faults.push({ fault: 'vague', operation: 'PutObject', times: 1 });
    const swap = (text: string) => destination.swap('manifests/a.json', Buffer.from(text), undefined);
    expect(await failure(swap('{}'))).to.be.instanceOf(JobError);
    expect([await swap('{}'), await swap('{ }')]).to.deep.equal(['swapped', 'lost']);
    expect([...destination.lacks]).to.deep.equal([]);
  });

  it('asks for no checksum where it only looks whether an object is there', async () => {
    server.faults.push({ fault: 'vague', operation: 'HeadObject', header: /^x-amz-checksum-mode$/ });
    server.faults.push({ fault: 'no-checksum', operation: 'PutObject', header: /^x-amz-checksum-crc32$/ });
    await open().put('events/a.json', small);
    expect(stored('events/a.json')?.toString()).to.equal('{"a":1}\n');
  });

  it('that ignores conditions is found out, and the run reads before it swaps from then on', async () => {
    server.faults.push({ fault: 'ignored-condition', operation: 'PutObject' });
    const destination = open();
    expect(await destination.swap('manifests/a.json', Buffer.from('{}'), undefined)).to.equal('swapped');
    expect(await destination.swap('manifests/a.json', Buffer.from('{ }'), undefined)).to.equal('lost');
    expect(stored('manifests/a.json')?.toString()).to.equal('{}');
    expect(said(/Two runs at once are not safe/)).to.have.length(1);
    expect([...destination.lacks]).to.deep.equal(['conditions']);
  });

  it('may honour If-None-Match and ignore If-Match', async () => {
    server.faults.push({ fault: 'ignored-condition', operation: 'PutObject', header: /^if-match$/ });
    const destination = open();
    await destination.swap('manifests/a.json', Buffer.from('{}'), undefined);
    expect([...destination.lacks]).to.deep.equal([]);
    const { version } = (await destination.standing('manifests/a.json')) ?? {};
    expect(await destination.swap('manifests/a.json', Buffer.from('{ }'), version)).to.equal('swapped');
    expect([...destination.lacks]).to.deep.equal(['conditions']);
  });

  for (const fault of ['page-400', 'page-501'] as const) {
    it(`lacks nothing because of a proxy's page (${fault})`, async () => {
      server.faults.push({ fault });
      const destination = open();
      for (const attempt of [
        destination.put('events/a.json', small),
        destination.swap('manifests/a.json', Buffer.from('{}'), undefined),
        destination.delete(['events/a.json']),
      ]) {
        expect(await failure(attempt)).to.include({ code: 'NOT_S3', endsRun: true });
      }
      expect([...destination.lacks]).to.deep.equal([]);
    });
  }

  it('is asked once for a condition that does not hold', async () => {
    const destination = open();
    const keys = Array.from({ length: 5 }, (_, n) => `manifests/${n}.json`);
    await Promise.all(keys.map((key) => destination.swap(key, Buffer.from('{}'), undefined)));
    expect(
      puts()
        .map(({ status }) => status)
        .sort(),
    ).to.deep.equal([200, 200, 200, 200, 200, 412]);
    expect([...destination.lacks]).to.deep.equal([]);
  });

  it('passes on a refusal that comes without the checksum too', async () => {
    server.faults.push({ fault: 'vague', operation: 'PutObject' });
    const destination = open();
    const error = (await failure(destination.put('events/a.json', small))) as JobError;
    expect(error).to.include({ code: 'DESTINATION' });
    expect(error.message).to.include('InvalidRequest, "Bad request."');
    expect([...destination.lacks]).to.deep.equal([]);
  });

  it('uploads in parts without checksums where the store refuses them', async () => {
    for (const operation of ['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload']) {
      server.faults.push({ fault: 'no-checksum', operation, header: /^x-amz-checksum-/ });
    }
    await open({}, { multipart: PARTS }).put('events/a.json', large);
    expect(stored('events/a.json')?.length).to.equal(25_000);
    expect(server.uploads.size).to.equal(0);
  });

  describe('without checksums', () => {
    beforeEach(() => {
      server.faults.push({ fault: 'no-checksum', operation: 'PutObject', header: /^x-amz-checksum-crc32$/ });
    });

    it('refuses content that has another CRC-32 than it announced, before the store has all of it', async () => {
      const wrong = { ...small, crc32: 1 };
      expect(await failure(open().put('events/a.json', wrong))).to.be.instanceOf(Miscounted);
      expect(stored('events/a.json')).to.equal(undefined);
    });

    it('does not count an object whose ETag is the MD5 of other bytes', async () => {
      server.faults.push({ fault: 'other-md5', operation: 'PutObject' });
      const error = (await failure(open().put('events/a.json', small))) as JobError;
      expect(error).to.include({ code: 'BAD_DIGEST' });
      expect(error.message).to.include(MD5);
    });

    it('does not count an object that is not there afterwards, whatever its ETag', async () => {
      server.faults.push({ fault: 'opaque-etag', operation: 'PutObject' });
      expect(await failure(open().put('events/a.json', small))).to.include({ code: 'NOT_S3' });
    });
  });

  it('is told no checksum from the first request on, where AWS_REQUEST_CHECKSUM_CALCULATION says so', async () => {
    process.env.AWS_REQUEST_CHECKSUM_CALCULATION = 'when_required';
    try {
      await open().put('events/a.json', small);
    } finally {
      delete process.env.AWS_REQUEST_CHECKSUM_CALCULATION;
    }
    expect(puts().map(({ headers }) => headers['x-amz-checksum-crc32'])).to.deep.equal([undefined]);
  });

  it('is sent the configured encryption', async () => {
    await open({ sse: 'AES256' }).put('events/a.json', small);
    await open({ sse: 'AES256' }, { multipart: PARTS }).put('events/b.json', large);
    await open({ sse: 'aws:kms' }).swap('manifests/a.json', Buffer.from('{}'), undefined);
    const sent = (operation: string) =>
      server.requests
        .filter((request) => request.operation === operation)
        .map(({ headers }) => headers['x-amz-server-side-encryption']);
    expect(sent('PutObject')).to.deep.equal(['AES256', 'aws:kms', 'aws:kms']);
    expect(sent('CreateMultipartUpload')).to.deep.equal(['AES256']);
  });

  it('is addressed as S3_ADDRESSING says, by path without it', async () => {
    // The server plays its own proxy: a name such as bucket.store.test is never looked up.
    const proxyEnv = { HTTP_PROXY: server.url };
    const endpoint = 'http://store.test';
    await open({ endpoint, proxyEnv, addressing: 'virtual' }).put('events/a.json', small);
    await open({ endpoint, proxyEnv, addressing: 'path' }).put('events/b.json', small);
    await open({ endpoint, proxyEnv }).put('events/c.json', small);
    expect(puts().map(({ headers }) => headers.host)).to.deep.equal(['bucket.store.test', 'store.test', 'store.test']);
    expect([...server.objects.keys()].sort()).to.deep.equal(
      ['a', 'b', 'c'].map((name) => `bucket/p/events/${name}.json`),
    );
  });

  it('is not kept waiting for 100-continue', async () => {
    await open().put('events/a.json', contentOf(Buffer.alloc(3e6, 'x')));
    expect(puts()[0]?.headers).not.to.have.property('expect');
  });
});

describe('a run on a store that speaks a dialect', () => {
  it('leaves out checksums by AWS_REQUEST_CHECKSUM_CALCULATION, and lands and replaces hours', async () => {
    const server = await startS3Server();
    const { startSimulator, parseFault } = await import('../../src/simulator/simulator.ts');
    const simulator = await startSimulator({ seed: 1, eventsPerHour: 50 });
    try {
      server.faults.push({ fault: 'no-checksum', operation: 'PutObject', header: /^x-amz-checksum-crc32$/ });
      server.faults.push({ fault: 'not-implemented', operation: 'DeleteObjects' });
      const env = {
        AMPLITUDE_BASE_URL: simulator.url,
        AMPLITUDE_API_KEY: 'simulator-key',
        AMPLITUDE_SECRET_KEY: 'simulator-secret',
        DESTINATION: 's3://bucket/amplitude',
        AWS_ENDPOINT_URL_S3: server.url,
        AWS_ACCESS_KEY_ID: 'testak',
        AWS_SECRET_ACCESS_KEY: 'testsecret',
        AWS_REGION: 'us-east-1',
        AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
        LOG_FORMAT: 'json',
      };
      const range = ['--start', '2026-03-04T10', '--end', '2026-03-04T12'];
      const first = await runProgram(['export', ...range], env);
      expect(first.code, first.stdout).to.equal(0);
      expect(first.stdout.match(/proof of an object is weaker/g)).to.have.length(1);
      expect(server.requests.filter(({ headers }) => 'x-amz-checksum-crc32' in headers)).to.deep.equal([]);

      simulator.faults.push(parseFault('grown@2026-03-04T10'), parseFault('bad-line@2026-03-04T11'));
      const again = await runProgram(['export', '--force', ...range], env);
      expect(again.code, again.stdout).to.equal(0);
      const verified = await runProgram(['verify', '--deep'], env);
      expect(verified.code, verified.stdout).to.equal(0);
      expect(verified.stdout + verified.stderr).to.match(/nothing differs/i);
    } finally {
      await simulator.close();
      await server.close();
    }
  });
});

describe('what S3 says in a refusal', () => {
  let server: S3Server;
  beforeEach(async () => {
    server = await startS3Server();
  });
  afterEach(() => server.close());
  const refused = async (fault: FaultName, settings: Partial<S3Settings> = {}) => {
    server.faults.push({ fault });
    return (await failure(openBucket(server, settings).put('events/a.json', small))) as JobError;
  };

  const cases: [FaultName, string, RegExp, RegExp][] = [
    ['access-denied', 'ACCESS_DENIED', /AccessDenied, "Access Denied"/, /s3:PutObject.*S3_SSE.*S3_ADDRESSING=virtual/],
    ['explicit-deny', 'ACCESS_DENIED', /explicit deny in a resource-based policy"/, /look for the Deny/],
    ['quota', 'DISK_FULL', /QuotaExceeded, "The bucket quota of 10 GB is used up\."/, /quota/],
    ['page-403', 'NOT_S3', /HTTP 403, "Blocked by policy 7" is not S3's answer/, /AWS_ENDPOINT_URL_S3.*proxies/],
    ['broken-page-403', 'NOT_S3', /HTTP 403, "Blocked by policy 7" is not S3's answer/, /proxies/],
    ['signature', 'AWS_CREDENTIALS', /SignatureDoesNotMatch, "The request signature/, /AWS_SECRET_ACCESS_KEY/],
    ['no-such-bucket', 'BUCKET_MISSING', /NoSuchBucket, "The specified bucket/, /S3_ADDRESSING=virtual/],
  ];
  for (const [fault, code, message, hint] of cases) {
    it(`is quoted: ${fault}`, async () => {
      const error = await refused(fault);
      expect(error).to.include({ code, endsRun: true });
      expect(error.message).to.match(message);
      expect(error.hint).to.match(hint);
    });
  }

  it('is quoted of a 5xx that does not pass', async () => {
    const error = await refused('slow-down', { maxAttempts: 1 });
    expect(error.message).to.include('SlowDown, "Please reduce your request rate."');
  });
});

describe('a refusal of AWS', () => {
  const attempted = { action: 'PutObject', key: 'a', name: 's3://b/', settings: s3Settings('') };
  const thrown = (name: string, message: string, httpStatusCode = 403) =>
    Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
  const refusal = (...words: Parameters<typeof thrown>) => explain(thrown(...words), attempted);

  const assume = thrown('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
  for (const cause of [
    new NoCredentials('none', { cause: assume }),
    thrown('InvalidClientTokenId', 'The security token included in the request is invalid.'),
    thrown('Unauthorized', 'Unauthorized', 401),
  ]) {
    const { message } = cause.cause instanceof Error ? cause.cause : cause;
    it(`is of credentials: ${message}`, () => {
      const error = explain(cause, attempted);
      expect(error).to.include({ code: 'AWS_CREDENTIALS', exitCode: 4, endsRun: true });
      expect(error.message).to.include(message.replace(/\.$/, ''));
    });
  }

  it('is of the KMS key only where it names a kms: right, not where a bucket has kms in its name', () => {
    const denied = (on: string) => refusal('AccessDenied', `User: x is not authorized to perform: ${on}`);
    expect(denied('s3:PutObject on resource: "arn:aws:s3:::acme-kms-logs/a"').code).to.equal('ACCESS_DENIED');
    expect(denied('kms:GenerateDataKey on this resource').code).to.equal('KMS_KEY');
  });

  it('is one line of at most 300 characters', () => {
    const error = refusal('AccessDenied', `one\ntwo ${'x'.repeat(400)}`);
    expect(error.message).to.include('one two').and.not.include('\n');
    expect(error.message.length).to.be.below(400);
  });
});

describe('a pause between attempts at S3', () => {
  it('ends with the reason of the signal', async () => {
    const server = await startS3Server();
    try {
      server.faults.push({ fault: 'html' });
      const stopper = new AbortController();
      const destination = openBucket(server, { maxAttempts: 50 }, { signal: stopper.signal });
      const listing = failure(Array.fromAsync(destination.list('')));
      setTimeout(() => stopper.abort(new Error('stop')), 1500);
      expect(await listing).to.have.property('message', 'stop');
    } finally {
      await server.close();
    }
  });
});

describe('AWS credentials that cannot be had', () => {
  const env = {
    AMPLITUDE_API_KEY: 'key',
    AMPLITUDE_SECRET_KEY: 'secret',
    DESTINATION: 's3://bucket/amplitude',
    AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9',
    AWS_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: new URL('../support/dialects/aws-config', import.meta.url).pathname,
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    HOME: '/nonexistent',
  };
  const cases: [string, Record<string, string>, RegExp][] = [
    ['of an SSO session', { AWS_PROFILE: 'sso' }, /AWS_PROFILE=sso.*aws sso login/],
    ['of a misspelt profile', { AWS_PROFILE: 'misspelt' }, /AWS_PROFILE=misspelt.*~\/\.aws\/config/],
    [
      'of a web identity whose token is missing',
      { AWS_WEB_IDENTITY_TOKEN_FILE: '/nonexistent/token', AWS_ROLE_ARN: 'arn:aws:iam::1:role/x' },
      /\/nonexistent\/token.*AWS_WEB_IDENTITY_TOKEN_FILE/,
    ],
    ['of nobody', {}, /Could not load credentials.*AWS_ACCESS_KEY_ID/],
  ];
  for (const [whose, more, words] of cases) {
    it(`are reported in the SDK's own words: ${whose}`, async () => {
      const ended = await runProgram(['export', '--json'], { ...env, ...more });
      expect(ended.code, ended.stderr).to.equal(4);
      const { error } = JSON.parse(ended.stdout) as { error: { code: string; message: string; hint: string } };
      expect(error.code).to.equal('AWS_CREDENTIALS');
      expect(`${error.message} ${error.hint}`)
        .to.match(words)
        .and.not.match(/Check the network/);
    });
  }
});
