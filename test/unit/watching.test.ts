import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Output } from '../../src/cli/output.ts';
import { tellWatchers } from '../../src/cli/watching.ts';
import { hearingLog } from '../support/settings.ts';
import { startWebhook, type Webhook } from '../support/webhook.ts';

describe('the end of a run', () => {
  let folder: string;
  let webhook: Webhook;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'watching-'));
    webhook = await startWebhook();
  });
  afterEach(async () => {
    webhook.close();
    await rm(folder, { recursive: true });
  });

  /** What is posted of a run, and the files of metrics. */
  async function told(exitCode: number, heard: Partial<Output> = {}, secrets: string[] = []) {
    const out = { log: hearingLog(), document: undefined, ending: undefined, errors: [], ...heard };
    const times = { startedAt: new Date(), endedAt: new Date() };
    const watch = {
      metricsFile: join(folder, 'a.prom'),
      notifyUrl: webhook.url,
      destination: 's3://b/p',
      proxyEnv: {},
      caBundle: undefined,
      secrets,
    };
    await tellWatchers({ command: 'verify', exitCode, error: undefined, ...times }, watch, out as unknown as Output);
    return { posts: webhook.posts.map(({ body }) => body), files: await readdir(folder) };
  }

  it('is not told where somebody stopped it at the terminal, and told where the system did', async () => {
    expect(await told(130)).to.deep.equal({ posts: [], files: [] });
    const { posts, files } = await told(143);
    expect([posts.length, files]).to.deep.equal([1, ['a.prom']]);
  });

  it('is told by its errors, and by its summary where no error was said', async () => {
    const ending = {
      text: 'head\n  2 differences:\n\n  x is missing.\n  Run verify --repair.',
      failing: '2026-11-20T05',
    };
    const last = { text: '  Run verify --repair.' };
    const { posts } = await told(3, { ending, errors: [last] });
    expect(posts[0]?.lines).to.deep.equal(['head', '  2 differences:', '  x is missing.', '  Run verify --repair.']);
    expect(posts[0]?.text).to.match(/^amplitude-to-s3: verify for s3:\/\/b\/p ended with exit code 3\.\nHours: 2026/);
    const errors = [{ text: 'one', code: 'DESTINATION' }, { text: 'two' }, last];
    const { posts: more } = await told(1, { ending, errors });
    expect(more[1]).to.deep.include({ lines: ['one', 'two'], code: 'DESTINATION' });
  });

  it('is told in a few short lines, without secrets and without orders to Slack', async () => {
    const text = `<!channel> & ${'x'.repeat(595)}hush-hush\u001b[2J`;
    const { posts } = await told(1, { errors: Array.from({ length: 9 }, () => ({ text })) }, ['hush-hush']);
    expect(posts[0]?.lines).to.have.length(5);
    for (const line of posts[0]?.lines ?? []) expect(line.length).to.be.at.most(601);
    expect(JSON.stringify(posts)).not.to.include('hush').and.not.include('\\u001b');
    expect(posts[0]?.text).to.include('&lt;!channel&gt; &amp; xxx').and.not.match(/[<>]/);
  });
});
