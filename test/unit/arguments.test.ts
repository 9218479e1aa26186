import { expect } from 'chai';
import fc from 'fast-check';
import { readArguments } from '../../src/cli/arguments.ts';
import { defineCommand } from '../../src/cli/command.ts';
import { describeCommand } from '../../src/cli/help.ts';
import { COMMANDS } from '../../src/commands/all.ts';

const SAMPLE = defineCommand({
  name: 'sample',
  summary: 'a sample',
  help: 'It does nothing.',
  examples: [],
  argument: { value: 'DIR', example: './x', help: 'the folder' },
  flags: {
    dryRun: { type: 'boolean', short: 'n', help: 'touch nothing' },
    port: { type: 'whole', value: 'N', range: [0, 65_535], example: 80, default: '8300', help: 'the port' },
    size: { type: 'choice', value: 'large', choices: ['small', 'large'], bare: 'small', help: 'the size' },
    age: { type: 'age', value: 'AGE', bare: '0h', hint: 'Write 2d.', help: 'the age' },
    tag: { type: 'text', value: 'TAG', repeatable: true, help: 'a tag' },
    out: { type: 'path', value: 'FILE', help: 'the file' },
  },
  run: async () => 0,
});
/** What export says of a lookback. */
const lookback = async (days: string) =>
  readArguments(['--lookback-days', days], await COMMANDS.export()).wrong.map(({ message }) => message);
const read = (...given: string[]) => readArguments(given, SAMPLE);
const problem = (...given: string[]) => read('x', ...given).wrong.map(({ message }) => message);

describe('arguments', () => {
  it('refuse a lookback that is no number of days, or of nothing', async () => {
    for (const days of ['week', '0', '3651']) {
      const message = `--lookback-days is "${days}": it must be a whole number from 1 to 3650, for example --lookback-days 30.`;
      expect(await lookback(days)).to.deep.equal([message]);
    }
    expect(await lookback('1')).to.deep.equal([]);
  });

  it('have the values of their flags, the defaults of those that are not given, and undefined without one', () => {
    expect(read('x').argument).to.equal('x');
    expect(read('x').values).to.deep.equal({
      dryRun: false,
      port: 8300,
      size: undefined,
      age: undefined,
      tag: [],
      out: undefined,
    });
    expect(read('-n', '--port', '1', '--size', '--age', '--tag', 'a', '--tag=b', '--out=o', 'x').values).to.deep.equal({
      dryRun: true,
      port: 1,
      size: 'small',
      age: 0,
      tag: ['a', 'b'],
      out: 'o',
    });
    expect(read('--size=large', '--port=1', '--port=2', '--', 'x').values).to.include({ size: 'large', port: 2 });
  });

  it('take whole numbers of their range, and no others', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (number) => {
        const { values, wrong } = read('x', `--port=${number}`);
        const isPort = number >= 0 && number <= 65_535;
        expect([values.port, wrong.length]).to.deep.equal(isPort ? [number, 0] : [undefined, 1]);
      }),
    );
    for (const text of ['', ' 1', '1.0', '1e3', '0x1', '+1', 'one'])
      expect(problem(`--port=${text}`)).to.have.length(1);
    expect(problem('--port=x')).to.deep.equal([
      '--port is "x": it must be a whole number from 0 to 65535, for example --port 80.',
    ]);
  });

  it('take ages as people write them', () => {
    const ages = ['36h', '2d', '1w', 'P1D', 'PT36H', '0h', '36', '2D', 'p1w', 'pt3h'];
    expect(ages.map((age) => read('x', `--age=${age}`).values.age)).to.deep.equal([
      36, 48, 168, 24, 36, 0, 36, 48, 168, 3,
    ]);
    for (const age of ['', 'd', '-1d', '1.5h', 'P36H', 'PT1D', 'one day', 'P1', '123456']) {
      expect(problem(`--age=${age}`)).to.deep.equal([`--age=${age} is no age.`]);
    }
  });

  it('tell all values that are wrong, and throw for what they do not know', () => {
    expect(problem('y')).to.deep.equal(['sample takes one DIR at a time.']);
    expect(readArguments([], SAMPLE).wrong[0]?.hint).to.match(/sample \.\/x`$/);
    expect(problem('--size=medium', '--port=x', '--age=old', '--out=~ana/x')).to.have.length(4);
    for (const given of [['--nothing'], ['--size', 'large'], ['--tag'], ['--tag', '--out=x'], ['--dry-run=yes']]) {
      expect(() => read('x', ...given)).to.throw();
    }
  });

  it('of every command are described for the pages in docs/: a row for each flag, and one line for the command', async () => {
    for (const [name, load] of Object.entries(COMMANDS)) {
      const { usage, summary, flags } = describeCommand(await load());
      expect(usage).to.include(name);
      expect(summary).to.match(/^[^\n]{10,100}$/);
      for (const row of flags) {
        expect(row.flag).to.match(/^(-[a-z], )?--[a-z-]+(\[=\w+\]| [A-Z]+)?$/);
        expect(row.description).not.to.equal('');
      }
    }
    expect(describeCommand(SAMPLE).usage).to.equal('sample DIR [flags]');
  });
});
