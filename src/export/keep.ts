import { formatHour, type Hour } from '../hours.ts';
import { isUnproved, readManifest } from '../landing/manifest.ts';
import { readStanding } from '../landing/records.ts';
import { reseal } from '../landing/reseal.ts';
import type { LandingOptions } from './hour.ts';
import { tellSealed } from './telling.ts';

/**
 * Seals an hour again that was adopted with proof, where the API cannot serve it: then nothing more can be known of it.
 * False where there is no such hour.
 */
export async function keepAdopted(
  hour: Hour,
  { destination, now, tally, log }: Pick<LandingOptions, 'destination' | 'now' | 'tally' | 'log'>,
): Promise<boolean> {
  const standing = await readStanding(hour, destination);
  if (standing === undefined) return false;
  const old = readManifest(standing.content, hour);
  if (old.source === undefined || isUnproved(old)) return false;
  const next = await reseal(hour, { manifest: old, version: standing.version }, old.source, { destination, now });
  if (next === undefined) return false;
  tellSealed(hour, { decision: { kind: 'unchanged', old }, manifest: next, old }, { tally, log });
  log.info(`${formatHour(hour)} is too large for the Export API. What was adopted stays.`, { hour: formatHour(hour) });
  return true;
}
