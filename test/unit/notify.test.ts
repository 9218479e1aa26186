import { expect } from 'chai';
import { notify } from '../../src/cli/notify.ts';
import type { Watch } from '../../src/config/watch.ts';
import { secretsIn } from '../../src/config/watch.ts';
import { startProxy } from '../support/network/proxy.ts';
import { startWebhook, TOKEN, type Webhook } from '../support/webhook.ts';

const NOTIFICATION = {
  text: 'amplitude-to-s3: export ended with exit code 3.',
  command: 'export',
  destination: 's3://b/p',
  exitCode: 3,
  code: null,
  hours: '2026-11-20T05',
  lines: ['one', 'two'],
};

describe('a notification', () => {
  let webhook: Webhook;

  beforeEach(async () => {
    webhook = await startWebhook();
  });
  afterEach(() => webhook.close());

  const send = (url = webhook.url, changed: Partial<Watch> = {}, quick = {}) =>
    notify(
      NOTIFICATION,
      { notifyUrl: url, proxyEnv: {}, secrets: secretsIn(url), ...changed },
      { pausesMs: [1, 1], ...quick },
    );

  it('is one POST of JSON', async () => {
    expect(await send()).to.equal(undefined);
    const [post, ...more] = webhook.posts;
    expect(more).to.deep.equal([]);
    expect(post).to.deep.equal({
      method: 'POST',
      path: `/services/T0/B0/${TOKEN}`,
      type: 'application/json',
      body: NOTIFICATION,
    });
  });

  for (const failures of [[503], [429, 500], ['reset', 502], ['silence']] as const) {
    it(`is sent again after ${failures.join(' and ')}`, async () => {
      webhook.answers.push(...failures);
      expect(await send(webhook.url, {}, { timeoutMs: 300 })).to.equal(undefined);
      expect(webhook.posts).to.have.length(failures.length + 1);
    });
  }

  it('is sent three times at most', async () => {
    webhook.answers.push(500, 500, 500, 500);
    expect(await send()).to.match(/^it answers HTTP 500, "no_service/);
    expect(webhook.posts).to.have.length(3);
  });

  for (const status of [301, 302, 307, 308, 400, 403, 404]) {
    it(`is not sent again after ${status}, nor elsewhere, and no part of the address is told`, async () => {
      webhook.answers.push(status);
      const why = await send();
      expect(why).to.include(`HTTP ${status}`).and.include('no_service').and.include('[secret]');
      expect(why).not.to.include(TOKEN);
      expect(webhook.posts).to.have.length(1);
    });
  }

  it('tells no host that cannot be reached', async () => {
    const { port } = webhook;
    webhook.close();
    const why = await send(`http://127.0.0.1:${port}/services/${TOKEN}`);
    expect(why).to.equal('it cannot be reached (ECONNREFUSED)');
    expect(await send('http://hush.invalid/services/x')).to.match(/^it cannot be reached \(E[A-Z_]+\)$/);
  });

  it('ends in time where nobody answers', async () => {
    webhook.answers.push('silence', 'silence', 'silence');
    const started = performance.now();
    expect(await send(webhook.url, {}, { timeoutMs: 100 })).to.equal('it cannot be reached (ETIMEDOUT)');
    expect(performance.now() - started).to.be.below(3000);
  });

  it('goes through the proxy', async () => {
    const proxy = await startProxy({ routes: { 'hooks.test': webhook.port }, admits: 'u:p' });
    const proxyEnv = { HTTP_PROXY: `http://u:p@${proxy.host}` };
    expect(await send('http://hooks.test/services/x', { proxyEnv })).to.equal(undefined);
    expect(proxy.seen).to.deep.equal(['POST http://hooks.test/services/x']);
    expect(webhook.posts).to.have.length(1);
    await proxy.close();
  });
});
