import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const SCRIPT = fileURLToPath(new URL('../support/archive/giving-up.ts', import.meta.url));
const ROUNDS = 50;

describe('a reader that stops at any point of a stream', function () {
  this.timeout(120_000);

  it('changes no content and crashes nothing, over five hundred times', async () => {
    const child = spawn(process.execPath, [SCRIPT, String(ROUNDS)], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code, signal], stdout, stderr] = await Promise.all([
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
      text(child.stdout),
      text(child.stderr),
    ]);
    expect({ code, signal }, stderr.slice(-2000)).to.deep.equal({ code: 0, signal: null });
    const { read, givenUp, landed, failed } = JSON.parse(stdout) as Record<string, number>;
    expect(givenUp).to.be.above(300);
    expect(failed).to.be.above(100);
    expect(read).to.be.above(25);
    expect(landed).to.be.above(25);
  });
});
