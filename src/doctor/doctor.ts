import type { Environment, Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';
import { amplitudeCheck } from './amplitude.ts';
import { type Check, tried } from './check.ts';
import { Clocks } from './clock.ts';
import { destinationChecks } from './destination.ts';
import { certificatesCheck, proxyCheck } from './network.ts';
import { settingsChecks } from './settings.ts';
import { workDirCheck } from './space.ts';

export interface DoctorOptions {
  readonly env: Environment;
  readonly log: Log;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/**
 * Tries what a run needs, each check as it is done. One that fails does not keep the others from being tried. Throws the
 * signal's reason once that aborts; the destination is as it was by then.
 */
export async function* examine(settings: Settings, options: DoctorOptions): AsyncGenerator<Check> {
  const { env, signal } = options;
  const clocks = new Clocks();
  yield* settingsChecks(settings, env);
  yield await tried('proxy', signal, () => proxyCheck(settings));
  yield await tried('certificates', signal, () => certificatesCheck(settings, env));
  yield await tried('amplitude', signal, () => amplitudeCheck(settings, { ...options, clocks }));
  yield* destinationChecks(settings, { ...options, clocks });
  // After both sides have answered.
  yield clocks.check();
  yield await tried('work dir', signal, () => workDirCheck(settings));
}
