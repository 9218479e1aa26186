import { command as commandLine } from '../command-line.ts';
import { wrap } from '../format.ts';
import { VERSION } from '../version.ts';
import type { CommandTable } from './arguments.ts';
import { type Command, dashed, type Flag } from './command.ts';

const COLUMNS = 100;

const EXIT_CODES = `Exit codes
  0 done (also: nothing to do)    1 failed              2 usage or configuration
  3 some hours landed, some not; also gaps and drops that status was to fail on, differences in
    verify, files that reconcile moved, and hours that adopt left
  4 credentials refused           130/143 interrupted`;

/** What help and the pages in docs/ say of a command: its usage, its one-line summary, and a row for each flag. */
export function describeCommand({ name, summary, help, argument, flags }: Command) {
  return {
    name,
    usage: `${name === 'export' ? '[export]' : name}${argument === undefined ? '' : ` ${argument.value}`} [flags]`,
    summary,
    help: help.trim().replace(/\s+/g, ' '),
    flags: Object.entries(flags).map(([key, flag]) => describeFlag(key, flag)),
  };
}

/** `-n, --dry-run`, `--start T`, `--fail-on-gaps[=AGE]`; without a default an empty one. */
function describeFlag(key: string, flag: Flag) {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  const name = `${short}--${dashed(key)}`;
  const { help: description } = flag;
  if (flag.type === 'boolean') return { flag: name, default: '', description };
  const value = flag.bare === undefined ? ` ${flag.value}` : `[=${flag.value}]`;
  return { flag: name + value, default: flag.default ?? '', description };
}

/** The help of one command; of all of them where none of them is named. */
export async function helpText(table: CommandTable, name?: string): Promise<string> {
  const commands = await Promise.all(Object.values(table).map((load) => load()));
  const only = commands.find((command) => command.name === name);
  if (only !== undefined) {
    return [commandHelp(only), ...(only.appendix === undefined ? [] : [only.appendix]), EXIT_CODES].join('\n\n');
  }
  const examples = commands.flatMap((command) => command.examples).map((example) => `  ${commandLine(example)}`);
  return [
    `amplitude-to-s3 ${VERSION}: Amplitude's raw events in S3 or a folder, every hour, once, complete.`,
    ['Examples', ...examples].join('\n'),
    ...commands.map(commandHelp),
    EXIT_CODES,
  ].join('\n\n');
}

function commandHelp(command: Command): string {
  const { usage, help, flags } = describeCommand(command);
  const width = Math.max(...flags.map(({ flag }) => flag.length));
  const lines = flags.flatMap((row) => {
    const text = row.default === '' ? row.description : `${row.description} (default ${row.default})`;
    const wrapped = wrap(text, COLUMNS - width - 4);
    return wrapped.map((line, index) => `  ${(index === 0 ? row.flag : '').padEnd(width)}  ${line}`);
  });
  return [commandLine(usage), '', ...wrap(help, COLUMNS - 2).map((line) => `  ${line}`), '', ...lines].join('\n');
}
