import type { Settings } from '../config/settings.ts';
import { amplitudeCheck } from './amplitude.ts';
import { type Check, type DoctorOptions, tried } from './check.ts';
import { Clocks } from './clock.ts';
import { destinationChecks } from './destination.ts';
import { certificatesCheck, proxyCheck, settingsChecks } from './settings.ts';
import { workDirCheck } from './space.ts';

/** Tries what a run needs. A failed check does not stop the others, and the destination is left as it was. */
export async function* examine(settings: Settings, options: DoctorOptions): AsyncGenerator<Check> {
  const { env, signal } = options;
  const clocks = new Clocks();
  yield* settingsChecks(settings, env);
  yield await tried('proxy', signal, () => proxyCheck(settings));
  yield await tried('certificates', signal, () => certificatesCheck(settings, env));
  yield await tried('amplitude', signal, () => amplitudeCheck(settings, options, clocks));
  yield* destinationChecks(settings, options, clocks);
  yield await tried('clock', signal, async () => clocks.check());
  yield await tried('work dir', signal, () => workDirCheck(settings));
}
