import { parseArgs } from 'node:util';
import leven from 'leven';
import { command as commandLine } from '../command-line.ts';
import { UsageError } from '../errors.ts';
import { type Command, dashed, type Flag, type Flags, type Values } from './command.ts';
import { readValue } from './values.ts';

/** Each command is loaded where it is needed: an hourly run must not wait for the simulator's code. */
export type CommandTable = Readonly<Record<string, Load>> & { readonly export: Load };
type Load = () => Promise<Command>;

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
 * of flags that it knows.
 */
export function readArguments(given: readonly string[], command: Command) {
  const texts = textsOf(given, command);
  const wrong: UsageError[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(command.flags)) {
    const found = texts.get(key) ?? [];
    try {
      values[key] = readFlag(flag, key, found, command);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      wrong.push(error);
    }
  }
  return { values: values as Values<Flags>, wrong };
}

function readFlag(flag: Flag, key: string, texts: readonly string[], command: Command) {
  if (flag.type === 'boolean') return texts.length > 0;
  if (flag.type === 'argument') {
    const [text = ''] = texts;
    if (texts.length === 1 && text !== '') return readValue(flag, flag.value, text);
    throw new UsageError(
      `${command.name} ${texts.length > 1 ? `takes one ${flag.value} at a time` : `needs ${flag.value}, ${flag.description}`}.`,
      `For example: \`${commandLine(`${command.name} ${flag.example}`)}\``,
    );
  }
  const read = (text: string) => readValue(flag, `--${dashed(key)}`, text);
  if (flag.type === 'text' && flag.repeatable === true) return texts.map(read);
  const text = texts.at(-1) ?? flag.default;
  return text === undefined ? undefined : read(text);
}

/** The texts of each flag that is given, by its key; those of the command's argument too. */
function textsOf(given: readonly string[], command: Command): Map<string, string[]> {
  const flags = Object.entries(command.flags);
  const argument = flags.find(([, { type }]) => type === 'argument')?.[0];
  const named = new Map(flags.filter(([key]) => key !== argument).map(([key, flag]) => [dashed(key), { key, flag }]));
  const options = Object.fromEntries(
    [...named].map(([name, { flag }]) => [
      name,
      // What may stand alone takes no value from the next argument.
      {
        type: flag.type === 'boolean' || flag.bare !== undefined ? ('boolean' as const) : ('string' as const),
        ...(flag.short === undefined ? {} : { short: flag.short }),
      },
    ]),
  );
  const texts = new Map<string, string[]>();
  const add = (key: string, text: string) => texts.set(key, [...(texts.get(key) ?? []), text]);
  let alone: string | undefined;
  for (const token of parseArgs({ args: [...given], options, strict: false, tokens: true }).tokens) {
    if (token.kind === 'positional') {
      const { value } = token;
      if (alone !== undefined) {
        throw new UsageError(
          `${alone} takes its value after =, and "${value}" stands apart.`,
          `Write ${alone}=${value}.`,
        );
      }
      if (argument === undefined) throw unknownFlag(`"${value}"`, value, command);
      add(argument, value);
    } else if (token.kind === 'option') {
      const { key, flag } = named.get(token.name) ?? {};
      if (key === undefined || flag === undefined) throw unknownFlag(token.rawName, token.name, command);
      add(key, textOf(token, flag));
      alone = flag.type !== 'boolean' && token.value === undefined ? token.rawName : undefined;
    }
  }
  return texts;
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function textOf({ rawName, value, inlineValue }: OptionToken, flag: Flag): string {
  if (flag.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value.`);
    return '';
  }
  const text = value ?? flag.bare;
  if (text === undefined) throw new UsageError(`${rawName} needs a value.`);
  if (inlineValue === false && /^-./.test(text)) {
    throw new UsageError(
      `${rawName} needs a value, and ${text} looks like a flag.`,
      `Write ${rawName}=${text} where it is the value.`,
    );
  }
  return text;
}

function unknownFlag(shown: string, name: string, command: Command): UsageError {
  const former = command.formerFlags?.[name];
  if (former !== undefined) return new UsageError(`--${name} is no flag any more.`, former);
  const known = [...Object.keys(command.flags).map(dashed), 'help', 'version'];
  return new UsageError(`${shown} is no flag of ${command.name}.${didYouMean(name, known, '--')}`);
}

/** The known name that is nearest, or has a part in common: `--days` is a part of `--lookback-days`. */
function didYouMean(given: string, known: readonly string[], mark = ''): string {
  const name = given.toLowerCase();
  const distance = (other: string) => {
    if (other.startsWith(name) || other.split('-').includes(name) || name.split('-').includes(other)) return 0;
    return leven(name, other);
  };
  const [nearest = ''] = [...known].sort((a, b) => distance(a) - distance(b));
  return distance(nearest) > Math.min(2, name.length / 2) ? '' : ` Did you mean ${mark}${nearest}?`;
}
