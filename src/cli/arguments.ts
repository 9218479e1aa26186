import { parseArgs } from 'node:util';
import leven from 'leven';
import { command } from '../command-line.ts';
import type { StatusFlags } from '../commands/status.ts';
import type { VerifyFlags } from '../commands/verify.ts';
import { localPath, PathError } from '../config/path.ts';
import { readAge } from '../config/readers.ts';
import type { Environment } from '../config/settings.ts';
import { UsageError } from '../errors.ts';
import type { ExportFlags } from '../export/plan.ts';
import type { ReconcileFlags } from '../reconcile/reconcile.ts';
import { refuseKeptByNpm } from './npm.ts';

export interface SimulateFlags {
  readonly port: number;
  readonly host: string;
  readonly seed: number;
  readonly eventsPerHour: number;
  readonly deflated: boolean;
  readonly tooLargeHours: number | undefined;
  readonly faults: readonly string[];
}

export interface DemoFlags {
  readonly data: string;
  readonly force: boolean;
}

export type Invocation =
  | { readonly command: 'help'; readonly of: string | undefined }
  | { readonly command: 'version' }
  | { readonly command: 'export'; readonly flags: ExportFlags; readonly json: boolean }
  | { readonly command: 'status'; readonly flags: StatusFlags; readonly json: boolean }
  | { readonly command: 'verify'; readonly flags: VerifyFlags; readonly json: boolean }
  | { readonly command: 'reconcile'; readonly flags: ReconcileFlags; readonly json: boolean }
  | { readonly command: 'doctor'; readonly json: boolean }
  | { readonly command: 'simulate'; readonly flags: SimulateFlags }
  | { readonly command: 'demo'; readonly flags: DemoFlags; readonly json: boolean };

const COMMON = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } as const;

const FLAGS = {
  export: {
    start: { type: 'string' },
    end: { type: 'string' },
    yesterday: { type: 'boolean' },
    'lookback-days': { type: 'string' },
    force: { type: 'string' },
    strict: { type: 'boolean' },
    'dry-run': { type: 'boolean', short: 'n' },
    json: { type: 'boolean' },
  },
  status: {
    start: { type: 'string' },
    end: { type: 'string' },
    'lookback-days': { type: 'string' },
    all: { type: 'boolean' },
    'no-events': { type: 'boolean' },
    files: { type: 'boolean' },
    html: { type: 'string' },
    'fail-on-gaps': { type: 'string' },
    json: { type: 'boolean' },
  },
  verify: {
    start: { type: 'string' },
    end: { type: 'string' },
    checksums: { type: 'boolean' },
    deep: { type: 'boolean' },
    repair: { type: 'boolean' },
    sweep: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  reconcile: {
    'dry-run': { type: 'boolean', short: 'n' },
    json: { type: 'boolean' },
  },
  doctor: {
    json: { type: 'boolean' },
  },
  simulate: {
    port: { type: 'string', default: '8300' },
    host: { type: 'string', default: '127.0.0.1' },
    seed: { type: 'string', default: '1' },
    'events-per-hour': { type: 'string', default: '200' },
    'too-large-hours': { type: 'string' },
    deflated: { type: 'boolean' },
    fault: { type: 'string', multiple: true },
  },
  demo: {
    data: { type: 'string', default: 'data' },
    force: { type: 'boolean' },
    json: { type: 'boolean' },
  },
} as const;

export const COMMANDS = Object.keys(FLAGS) as (keyof typeof FLAGS)[];

/**
 * Reads the command line. Throws a UsageError of one line for what it does not know; `wrong` is what is wrong with the
 * values of flags that it knows, to be told together with what is wrong with the settings.
 */
export function readArguments(
  args: readonly string[],
  env: Environment,
): Invocation & { readonly wrong: readonly UsageError[] } {
  const wrong: UsageError[] = [];
  return { ...readInvocation(args, env, wrong), wrong };
}

function readInvocation(args: readonly string[], env: Environment, wrong: UsageError[]): Invocation {
  const [first = 'export', ...rest] = args;
  const named = !first.startsWith('-');
  const given = named ? rest : args;
  if (first === 'help') return { command: 'help', of: rest[0] };
  const command = COMMANDS.find((name) => name === (named ? first : 'export'));
  refuseKeptByNpm(args, FLAGS[command ?? 'export'], env);
  if (command === undefined) {
    throw new UsageError(`"${first}" is no command: there are ${COMMANDS.join(', ')}.${didYouMean(first, COMMANDS)}`);
  }
  refuseApart(given, command);
  const allowPositionals = command === 'reconcile';
  const { values, positionals } = parse(
    given.map((arg) => withValue(arg, command)),
    { ...COMMON, ...FLAGS[command] },
    allowPositionals,
  );
  if (values.help === true) return { command: 'help', of: named ? command : undefined };
  if (values.version === true) return { command: 'version' };
  const text = (name: string) => values[name] as string | undefined;
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      wrong.push(error);
      return undefined;
    }
  };
  const path = (name: string) => {
    const given = text(name);
    return given === undefined ? undefined : attempt(() => readPath(given, `--${name}`));
  };
  const flag = (name: string) => values[name] === true;
  if (command === 'demo')
    return {
      command,
      flags: { data: readPath(text('data') ?? 'data', '--data'), force: flag('force') },
      json: flag('json'),
    };
  if (command === 'status') {
    const days = text('lookback-days');
    const age = text('fail-on-gaps');
    return {
      command,
      json: flag('json'),
      flags: {
        start: text('start'),
        end: text('end'),
        lookbackDays: days === undefined ? undefined : attempt(() => whole(days, '--lookback-days', 1, 3650, 30)),
        all: flag('all'),
        events: !flag('no-events'),
        files: flag('files'),
        html: path('html'),
        failOnGaps: age === undefined ? undefined : attempt(() => readAge(age)),
      },
    };
  }
  if (command === 'verify') {
    const depth = flag('deep') ? 'deep' : flag('checksums') ? 'checksums' : 'listing';
    return {
      command,
      json: flag('json'),
      flags: { start: text('start'), end: text('end'), depth, repair: flag('repair'), sweep: flag('sweep') },
    };
  }
  if (command === 'reconcile') {
    return {
      command,
      flags: { dir: attempt(() => oneFolder(positionals)) ?? '', dryRun: flag('dry-run') },
      json: flag('json'),
    };
  }
  if (command === 'doctor') return { command, json: flag('json') };
  if (command === 'simulate') {
    const tooLarge = text('too-large-hours');
    return {
      command,
      flags: {
        port: whole(text('port'), '--port', 0, 65_535, 8300),
        host: text('host') ?? '',
        seed: whole(text('seed'), '--seed', 0, 2 ** 32 - 1, 1),
        eventsPerHour: whole(text('events-per-hour'), '--events-per-hour', 1, 10_000_000, 200),
        tooLargeHours: tooLarge === undefined ? undefined : whole(tooLarge, '--too-large-hours', 1, 8760, 6),
        deflated: flag('deflated'),
        faults: (values.fault as string[] | undefined) ?? [],
      },
    };
  }
  return {
    command,
    json: flag('json'),
    flags: {
      start: text('start'),
      end: text('end'),
      yesterday: flag('yesterday'),
      lookbackDays: text('lookback-days'),
      force: attempt(() => readForce(text('force'))),
      strict: flag('strict'),
      dryRun: flag('dry-run'),
    },
  };
}

/** parseArgs knows no option whose value may be left out. Without an age, gaps of any are meant. */
function withValue(arg: string, command: string): string {
  if (arg === '--fail-on-gaps') return '--fail-on-gaps=0h';
  return arg === '--force' && command === 'export' ? '--force=smaller' : arg;
}

/** After a space, the value of such a flag would be an argument of its own, and the flag would hold without it. */
function refuseApart(given: readonly string[], command: string): void {
  for (const [at, flag] of given.entries()) {
    const value = given[at + 1] ?? '';
    if (withValue(flag, command) === flag || !/^[^-]/.test(value)) continue;
    throw new UsageError(`${flag} takes its value after =, and "${value}" stands apart.`, `Write ${flag}=${value}.`);
  }
}

function readForce(text: string | undefined): ExportFlags['force'] {
  if (text === undefined) return false;
  if (text === 'smaller') return true;
  if (text === 'empty') return 'empty';
  throw new UsageError(
    `--force=${text} is not known.`,
    'Write --force to take smaller answers, --force=empty to take also an answer without any event.',
  );
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>['options'];

function parse(args: readonly string[], options: Options, allowPositionals = false) {
  try {
    return parseArgs({ args: [...args], options: options ?? {}, strict: true, allowPositionals });
  } catch (error) {
    if (args.includes('--since-first')) {
      throw new UsageError(
        '--since-first is no flag: status begins at the first hour that has landed.',
        'Leave it out; --all shows the hours before that one too.',
      );
    }
    // Node.js adds advice about positional arguments that does not apply here.
    const [problem = ''] = (error as Error).message.split(/\.\s/);
    const [, unknown = ''] = /^Un[a-z]+ (?:option|argument) '(?:--)?([^'-][^']*)'/.exec(problem) ?? [];
    throw new UsageError(`${problem}.${didYouMean(unknown, Object.keys(options ?? {}), '--')}`);
  }
}

/** The known name that is nearest, or that has a part in common: `--days` is a part of `--lookback-days`. */
function didYouMean(given: string, known: readonly string[], mark = ''): string {
  const name = given.toLowerCase();
  const apart = (other: string) => {
    if (other.startsWith(name) || other.split('-').includes(name) || name.split('-').includes(other)) return 0;
    return leven(name, other);
  };
  const [nearest] = [...known].sort((a, b) => apart(a) - apart(b));
  if (name === '' || nearest === undefined || apart(nearest) > Math.min(2, name.length / 2)) return '';
  return ` Did you mean ${mark}${nearest}?`;
}

function readPath(text: string, name: string): string {
  try {
    return localPath(text);
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    throw new UsageError(`${name} is "${text}": it ${error.message}.`);
  }
}

function oneFolder(given: readonly string[]): string {
  const [dir = ''] = given;
  if (given.length === 1 && dir !== '') return readPath(dir, 'DIR');
  throw new UsageError(
    given.length > 1 ? 'reconcile takes one folder at a time.' : 'reconcile needs the folder that the files lie in.',
    `For example: \`${command('reconcile ./exports --dry-run')}\``,
  );
}

function whole(text: string | undefined, name: string, least: number, most: number, example: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text ?? '') || value < least || value > most) {
    throw new UsageError(
      `${name} is "${text}": it must be a whole number from ${least} to ${most}, for example ${name} ${example}.`,
    );
  }
  return value;
}
