import { expect } from 'chai';
import { Output } from '../../src/cli/output.ts';

/** What is written to stdout meanwhile. */
function written(say: () => void): string {
  const { write } = process.stdout;
  let text = '';
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  };
  try {
    say();
  } finally {
    process.stdout.write = write;
  }
  return text;
}

describe('output', () => {
  const out = new Output({ LOG_FORMAT: 'json' }, false);

  it('has the colours of the program, and none from outside', () => {
    const painted = '\u001b[31mfailed\u001b[0m';
    expect(written(() => out.print('  \u001b[2Jclear', painted))).to.equal(`${painted}  \\u{1b}[2Jclear\n`);
  });

  it('shows no secret once it uses the settings', () => {
    out.use({ secrets: ['a-long-secret'], reportFile: undefined });
    expect(written(() => out.print('key a-long-secret'))).to.equal('key [secret]\n');
    expect(written(() => out.log.info('key a-long-secret'))).to.include('key [secret]');
  });
});
