import { isStartedByNpm } from '../command-line.ts';
import { processMounts } from '../config/environment.ts';
import { type Environment, loadSettings } from '../config/settings.ts';
import type { Watch } from '../config/watch.ts';
import { EXIT, JobError, UsageError } from '../errors.ts';
import { trust } from '../network.ts';
import { nodeHint, nodeProblem, VERSION } from '../version.ts';
import { type CommandTable, readArguments, splitCommand, unknownCommand } from './arguments.ts';
import { helpText } from './help.ts';
import { refuseKeptByNpm } from './npm.ts';
import { Output } from './output.ts';
import { tellWatchers } from './watching.ts';

export interface Start {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly commands: CommandTable;
  readonly signal: AbortSignal;
}

/** Runs a command line and says whatever goes wrong. Resolves to the exit code once all is written. */
export async function runCommandLine(start: Start): Promise<number> {
  // --json holds for a command line that cannot be read too.
  const out = new Output(start.env, start.args.includes('--json'));
  const startedAt = new Date();
  const state: State = { isWatched: false };
  let [exitCode, error]: [number, unknown] = [EXIT.done, undefined];
  try {
    exitCode = await run(start, out, state);
  } catch (thrown) {
    error = thrown;
    exitCode = thrown instanceof JobError ? thrown.exitCode : EXIT.failed;
    out.failure(thrown);
  }
  try {
    if (!state.isWatched) return exitCode;
    const watch = state.watch ?? watchIn(start.env);
    const { name: command } = splitCommand(start.args);
    if (watch !== undefined)
      await tellWatchers({ command, startedAt, endedAt: new Date(), exitCode, error }, watch, out);
    return exitCode;
  } finally {
    await out.close();
  }
}

/** What is known of a run by the time that it fails. */
interface State {
  isWatched: boolean;
  watch?: Watch;
}

/** For a command line that was refused before any setting was read. */
function watchIn(env: Environment): Watch | undefined {
  let watch: Watch | undefined;
  try {
    loadSettings(env, {
      amplitude: false,
      onWatch: (read) => {
        watch = read;
      },
    });
  } catch {
    // The run has said what is wrong, and other settings do not matter now.
  }
  return watch;
}

async function run({ args, env, commands, signal }: Start, out: Output, state: State): Promise<number> {
  const { name, given } = splitCommand(args);
  const asksForHelp = name === 'help' || given.some((arg) => arg === '--help' || arg === '-h');
  if (asksForHelp || args.includes('--version')) {
    out.print(asksForHelp ? await helpText(commands, name === 'help' ? given[0] : args[0]) : VERSION);
    return EXIT.done;
  }
  const problem = nodeProblem(process.version);
  if (problem !== undefined) throw new UsageError(problem, nodeHint(isStartedByNpm(env)));

  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const command = await (load ?? commands.export)();
  state.isWatched = load !== undefined && command.isWatched !== undefined;
  // First of all: npm makes `2026-11-20`, which looks like a command, of `--start 2026-11-20`.
  refuseKeptByNpm(args, command.flags, env);
  if (load === undefined) throw unknownCommand(name, commands);
  const { values, argument, wrong } = readArguments(given, command);
  state.isWatched = command.isWatched?.(values) === true;
  if (command.readsSettings === false) for (const error of wrong) throw error;
  if (!out.json && command.isForPeople?.(values) !== false) out.forPeople();
  return await command.run(values, {
    argument,
    out,
    log: out.log,
    env,
    signal,
    now: () => new Date(),
    settings({ amplitude, times = {} }) {
      const onWatch = (watch: Watch) => {
        state.watch = watch;
      };
      const settings = loadSettings(env, { amplitude, flags: times, wrong, mounts: processMounts(), onWatch });
      out.use(settings);
      trust(settings.caBundle);
      for (const warning of settings.warnings) out.log.warn(warning);
      return settings;
    },
  });
}
