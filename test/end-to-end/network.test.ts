import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Authority, makeAuthority, openTlsFront, type TlsFront } from '../support/network/certificates.ts';
import { type ProxyOptions, startProxy } from '../support/network/proxy.ts';
import { type Ended, runProgram } from '../support/program.ts';
import { type S3Server, startS3Server } from '../support/s3-server/server.ts';

const HOURS = 3;
const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T09'];
const NAMES = 'DNS:amplitude.test,DNS:store.test,IP:127.0.0.1';
const portOf = (url: string) => Number(new URL(url).port);

describe('networks', function () {
  this.timeout(60_000);
  let simulator: Simulator;
  let store: S3Server;
  let authority: Authority;
  let fronts: { amplitude: TlsFront; store: TlsFront };
  const open: { close(): Promise<void> }[] = [];

  before(async () => {
    simulator = await startSimulator({ eventsPerHour: 10 });
    authority = makeAuthority();
  });
  after(async () => {
    await simulator.close();
    authority.remove();
  });
  beforeEach(async () => {
    simulator.requests.length = 0;
    store = await startS3Server();
    const identity = authority.issue(NAMES);
    fronts = {
      amplitude: await openTlsFront(simulator.url, identity),
      store: await openTlsFront(store.url, identity),
    };
    open.push(store, fronts.amplitude, fronts.store);
  });
  afterEach(async () => {
    // The last one first: a proxy or front holds connections of the server behind it.
    for (const one of open.splice(0).reverse()) await one.close();
  });

  const run = (env: Record<string, string>) =>
    runProgram(['export', '--json', ...RANGE], {
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
      AWS_REGION: 'us-east-1',
      DESTINATION: 's3://bucket/amplitude',
      EXPORT_BACKOFF_MS: '1',
      REQUEST_HOURS: '1',
      REQUEST_CONCURRENCY: '1',
      LOG_LEVEL: 'debug',
      ...env,
    });
  const proxy = async (changed: Partial<ProxyOptions> = {}, scheme: 'http' | 'https' = 'http') => {
    const behind = {
      http: { 'amplitude.test': portOf(simulator.url), 'store.test': portOf(store.url) },
      https: { 'amplitude.test': fronts.amplitude.port, 'store.test': fronts.store.port },
    };
    const started = await startProxy({ routes: behind[scheme], ...changed });
    open.push(started);
    return started;
  };
  const hosts = (scheme: 'http' | 'https') => ({
    AMPLITUDE_BASE_URL: `${scheme}://amplitude.test`,
    AWS_ENDPOINT_URL_S3: `${scheme}://store.test`,
    AWS_CA_BUNDLE: authority.file,
  });
  const direct = () => ({ AMPLITUDE_BASE_URL: simulator.url, AWS_ENDPOINT_URL_S3: store.url });
  const overTls = () => ({
    AMPLITUDE_BASE_URL: `https://127.0.0.1:${fronts.amplitude.port}`,
    AWS_ENDPOINT_URL_S3: `https://127.0.0.1:${fronts.store.port}`,
  });
  const expectLanded = ({ code, stderr, report }: Ended) => {
    expect(code, stderr).to.equal(0);
    const { sealed, empty } = report().hours;
    expect(sealed.length + empty.length).to.equal(HOURS);
    expect([...store.objects.keys()].filter((key) => key.includes('/manifests/'))).to.have.length(HOURS);
  };
  /** The code, message and hint of a run that ended before its plan, or of its first hour. */
  const told = (ended: Ended): { code: string; message: string } => {
    const { error, hours } = ended.report<{
      error?: { code: string; message: string; hint: string };
      hours?: { failed: { code: string; message: string }[] };
    }>();
    if (error !== undefined) return { code: error.code, message: `${error.message} ${error.hint}` };
    return hours?.failed[0] ?? { code: '', message: '' };
  };

  describe('behind a proxy', () => {
    it('reach Amplitude and S3 in plain HTTP, as HTTP_PROXY says', async () => {
      const { host, seen } = await proxy();
      expectLanded(await run({ ...hosts('http'), HTTP_PROXY: `http://${host}` }));
      expect(seen.filter((line) => line.startsWith('GET http://amplitude.test/api/2/export'))).to.have.length(HOURS);
      expect(seen.filter((line) => line.startsWith('PUT http://store.test/bucket/amplitude/'))).not.to.have.length(0);
      expect(seen).to.have.length(simulator.requests.length + store.requests.length);
    });

    for (const name of ['HTTPS_PROXY', 'https_proxy']) {
      it(`reach Amplitude and S3 through tunnels, as ${name} says`, async () => {
        const { host, seen } = await proxy({}, 'https');
        expectLanded(await run({ ...hosts('https'), [name]: host }));
        expect(new Set(seen)).to.deep.equal(new Set(['CONNECT amplitude.test:443', 'CONNECT store.test:443']));
      });
    }

    for (const scheme of ['http', 'https'] as const) {
      it(`send it user and password, and show neither: ${scheme}`, async () => {
        const { host, seen } = await proxy({ admits: 'proxy-user:p@ss-word' }, scheme);
        const at = `http://proxy-user:p%40ss-word@${host}`;
        const ended = await run({ ...hosts(scheme), HTTP_PROXY: at, HTTPS_PROXY: at });
        expectLanded(ended);
        expect(seen).not.to.have.length(0);
        expectNoUser(ended);
      });

      for (const side of ['Amplitude', 'S3'] as const) {
        it(`end at once if it wants another user: ${scheme}, ${side}`, async () => {
          const { host, seen } = await proxy({ admits: 'proxy-user:p@ss-word' }, scheme);
          const at = `http://proxy-user:wr%40ng-word@${host}`;
          const ended = await run({
            ...hosts(scheme),
            HTTP_PROXY: at,
            HTTPS_PROXY: at,
            ...(side === 'S3' ? {} : { AWS_ENDPOINT_URL_S3: store.url, NO_PROXY: '127.0.0.1' }),
          });
          expect(ended.code).to.equal(1);
          expect(told(ended).code).to.equal('PROXY');
          expect(told(ended).message)
            .to.include(`The proxy http://${host} refuses the user name and the password`)
            .and.include('HTTP 407')
            .and.match(/HTTPS_PROXY, HTTP_PROXY and NO_PROXY.*user:password@/);
          expect(seen).to.have.length(1);
          expectNoUser(ended);
        });
      }
    }

    it('say so if it asks for a user and none is given', async () => {
      const { host } = await proxy({ admits: 'proxy-user:p@ss-word' }, 'https');
      const ended = await run({ ...hosts('https'), HTTPS_PROXY: host });
      expect(told(ended).message).to.include(`The proxy http://${host} asks for a user name and a password`);
    });

    it('refuse a password that is not escaped as in a URL', async () => {
      const ended = await run({ ...direct(), HTTPS_PROXY: 'http://proxy-user:p%ss-word@127.0.0.1:1' });
      expect([ended.code, told(ended).code]).to.deep.equal([2, 'CONFIG']);
      expect(told(ended).message).to.include('HTTPS_PROXY').and.include('%25');
      expect(ended.stdout + ended.stderr).not.to.include('p%ss-word');
    });

    it('reach the hosts in NO_PROXY without it', async () => {
      const { host, seen } = await proxy({ routes: {} });
      const at = `http://${host}`;
      expectLanded(await run({ ...direct(), HTTP_PROXY: at, HTTPS_PROXY: at, NO_PROXY: 'x.test, 127.0.0.1' }));
      expect(seen).to.deep.equal([]);
    });

    for (const side of ['Amplitude', 'S3'] as const) {
      it(`say that the proxy cannot be reached: ${side}`, async () => {
        const started = await proxy();
        await started.close();
        open.pop();
        const ended = await run({
          ...hosts('https'),
          HTTPS_PROXY: started.host,
          EXPORT_MAX_ATTEMPTS: '2',
          UPLOAD_MAX_ATTEMPTS: '2',
          ...(side === 'S3' ? {} : { AWS_ENDPOINT_URL_S3: store.url }),
        });
        expect(ended.code).to.equal(1);
        expect(told(ended).code).to.equal('PROXY');
        expect(told(ended).message).to.match(
          /[Tt]he proxy http:\/\/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/,
        );
        if (side === 'Amplitude') expect(ended.report().requests).to.equal(2);
        expect(ended.stdout + ended.stderr).not.to.match(/\bdown\b/);
      });
    }

    it('try again if it opens no tunnel for a time, or does not answer', async () => {
      const { host, seen } = await proxy({ first: [502, 'silence', 'stall', 503] }, 'https');
      const ended = await run({
        ...hosts('https'),
        AWS_ENDPOINT_URL_S3: store.url,
        HTTPS_PROXY: host,
        EXPORT_CONNECT_TIMEOUT_S: '1.5',
      });
      expectLanded(ended);
      expect(ended.report().retries).to.be.at.least(4);
      expect(ended.stderr).to.include('opened no connection to amplitude.test (HTTP 502)');
      expect(seen.length).to.be.at.least(5);
    });

    it('try a listing of the store again, which the SDK gives up', async () => {
      const { host, seen } = await proxy({ first: [503, 503] }, 'https');
      expectLanded(await run({ ...hosts('https'), AMPLITUDE_BASE_URL: simulator.url, HTTPS_PROXY: host }));
      expect(seen.length).to.be.at.least(3);
    });

    it('end at once if it opens no tunnels to this host', async () => {
      const { host, seen } = await proxy({ first: [403] }, 'https');
      const ended = await run({ ...hosts('https'), HTTPS_PROXY: host });
      expect(told(ended).code).to.equal('PROXY');
      expect(told(ended).message).to.include('opened no connection to https://store.test (HTTP 403)');
      expect(seen).to.have.length(1);
    });
  });

  describe('with certificates of their own', () => {
    for (const name of ['AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS']) {
      it(`are trusted for both clients by ${name}`, async () => {
        expectLanded(await run({ ...overTls(), [name]: authority.file }));
        expect(fronts.amplitude.connections).to.be.above(0);
        expect(fronts.store.connections).to.be.above(0);
      });
    }

    it('are trusted by both together', async () => {
      const other = makeAuthority();
      const front = await openTlsFront(store.url, other.issue(NAMES));
      open.push(front);
      const AWS_ENDPOINT_URL_S3 = `https://127.0.0.1:${front.port}`;
      const bundles = { AWS_CA_BUNDLE: other.file, NODE_EXTRA_CA_CERTS: authority.file };
      expectLanded(await run({ ...overTls(), AWS_ENDPOINT_URL_S3, ...bundles }));
      other.remove();
    });

    const faults = [
      ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', NAMES, 1, false, /If your organisation issues/],
      ['CERT_HAS_EXPIRED', NAMES, -1, true, /clock/],
      ['ERR_TLS_CERT_ALTNAME_INVALID', 'DNS:elsewhere.test', 1, true, /host name/],
    ] as const;
    for (const [code, names, days, trusted, words] of faults) {
      for (const side of ['Amplitude', 'S3'] as const) {
        it(`end the run at once if they cannot be verified: ${code}, ${side}`, async () => {
          const behind = side === 'S3' ? store.url : simulator.url;
          const front = await openTlsFront(behind, authority.issue(names, days));
          open.push(front);
          const at = `https://127.0.0.1:${front.port}`;
          const ended = await run({
            ...direct(),
            ...(side === 'S3' ? { AWS_ENDPOINT_URL_S3: at } : { AMPLITUDE_BASE_URL: at }),
            ...(trusted ? { AWS_CA_BUNDLE: authority.file } : {}),
          });
          expect(ended.code).to.equal(1);
          expect(told(ended).code).to.equal('CERTIFICATE');
          expect(told(ended).message)
            .to.include(`127.0.0.1:${front.port} cannot be verified (${code}`)
            .and.include('AWS_CA_BUNDLE')
            .and.include('NODE_EXTRA_CA_CERTS')
            .and.match(words);
          expect(front.connections).to.equal(1);
        });
      }
    }

    it('are refused before anything else if AWS_CA_BUNDLE cannot be used', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
      const garbage = join(folder, 'garbage.pem');
      const broken = join(folder, 'broken.pem');
      await writeFile(garbage, 'This is no certificate.');
      await writeFile(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
      for (const [file, why] of [
        [join(folder, 'none.pem'), /ENOENT/],
        [folder, /EISDIR/],
        [garbage, /holds no certificate/],
        [broken, /PEM/],
      ] as const) {
        const ended = await run({ ...direct(), AWS_CA_BUNDLE: file });
        expect(ended.code, file).to.equal(2);
        expect(told(ended).code).to.equal('CONFIG');
        expect(told(ended).message).to.include(`AWS_CA_BUNDLE names ${file}`).and.match(why);
      }
      expect(simulator.requests).to.deep.equal([]);
      await rm(folder, { recursive: true, force: true });
    });
  });

  describe('if a name does not resolve', () => {
    /** Replaces the resolver: names in .test fail with `code`, always or every other time. */
    const resolver = (code: string, everyOther: boolean) =>
      `--import=data:text/javascript,${encodeURIComponent(`
        import dns from 'node:dns';
        const lookup = dns.lookup;
        let calls = 0;
        dns.lookup = (name, options, done) => {
          if (!name.endsWith('.test') || (${everyOther} && calls++ % 2 === 0)) {
            const known = name.endsWith('.test') ? '127.0.0.1' : name;
            return lookup(known, options, done);
          }
          const error = new Error('getaddrinfo ${code} ' + name);
          setImmediate(done, Object.assign(error, { code: '${code}', syscall: 'getaddrinfo', hostname: name }));
        };
      `)}`;
    const named = (url: string, name: string) => url.replace('127.0.0.1', name);
    const names = () => ({
      AMPLITUDE_BASE_URL: named(simulator.url, 'amplitude.test'),
      AWS_ENDPOINT_URL_S3: named(store.url, 'store.test'),
    });

    it('for the moment, try again, also within an upload', async () => {
      // Each request has a connection of its own, and so a lookup.
      const ended = await run({ ...names(), NODE_OPTIONS: resolver('EAI_AGAIN', true), UPLOAD_MAX_ATTEMPTS: '9' });
      expectLanded(ended);
      expect(ended.stderr).to.match(/PutObject of \S+ failed \(getaddrinfo EAI_AGAIN store\.test\)/);
    });

    it('at all, end at once and say which one', async () => {
      const NODE_OPTIONS = resolver('ENOTFOUND', false);
      const ended = await run({ ...names(), AWS_ENDPOINT_URL_S3: store.url, NODE_OPTIONS });
      expect(told(ended)).to.include({ code: 'AMPLITUDE_UNREACHABLE' });
      expect(told(ended).message).to.include('ENOTFOUND amplitude.test');
      expect(ended.report().requests).to.equal(1);
      const lost = await run({ ...names(), AMPLITUDE_BASE_URL: simulator.url, NODE_OPTIONS });
      expect(told(lost)).to.include({ code: 'DESTINATION_UNREACHABLE' });
      expect(told(lost).message).to.include('ENOTFOUND store.test');
    });

    it('that is the name of the proxy, say so', async () => {
      const proxied = { HTTP_PROXY: 'http://proxy.test:3128', NO_PROXY: '127.0.0.1' };
      const NODE_OPTIONS = resolver('ENOTFOUND', false);
      const ended = await run({ ...names(), AWS_ENDPOINT_URL_S3: store.url, ...proxied, NODE_OPTIONS });
      expect(told(ended)).to.include({ code: 'PROXY' });
      expect(told(ended).message).to.include('The proxy http://proxy.test:3128 cannot be reached (ENOTFOUND)');
    });
  });
});

function expectNoUser({ stdout, stderr }: Ended): void {
  const pair = (text: string) => Buffer.from(text).toString('base64');
  const hidden = ['proxy-user', 'p@ss-word', 'p%40ss-word', 'wr@ng-word', 'wr%40ng-word'];
  for (const text of [...hidden, pair('proxy-user:p@ss-word'), pair('proxy-user:wr@ng-word')]) {
    expect(stdout + stderr).not.to.include(text);
  }
}
