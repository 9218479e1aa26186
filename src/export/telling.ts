import type { OutputFormat } from '../config/settings.ts';
import { JobError } from '../errors.ts';
import { agreeing, count, number } from '../format.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import { ENDINGS } from '../landing/keys.ts';
import { landAgain, type Manifest } from '../landing/manifest.ts';
import type { Log } from '../log.ts';
import type { Decision } from './decide.ts';
import type { Tally } from './tally.ts';

export interface Telling {
  readonly tally: Tally;
  readonly log: Log;
}

/** Counts an hour as sealed by `manifest`, in place of `old`, and says what is new about it. */
export function tellSealed(
  hour: Hour,
  { decision, manifest, old }: { decision: Decision; manifest: Manifest; old?: Manifest | undefined },
  { tally, log }: Telling,
): void {
  const name = formatHour(hour);
  const { status, events, bytes, quarantined } = manifest;
  tally.failed.delete(hour);
  tally.sealed.set(hour, { status, events, bytes, quarantined });
  if (decision.kind === 'unchanged') {
    tally.unchanged.add(hour);
    log.debug(`${name} is unchanged.`, { hour: name });
  } else if (decision.kind === 'shrunk') {
    tally.shrunk.add(hour);
    const again = landAgain(hour, decision.events === 0);
    log.warn(
      `${name} shrank: Amplitude now returns ${count(decision.events, 'event')}, ${number(events)} ${agreeing(events, 'has', 'have')} landed. The landing stays. \`${again}\` takes the smaller answer.`,
      { hour: name },
    );
  } else {
    const fields = { hour: name, events, bytes, objects: manifest.objects.length };
    if (old === undefined) log.debug(`Sealed ${name}: ${status}, ${count(events, 'event')}.`, fields);
    else log.info(`Replaced ${name}: ${count(events, 'event')}, ${number(old.events)} before.`, fields);
    if (quarantined === 0) return;
    const are = agreeing(quarantined, 'is not an event. It is', 'are not events. They are');
    const folder = `quarantine/${hourFolder(hour)}/`;
    const lines = count(quarantined, 'line');
    log.warn(`${name} has ${lines} that ${are} in ${folder}; the rest has landed.`, { hour: name });
  }
}

/** Counts hours as failed by one error and logs it once. What ends the run is logged at its end. */
export function tellFailed(hours: readonly Hour[], error: unknown, { tally, log }: Telling): void {
  const isNew = hours.map((hour) => tally.fail(hour, error)).includes(true) || hours.length === 0;
  if (isNew && !(error instanceof JobError && error.endsRun)) log.failure(error);
}

/** Warns where an hour that this run leaves as it is has objects of another format than the run writes. */
export function tellFormatChange({ date, hour, objects }: Manifest, format: OutputFormat, log: Log): void {
  const now = ENDINGS[format];
  const other = objects.find(({ key }) => !key.endsWith(now));
  if (other === undefined) return;
  const before = other.key.endsWith(ENDINGS.gzip) ? ENDINGS.gzip : ENDINGS.json;
  log.warn(
    `${date}T${hour} has landed as ${before}. This run writes ${now}, as OUTPUT_FORMAT=${format} asks. A reader that takes *${before} misses what this run lands, and *${now} misses what landed before. Read what the manifests name: then both count. Or export the hours that landed as ${before} again with --force.`,
  );
}
