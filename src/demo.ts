import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { type Environment, loadSettings } from './config.ts';
import type { Hour } from './hours.ts';
import { redaction } from './log.ts';
import type { DemoFlags } from './main/arguments.ts';
import type { CommandContext } from './main/command.ts';
import { exportCommand } from './main/export-command.ts';
import { hourOfManifestKey, type Manifest, readManifest } from './manifest.ts';
import { count } from './report.ts';
import { startSimulator } from './simulator.ts';

/**
 * The whole job without any account: the simulator as Amplitude, a folder as destination, the last day of ready hours.
 * Only the look of the log is taken from the environment, so that nobody's real keys or buckets are touched.
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
    if (exitCode === 0 && !out.json) for (const line of await tour(folder)) out.print(line);
    return exitCode;
  } finally {
    await simulator.close();
  }
}

/** The hours that lie in the folder by now, as a person would look at them. */
async function tour(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join('/')).sort();
  const manifests = names.filter((name) => hourOfManifestKey(name) !== undefined);
  const lines = [`${relative('.', folder) || '.'} holds ${manifests.length} sealed hours:`];
  let most = 1;
  const hours: { name: string; manifest: Manifest }[] = [];
  for (const name of manifests) {
    const hour = hourOfManifestKey(name) as Hour;
    const manifest = readManifest(await readFile(join(folder, name)), hour);
    most = Math.max(most, manifest.events);
    hours.push({ name, manifest });
  }
  for (const { manifest } of hours) {
    const bar = '#'.repeat(Math.ceil((manifest.events / most) * 40));
    const what =
      manifest.status === 'empty'
        ? 'empty'
        : `${count(manifest.events, 'event')} in ${count(manifest.objects.length, 'object')}`;
    lines.push(`  ${manifest.hour}  ${what.padEnd(26)} ${bar}`);
  }
  const sample = hours.find(({ manifest }) => manifest.objects.length > 0);
  const at = (key: string) => relative('.', join(folder, key));
  if (sample !== undefined) {
    lines.push('Look at them:');
    lines.push(`  head -n 1 '${at(sample.manifest.objects[0]?.key ?? '')}'`);
    lines.push(`  cat '${at(sample.name)}'`);
  }
  lines.push('Run it again: what is sealed is skipped.');
  return lines;
}
