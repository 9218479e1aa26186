#!/usr/bin/env node
import { readArguments } from './cli/arguments.ts';
import { type Output, openOutput } from './cli/output.ts';
import { startedBy } from './command-line.ts';
import { processEnvironment, processMounts } from './config/environment.ts';
import { loadSettings } from './config/settings.ts';
import { EXIT, Interrupted, JobError, UsageError } from './errors.ts';
import { trust } from './network.ts';
import { redaction } from './redaction.ts';
import { nodeProblem, VERSION } from './version.ts';

/** After a signal the process ends by this time, whatever still goes on. */
const DEADLINE_MS = 8000;

const env = processEnvironment();
startedBy(process.argv[1] ?? '', env, process.execArgv);
const stopper = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopper.signal.aborted) process.exit(EXIT[signal]);
    stopper.abort(new Interrupted(signal));
    setTimeout(() => process.exit(EXIT[signal]), DEADLINE_MS).unref();
  });
}

const output = openOutput(env);
// Known before the rest is read, so that also a command line that cannot be read is answered with a document.
output.json = process.argv.includes('--json');
let log = output.log(redaction([]));
try {
  process.exitCode = await run(readArguments(process.argv.slice(2), env), output);
} catch (error) {
  output.error(error);
  log.failure(error);
  process.exitCode = error instanceof JobError ? error.exitCode : EXIT.failed;
} finally {
  output.close();
}
// What a request leaves behind may still hold a socket: one that was interrupted, or a tunnel in which nobody answers. All
// that had to be said is said.
output.flushed(() => process.exit());

/** Each command loads what it needs itself: an hourly run must not wait for the simulator's code. */
async function run(invocation: ReturnType<typeof readArguments>, out: Output): Promise<number> {
  const { command } = invocation;
  if (command === 'version') return say(VERSION, out);
  if (command === 'help') {
    const { helpText } = await import('./cli/help.ts');
    return say(helpText(invocation.of), out);
  }
  const unfit = nodeProblem(process.version);
  if (unfit !== undefined) {
    throw new UsageError(unfit, 'npm start brings the right one; so do the image and a node:24 container.');
  }
  if (command === 'simulate') {
    const { parseFault, runSimulator } = await import('./simulator/simulator.ts');
    const { faults, deflated, tooLargeHours, ...flags } = invocation.flags;
    const options = {
      ...flags,
      faults: faults.map(parseFault),
      compression: deflated ? ('deflated' as const) : ('stored' as const),
      ...(tooLargeHours === undefined ? {} : { tooLargeHours }),
    };
    await runSimulator(options, stopper.signal, out.print);
    return (stopper.signal.reason as Interrupted).exitCode;
  }
  if (command === 'export' && invocation.flags.dryRun === true && !out.json) out.forPeople();
  const context = { out, now: () => new Date(), signal: stopper.signal };
  if (command === 'demo') {
    const { runDemo } = await import('./commands/demo.ts');
    return await runDemo(invocation.flags, env, context);
  }
  // Who only looks at what has landed needs no keys of Amplitude.
  const asks = command === 'export' || (command === 'verify' && invocation.flags.repair);
  if (command !== 'export' && !out.json) {
    out.forPeople();
    log = out.log(redaction([]));
  }
  if (command === 'doctor') {
    const { doctorCommand, settingsOf } = await import('./commands/doctor.ts');
    const settings = settingsOf(env, { amplitude: true, mounts: processMounts() });
    log = out.log(redaction('problems' in settings ? [] : settings.secrets));
    return await doctorCommand(settings, env, { ...context, log });
  }
  // Of reconcile no flag says a time.
  const flags = command === 'reconcile' ? {} : invocation.flags;
  const { wrong } = invocation;
  const settings = loadSettings(env, { amplitude: asks, flags, wrong, mounts: processMounts() });
  log = out.log(redaction(settings.secrets));
  trust(settings.caBundle);
  if (command === 'status') {
    const { statusCommand } = await import('./commands/status.ts');
    return await statusCommand(settings, invocation.flags, { ...context, log });
  }
  if (command === 'verify') {
    const { verifyCommand } = await import('./commands/verify.ts');
    return await verifyCommand(settings, invocation.flags, { ...context, log });
  }
  if (command === 'reconcile') {
    const { reconcileCommand } = await import('./commands/reconcile.ts');
    return await reconcileCommand(settings, invocation.flags, { ...context, log });
  }
  const { exportCommand } = await import('./commands/export.ts');
  return await exportCommand(settings, invocation.flags, { ...context, log });
}

function say(text: string, out: Output): number {
  out.print(text);
  return EXIT.done;
}
