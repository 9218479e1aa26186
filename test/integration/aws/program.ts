import type { Simulator } from '../../../src/simulator/simulator.ts';
import { type Ended, runProgram } from '../../support/program.ts';
import type { Stack } from './stack.ts';

/** Two hours that the simulator has events of. */
export const RANGE = ['--start', '2026-03-04T06', '--end', '2026-03-04T08'];

export const settingsFor = (simulator: Simulator, endpoint: string) => ({
  AMPLITUDE_BASE_URL: simulator.url,
  AMPLITUDE_API_KEY: 'simulator-key',
  AMPLITUDE_SECRET_KEY: 'simulator-secret',
  AWS_ENDPOINT_URL_S3: endpoint,
  EXPORT_BACKOFF_MS: '1',
});

/** The built program with the stack's own lines of .env, and credentials by `env`. */
export function runExport(
  simulator: Simulator,
  stack: Stack,
  endpoint: string,
  env: Readonly<Record<string, string>>,
  ...flags: string[]
): Promise<Ended> {
  const lines = stack.output('EnvLines').split('\n');
  return runProgram(['export', '--json', ...RANGE, ...flags], {
    ...settingsFor(simulator, endpoint),
    ...Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2))),
    ...env,
  });
}
