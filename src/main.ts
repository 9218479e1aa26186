#!/usr/bin/env node
import { runCommandLine } from './cli/run.ts';
import { startedBy } from './command-line.ts';
import { COMMANDS } from './commands/all.ts';
import { processEnvironment } from './config/environment.ts';
import { EXIT, Interrupted } from './errors.ts';

/** After a signal the process ends by this time, whatever still goes on. */
const DEADLINE_MS = 8000;
/** What is still open after the end of a command may keep the process for so long. */
const LEFT_OPEN_MS = 500;

const stopper = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopper.signal.aborted) process.exit(EXIT[signal]);
    stopper.abort(new Interrupted(signal));
    setTimeout(() => process.exit(EXIT[signal]), DEADLINE_MS).unref();
  });
}

const env = processEnvironment();
const [, script = '', ...args] = process.argv;
startedBy(script, env, process.execArgv);
const exitCode = await runCommandLine({ args, env, commands: COMMANDS, signal: stopper.signal });
// Not process.exit() at once: it joins V8's threads, and one that compiles may wait for memory that only the main thread can
// free. Both then wait for ever (seen on Node.js 24.21). So the process ends by itself, in which case V8 lets them go.
process.exitCode = exitCode;
// A request that was interrupted, or a tunnel in which nobody answers, may still hold a socket.
setTimeout(() => process.exit(exitCode), LEFT_OPEN_MS).unref();
