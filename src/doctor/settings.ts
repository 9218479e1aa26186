import { find } from '../config/names.ts';
import type { ConfigError, Environment, Settings } from '../config/settings.ts';
import type { VariableName } from '../config/variables.ts';
import { type Check, ok, told, warned } from './check.ts';

/** What a run would use, and a line for each name that looks misspelt. */
export function settingsChecks(settings: Settings, env: Environment): Check[] {
  const warnings = settings.warnings.map((warning) =>
    warned('settings', warning, 'Correct the name, or take it out of the environment.'),
  );
  return [ok('settings', used(settings, env)), ...warnings];
}

/** A line for each problem; the last one says what to do about them. */
export function unusableChecks(error: ConfigError): Check[] {
  return error.problems.map((message, at) => {
    const { hint, ...check } = { ...told('settings', 'failed', error), message };
    return at === error.problems.length - 1 && hint !== undefined ? { ...check, hint } : check;
  });
}

function used({ amplitude, destination, s3, outputFormat }: Settings, env: Environment): string {
  const wrote = (name: VariableName) => find(name, env, [], [])?.name;
  const region = wrote('AMPLITUDE_BASE_URL') === undefined ? ` (${amplitude.region})` : '';
  const from = `${amplitude.baseUrl}${region}`;
  if (destination.kind === 'file') return `${from} → ${destination.folder}, ${outputFormat}`;
  const at = s3.endpoint === undefined ? '' : ` at ${s3.endpoint}`;
  const inRegion = s3.region === undefined ? '' : ` in ${s3.region}`;
  const keys = s3.credentials === undefined ? "the SDK's chain (profile, role, …)" : wrote('AWS_ACCESS_KEY_ID');
  return `${from} → s3://${destination.bucket}/${destination.prefix}${inRegion}${at}, ${outputFormat}; AWS keys by ${keys}`;
}
