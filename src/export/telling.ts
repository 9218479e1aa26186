import { JobError } from '../errors.ts';
import { agreeing, count, number } from '../format.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
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
  const { events, quarantined } = manifest;
  tally.failed.delete(hour);
  tally.sealed.set(hour, manifest);
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
    const fields = { hour: name, events, bytes: manifest.bytes, objects: manifest.objects.length };
    if (old === undefined) log.debug(`Sealed ${name}: ${manifest.status}, ${count(events, 'event')}.`, fields);
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
