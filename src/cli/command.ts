import type { TimeFlags } from '../config/range.ts';
import type { Environment, Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';
import type { Output } from './output.ts';

interface Described {
  readonly description: string;
  /** One letter: `n` for `-n`. */
  readonly short?: string;
}

interface Valued extends Described {
  /** What help shows for the value, such as `FILE`. */
  readonly value: string;
  readonly default?: string;
  /** The value where the flag stands alone. Without it, a value must follow. */
  readonly bare?: string;
  /** What to write instead of a wrong value. */
  readonly hint?: string;
}

/** What may stand in a command line. Parsing, help and the page in docs/ are made from it. */
export type Flag =
  | (Described & { readonly type: 'boolean' })
  | (Valued & { readonly type: 'text'; readonly repeatable?: true })
  | (Valued & { readonly type: 'path' })
  | (Valued & { readonly type: 'whole'; readonly range: readonly [number, number]; readonly example: number })
  /** In hours. */
  | (Valued & { readonly type: 'age' })
  | (Valued & { readonly type: 'choice'; readonly choices: readonly string[] })
  /** A path without a flag's name, which the command needs. */
  | (Valued & { readonly type: 'argument'; readonly example: string });

/** By name: `lookbackDays` is `--lookback-days`. */
export type Flags = Readonly<Record<string, Flag>>;

/** `lookbackDays` as a person writes it: `lookback-days` */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface ValueTypes {
  readonly boolean: boolean;
  readonly text: string;
  readonly path: string;
  readonly whole: number;
  readonly age: number;
  readonly argument: string;
}

type ValueOf<F extends Flag> = F extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : ValueTypes[Exclude<F['type'], 'choice'>];

/** The values in a command line; undefined where a flag is not given. */
export type Values<F extends Flags> = {
  readonly [Name in keyof F]: F[Name] extends { readonly repeatable: true }
    ? readonly ValueOf<F[Name]>[]
    : F[Name] extends { readonly type: 'boolean' | 'argument' } | { readonly default: string }
      ? ValueOf<F[Name]>
      : ValueOf<F[Name]> | undefined;
};

export interface Command<F extends Flags = Flags> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** A paragraph. */
  readonly help: string;
  /** What its own help says below the flags. */
  readonly appendix?: string;
  readonly examples: readonly string[];
  readonly flags: F;
  /** Of flags that are gone: what to do instead. */
  readonly formerFlags?: Readonly<Record<string, string>>;
  /** False where `run` does not ask for the settings; else wrong flags are told together with wrong settings. */
  readonly readsSettings?: false;
  /** Whether a person waits for the answer, as usual: then the output is pretty unless LOG_FORMAT says otherwise. */
  isForPeople?(values: Values<F>): boolean;
  /** Resolves to the exit code. */
  run(values: Values<F>, context: CommandContext): Promise<number>;
}

/** The declaration itself: the types of the values that `run` gets are inferred from its flags. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command;
}

export interface CommandContext {
  readonly out: Output;
  readonly log: Log;
  readonly env: Environment;
  readonly now: () => Date;
  /** Aborts with the reason to stop, a JobError. */
  readonly signal: AbortSignal;
  /** Reads the settings. Throws a JobError with all that is wrong in them and in the flags. */
  settings(needs: { readonly amplitude: boolean; readonly times?: TimeFlags }): Settings;
}
