import type { TimeFlags } from '../config/range.ts';
import type { Environment, Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';
import type { Output } from './output.ts';

interface Described {
  readonly help: string;
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

/** A flag of a command. Parsing, help and the page in docs/ are made from it. */
export type Flag =
  | (Described & { readonly type: 'boolean' })
  | (Valued & { readonly type: 'text'; readonly repeatable?: true })
  | (Valued & { readonly type: 'path' })
  /** In hours. */
  | (Valued & { readonly type: 'age' })
  /** Above 0 and below 1. */
  | (Valued & { readonly type: 'ratio' })
  | (Valued & { readonly type: 'whole'; readonly range: readonly [number, number]; readonly example?: number })
  | (Valued & { readonly type: 'choice'; readonly choices: readonly string[] });

/** By name: `lookbackDays` is `--lookback-days`. */
export type Flags = Readonly<Record<string, Flag>>;

/** `lookbackDays` as a person writes it: `lookback-days` */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

type ValueOf<F> = F extends { readonly type: 'boolean' }
  ? boolean
  : F extends { readonly repeatable: true }
    ? readonly string[]
    : F extends { readonly type: 'whole' | 'age' | 'ratio' }
      ? number
      : F extends { readonly choices: readonly (infer Choice)[] }
        ? Choice
        : string;

type Present = { readonly type: 'boolean' } | { readonly repeatable: true } | { readonly default: string };

/** The values of the flags; undefined where one is not given. */
export type Values<F extends Flags> = {
  readonly [Name in keyof F]: F[Name] extends Present ? ValueOf<F[Name]> : ValueOf<F[Name]> | undefined;
};

export interface Command<F extends Flags = Flags> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** A paragraph. */
  readonly help: string;
  /** Stands below the flags in the command's own help. */
  readonly appendix?: string;
  readonly examples: readonly string[];
  readonly flags: F;
  /** A path that the command needs. */
  readonly argument?: { readonly value: string; readonly help: string; readonly example: string };
  /** Flags that no longer exist, each with what to do instead. */
  readonly formerFlags?: Readonly<Record<string, string>>;
  /** False where `run` never asks for the settings. Else wrong flags are told together with wrong settings. */
  readonly readsSettings?: false;
  /** Whether a person waits for the answer, as usual: then the output is pretty unless LOG_FORMAT says otherwise. */
  isForPeople?(values: Values<F>): boolean;
  /** Whether METRICS_FILE and NOTIFY_URL tell of it: a schedule runs it. Never if it is not there. */
  isWatched?(values: Values<F>): boolean;
  /** Resolves to the exit code. */
  run(values: Values<F>, context: CommandContext): Promise<number>;
}

/** The declaration itself: the types of the values that `run` gets are inferred from its flags. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command;
}

export interface CommandContext {
  /** The command's argument; empty where it has none. */
  readonly argument: string;
  readonly out: Output;
  readonly log: Log;
  readonly env: Environment;
  readonly now: () => Date;
  /** Aborts with the reason to stop, a JobError. */
  readonly signal: AbortSignal;
  /** Reads the settings. Throws a JobError with all that is wrong in them and in the flags. */
  settings(needs: { readonly amplitude: boolean; readonly times?: TimeFlags }): Settings;
}
