import { type CommandContext, defineCommand } from '../cli/command.ts';
import { present } from '../cli/present.ts';
import { processMounts } from '../config/environment.ts';
import { ConfigError, type Environment, loadSettings, type Settings } from '../config/settings.ts';
import type { Check } from '../doctor/check.ts';
import { examine } from '../doctor/doctor.ts';
import { checkLines, doctorReport, doctorSummary, kestraReport } from '../doctor/report.ts';
import { unusableChecks } from '../doctor/settings.ts';

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'tries what a run needs, a line each with the remedy',
  help: `
    Tries what a run needs: settings, proxies and certificates, Amplitude's host and keys, the clock, the rights at the
    destination, WORK_DIR. A line for each, with the remedy where it fails. It asks Amplitude once and leaves nothing
    behind.`,
  examples: ['doctor'],
  flags: { json: { type: 'boolean', help: 'one JSON document on stdout' } },
  readsSettings: false,
  async run(_, context) {
    const { out, env } = context;
    const settings = settingsOrError(env);
    const isUsable = !(settings instanceof ConfigError);
    if (isUsable) out.use(settings);
    const checks: Check[] = [];
    for await (const check of isUsable ? examine(settings, context) : unusableChecks(settings)) {
      checks.push(check);
      if (!out.json) tell(check, context);
    }
    const report = doctorReport(checks);
    return await present(report, { text: doctorSummary(report), kestra: kestraReport(report) }, context);
  },
});

/** What is wrong with the settings is a finding here. */
function settingsOrError(env: Environment): Settings | ConfigError {
  try {
    return loadSettings(env, { amplitude: true, mounts: processMounts() });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

const COLORS = { ok: '32', skipped: '90', warn: '33', failed: '31' } as const;
const LEVELS = { ok: 'info', skipped: 'info', warn: 'warn', failed: 'error' } as const;

function tell(found: Check, { out, log }: CommandContext): void {
  const { check, status, message, code, hint } = found;
  if (out.format === 'pretty') {
    const painted = out.color ? `\u001b[${COLORS[status]}m${status}\u001b[0m` : status;
    out.print(checkLines(found).slice(status.length), painted);
    return;
  }
  const whole = hint === undefined ? message : `${message.replace(/\.$/, '')}. ${hint}`;
  log[LEVELS[status]](`${check}: ${whole}`, { check, status, code });
}
