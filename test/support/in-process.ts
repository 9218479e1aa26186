import { readArguments } from '../../src/cli/arguments.ts';
import type { Command } from '../../src/cli/command.ts';
import type { Output } from '../../src/cli/output.ts';
import { startedBy } from '../../src/command-line.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { MAIN } from './program.ts';
import { hearingLog } from './settings.ts';

/** Runs a command of the program with `--json` and without a process of its own, where only its report counts. */
export async function runInProcess<T>(
  command: Command,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  const { values, argument, wrong } = readArguments(args, command);
  const log = hearingLog();
  let document = '';
  const out: Pick<Output, 'json' | 'format' | 'color' | 'report'> = {
    json: true,
    format: 'json',
    color: false,
    report: async (report) => {
      document = JSON.stringify(report);
    },
  };
  startedBy(MAIN, env);
  const running = command.run(values, {
    argument,
    out: out as Output,
    log,
    env,
    signal: new AbortController().signal,
    now: () => new Date(),
    settings: ({ amplitude, times = {} }) => loadSettings(env, { amplitude, flags: times, wrong }),
  });
  // Other tests expect the usual name in printed commands.
  const code = await running.finally(() => startedBy('/bin/amplitude-to-s3', {}));
  return { code, stderr: log.lines.map(({ message }) => message).join('\n'), report: JSON.parse(document) as T };
}
