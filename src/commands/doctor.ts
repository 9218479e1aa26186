import { type CommandContext, keepReport } from '../cli/command.ts';
import { ConfigError, type Environment, loadSettings, type Needs, type Settings } from '../config/settings.ts';
import type { Check } from '../doctor/check.ts';
import { examine } from '../doctor/doctor.ts';
import { checkLines, doctorReport, doctorSummary } from '../doctor/report.ts';
import { unusableChecks } from '../doctor/settings.ts';

/** `doctor`: tries what a run needs and says what to do where something fails. Resolves to the exit code. */
export async function doctorCommand(
  settings: Settings | ConfigError,
  env: Environment,
  context: CommandContext,
): Promise<number> {
  const { out, log, now, signal } = context;
  const usable = !(settings instanceof ConfigError);
  const checks: Check[] = [];
  const found = usable ? examine(settings, { env, log, now, signal }) : unusableChecks(settings);
  for await (const check of found) {
    checks.push(check);
    tell(check);
  }
  const report = doctorReport(checks);
  if (usable) await keepReport(settings.reportFile, report, context);
  const summary = doctorSummary(report);
  if (out.json) out.document(report);
  else if (out.format === 'pretty') out.print(summary);
  else if (report.exitCode === 0) log.info(summary, { exitCode: 0 });
  else log.error(summary, { exitCode: report.exitCode });
  return report.exitCode;

  function tell(given: Check): void {
    if (out.json) return;
    const { check, status, message, code, hint } = given;
    const say = status === 'failed' ? log.error : status === 'warn' ? log.warn : log.info;
    if (out.format === 'pretty') out.print(checkLines(given, out.color));
    else
      say(`${check}: ${hint === undefined ? message : `${message.replace(/\.$/, '')}. ${hint}`}`, {
        check,
        status,
        code,
      });
  }
}

/** What is wrong with them is a finding here, and no end. */
export function settingsOf(env: Environment, needs: Needs): Settings | ConfigError {
  try {
    return loadSettings(env, needs);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}
