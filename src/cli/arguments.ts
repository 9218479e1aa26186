import { parseArgs } from 'node:util';
import leven from 'leven';
import { command as commandLine } from '../command-line.ts';
import { UsageError } from '../errors.ts';
import { type Command, dashed, type Flag, type Flags, type Values } from './command.ts';
import { readPath, readValue } from './values.ts';

type Load = () => Promise<Command>;
/** Each command is loaded where it is needed: an hourly run must not wait for the simulator's code. */
export type CommandTable = Readonly<Record<string, Load>> & { readonly export: Load };

/** The command that the first argument names, and the arguments after it. `export` needs no name. */
export function splitCommand(args: readonly string[]): { readonly name: string; readonly given: readonly string[] } {
  const [first = '-', ...rest] = args;
  return first.startsWith('-') ? { name: 'export', given: args } : { name: first, given: rest };
}

export function unknownCommand(name: string, commands: CommandTable): UsageError {
  const known = Object.keys(commands);
  return new UsageError(`"${name}" is no command: there are ${known.join(', ')}.${didYouMean(name, known)}`);
}

/**
 * Reads the arguments of a command. Throws a UsageError for what it does not know; `wrong` is what is wrong with the values
 * that it knows.
 */
export function readArguments(given: readonly string[], command: Command) {
  const { texts, positionals } = parse(given, command);
  const wrong: UsageError[] = [];
  const attempt = <T>(read: () => T) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      wrong.push(error);
      return undefined;
    }
  };
  const values = Object.entries(command.flags).map(([key, flag]) => [
    key,
    attempt(() => readFlag(flag, `--${dashed(key)}`, texts.get(key) ?? [])),
  ]);
  const argument = attempt(() => readArgument(positionals, command)) ?? '';
  return { values: Object.fromEntries(values) as Values<Flags>, argument, wrong };
}

function readFlag(flag: Flag, name: string, texts: readonly string[]) {
  if (flag.type === 'boolean') return texts.length > 0;
  if (flag.type === 'text' && flag.repeatable === true) return texts;
  const text = texts.at(-1) ?? flag.default;
  return text === undefined ? undefined : readValue(flag, name, text);
}

function readArgument(texts: readonly string[], { name, argument }: Command): string {
  if (argument === undefined) return '';
  const [text = ''] = texts;
  if (texts.length === 1 && text !== '') return readPath(argument.value, text);
  const why = texts.length > 1 ? `takes one ${argument.value} at a time` : `needs ${argument.value}, ${argument.help}`;
  throw new UsageError(`${name} ${why}.`, `For example: \`${commandLine(`${name} ${argument.example}`)}\``);
}

/** The texts of each flag that is given, by its key, and what stands beside the flags. */
function parse(given: readonly string[], command: Command) {
  const flags = new Map(Object.entries(command.flags).map(([key, flag]) => [dashed(key), { key, flag }]));
  const options = Object.fromEntries([...flags].map(([name, { flag }]) => [name, optionOf(flag)]));
  const texts = new Map<string, string[]>();
  const positionals: string[] = [];
  let alone: string | undefined;
  for (const token of parseArgs({ args: [...given], options, strict: false, tokens: true }).tokens) {
    if (token.kind === 'positional') {
      const { value } = token;
      const hint = `Write ${alone}=${value}.`;
      if (alone !== undefined)
        throw new UsageError(`${alone} takes its value after =, and "${value}" stands apart.`, hint);
      if (command.argument === undefined) throw unknownFlag(`"${value}"`, value, command);
      positionals.push(value);
    } else if (token.kind === 'option') {
      const { key, flag } = flags.get(token.name) ?? {};
      if (key === undefined || flag === undefined) throw unknownFlag(token.rawName, token.name, command);
      const text = textOf(flag, token.rawName, token.value, token.inlineValue === true);
      texts.set(key, [...(texts.get(key) ?? []), text]);
      alone = flag.type !== 'boolean' && token.value === undefined ? token.rawName : undefined;
    }
  }
  return { texts, positionals };
}

/** What may stand alone takes no value from the next argument. */
function optionOf(flag: Flag): { type: 'boolean' | 'string'; short?: string } {
  const type = flag.type === 'boolean' || flag.bare !== undefined ? 'boolean' : 'string';
  return flag.short === undefined ? { type } : { type, short: flag.short };
}

function textOf(flag: Flag, name: string, value: string | undefined, isInline: boolean): string {
  if (flag.type === 'boolean' && value !== undefined) throw new UsageError(`${name} takes no value.`);
  const text = value ?? (flag.type === 'boolean' ? '' : flag.bare);
  if (text === undefined) throw new UsageError(`${name} needs a value.`);
  if (isInline || value === undefined || !/^-./.test(text)) return text;
  throw new UsageError(`${name} needs a value, and ${text} looks like a flag.`, `Write ${name}=${text} if it is none.`);
}

function unknownFlag(shown: string, name: string, command: Command): UsageError {
  const former = new Map(Object.entries(command.formerFlags ?? {})).get(name);
  if (former !== undefined) return new UsageError(`--${name} is no flag any more.`, former);
  const known = [...Object.keys(command.flags).map(dashed), 'help', 'version'];
  return new UsageError(`${command.name} has no flag ${shown}.${didYouMean(name, known, '--')}`);
}

/** The known name that is nearest, or has a part in common: `--days` is a part of `--lookback-days`. */
function didYouMean(given: string, known: readonly string[], mark = ''): string {
  const name = given.toLowerCase();
  const distance = (other: string) => {
    if (other.startsWith(name) || other.split('-').includes(name) || name.split('-').includes(other)) return 0;
    return leven(name, other);
  };
  const [nearest = ''] = [...known].sort((a, b) => distance(a) - distance(b));
  return name === '' || distance(nearest) > Math.min(2, name.length / 2) ? '' : ` Did you mean ${mark}${nearest}?`;
}
