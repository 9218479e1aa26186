import { readdir } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { defineCommand } from '../cli/command.ts';
import { command } from '../command-line.ts';
import { loadSettings } from '../config/settings.ts';
import { EXIT } from '../errors.ts';
import { formatHour, readyEnd } from '../hours.ts';
import { hourOfKey } from '../landing/keys.ts';
import { manifestKey } from '../landing/manifest.ts';
import { startSimulator } from '../simulator/simulator.ts';
import { exportHours } from './export.ts';
import { showStatus } from './status.ts';

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'the job against the simulator, into a local folder',
  help: `
    The whole job without any account: starts the simulator, exports its last day into a folder and shows its status.`,
  examples: ['demo'],
  flags: {
    data: { type: 'path', value: 'DIR', default: 'data', help: 'the folder that the day lands in' },
    force: { type: 'boolean', help: 'ask for every hour, also sealed ones' },
    json: { type: 'boolean', help: 'one JSON document on stdout' },
  },
  readsSettings: false,
  async run({ data, force }, context) {
    const { out, log, env, now } = context;
    const keys = { apiKey: 'simulator-key', secretKey: 'simulator-secret' };
    const simulator = await startSimulator({ ...keys, now });
    try {
      const folder = resolve(data);
      // Only these come from the environment, so that the demo touches nobody's real keys or buckets.
      const { WORK_DIR, LOG_FORMAT, LOG_LEVEL } = env;
      const settings = loadSettings({
        AMPLITUDE_BASE_URL: simulator.url,
        AMPLITUDE_API_KEY: keys.apiKey,
        AMPLITUDE_SECRET_KEY: keys.secretKey,
        DESTINATION: folder,
        LOOKBACK_DAYS: '1',
        WORK_DIR,
        LOG_FORMAT,
        LOG_LEVEL,
      });
      out.use(settings);
      log.info(`The simulator plays Amplitude at ${simulator.url}; the hours land in ${folder}.`);
      const exitCode = await exportHours(settings, { force }, context);
      if (exitCode !== EXIT.done || out.json) return exitCode;
      // Older demos may have left gaps in the folder, and the commands that fill them would run against real keys.
      await showStatus(settings, { start: formatHour(readyEnd(now()) - 24) }, context);
      for (const line of await samples(folder)) out.print(line);
      return exitCode;
    } finally {
      await simulator.close();
    }
  },
});

/** What a person looks at next: an event, and the manifest of its hour. */
async function samples(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join('/')).sort();
  const event = names.find((name) => name.startsWith('events/') && name.endsWith('.json'));
  const hour = event === undefined ? undefined : hourOfKey(event);
  if (event === undefined || hour === undefined) return [];
  const path = (key: string) => relative('.', join(folder, key));
  return [
    'Look at them:',
    `  head -n 1 '${path(event)}'`,
    `  cat '${path(manifestKey(hour))}'`,
    `Run it again (${command('demo')}): what is sealed is skipped.`,
  ];
}
