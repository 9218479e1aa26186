import { isStartedByNpm } from '../command-line.ts';
import { processMounts } from '../config/environment.ts';
import { type Environment, loadSettings } from '../config/settings.ts';
import { EXIT, JobError, UsageError } from '../errors.ts';
import { trust } from '../network.ts';
import { nodeHint, nodeProblem, VERSION } from '../version.ts';
import { type CommandTable, readArguments, splitCommand, unknownCommand } from './arguments.ts';
import { helpText } from './help.ts';
import { refuseKeptByNpm } from './npm.ts';
import { Output } from './output.ts';

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
  try {
    return await run(start, out);
  } catch (error) {
    out.failure(error);
    return error instanceof JobError ? error.exitCode : EXIT.failed;
  } finally {
    await out.close();
  }
}

async function run({ args, env, commands, signal }: Start, out: Output): Promise<number> {
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
  // First of all: npm makes `2026-11-20`, which looks like a command, of `--start 2026-11-20`.
  refuseKeptByNpm(args, command.flags, env);
  if (load === undefined) throw unknownCommand(name, commands);
  const { values, argument, wrong } = readArguments(given, command);
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
      const settings = loadSettings(env, { amplitude, flags: times, wrong, mounts: processMounts() });
      out.use(settings);
      trust(settings.caBundle);
      for (const warning of settings.warnings) out.log.warn(warning);
      return settings;
    },
  });
}
