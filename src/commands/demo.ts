import { readdir } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import type { DemoFlags } from '../cli/arguments.ts';
import type { CommandContext } from '../cli/command.ts';
import { command } from '../command-line.ts';
import { type Environment, loadSettings } from '../config/settings.ts';
import { formatHour, readyEnd } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';
import { manifestKey } from '../landing/manifest.ts';
import { redaction } from '../redaction.ts';
import { startSimulator } from '../simulator/simulator.ts';
import { exportCommand } from './export.ts';
import { statusCommand } from './status.ts';

/**
 * The whole job without any account: the simulator as Amplitude, a folder as destination, the last day of ready hours, and
 * their status. Only the look of the log is taken from the environment, so that nobody's real keys or buckets are touched.
 */
export async function runDemo(
  flags: DemoFlags,
  env: Environment,
  context: Omit<CommandContext, 'log'>,
): Promise<number> {
  const keys = { apiKey: 'simulator-key', secretKey: 'simulator-secret' };
  const simulator = await startSimulator({ ...keys, now: context.now });
  const folder = resolve(flags.data);
  try {
    const settings = loadSettings({
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: keys.apiKey,
      AMPLITUDE_SECRET_KEY: keys.secretKey,
      DESTINATION: folder,
      LOOKBACK_DAYS: '1',
      WORK_DIR: env.WORK_DIR,
      LOG_FORMAT: env.LOG_FORMAT,
      LOG_LEVEL: env.LOG_LEVEL,
    });
    const { out } = context;
    out.forPeople();
    const log = out.log(redaction(settings.secrets));
    log.info(`The simulator plays Amplitude at ${simulator.url}; the hours land in ${folder}.`);
    const exitCode = await exportCommand(settings, { force: flags.force }, { ...context, log });
    if (exitCode !== 0 || out.json) return exitCode;
    const look = {
      // Of a folder with days in between that no demo has landed: their commands would run against real keys.
      start: formatHour(readyEnd(context.now()) - 24),
      events: true,
      files: false,
      html: undefined,
      failOnGaps: undefined,
    };
    await statusCommand(settings, look, { ...context, log });
    for (const line of await samples(folder)) out.print(line);
    return exitCode;
  } finally {
    await simulator.close();
  }
}

/** What a person would look at next: an event, and the manifest of its hour. */
async function samples(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join('/')).sort();
  const event = names.find((name) => name.startsWith('events/') && name.endsWith('.json'));
  const hour = event === undefined ? undefined : hourOfKey(event);
  if (event === undefined || hour === undefined) return [];
  const at = (key: string) => relative('.', join(folder, key));
  return [
    'Look at them:',
    `  head -n 1 '${at(event)}'`,
    `  cat '${at(manifestKey(hour))}'`,
    `Run it again (${command('demo')}): what is sealed is skipped.`,
  ];
}
