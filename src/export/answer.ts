import PQueue from 'p-queue';
import { type Archive, type Member, refused } from '../archive/archive.ts';
import { readMemberName } from '../archive/names.ts';
import { JobError } from '../errors.ts';
import { formatHour, formatWindow, type Hour, hoursOf, type Window } from '../hours.ts';
import { sealedIn } from '../landing/listing.ts';
import { HourLanding, type LandingOptions, wholeSeconds } from './hour.ts';
import type { NamedMember } from './member.ts';

/** A window may have thousands of hours, and a process only so many open files. */
const SEALS_AT_ONCE = 16;

/**
 * Lands the answer for one window: first the objects of hours that are gaps, while re-asked hours are only examined; once
 * every member has proved sound the hours are sealed. So nothing of a broken archive is ever sealed.
 *
 * Throws a JobError that concerns the archive as a whole or ends the run. What concerns one hour (an upload that fails)
 * is told to the tally.
 */
export async function landAnswer(
  window: Window,
  archive: Archive | undefined,
  requestedAt: Date,
  options: LandingOptions,
): Promise<void> {
  const { destination, tally, log } = options;
  const byHour =
    archive === undefined ? new Map<Hour, NamedMember[]>() : membersByHour(window, archive.members, options);
  // Asked anew, not taken from the plan: while the answer came, another run may have sealed hours of it.
  const sealed = await sealedIn(window, destination);
  const request = { start: formatHour(window.start), end: formatHour(window.end), at: wholeSeconds(requestedAt) };
  const landings = new Map<Hour, HourLanding>();

  await forEachHour(hoursOf(window), { tally, log }, async (hour) => {
    const landing = new HourLanding(hour, byHour.get(hour) ?? [], request, options);
    await landing.prepare({ sealed: sealed.has(hour) });
    landings.set(hour, landing);
  });
  const atOnce = new PQueue({ concurrency: SEALS_AT_ONCE });
  await forEachHour([...landings.keys()], { tally, log }, (hour) => atOnce.add(async () => landings.get(hour)?.seal()));
}

/**
 * Runs `work` for all at once and waits for all, also when one fails: the archive must not be closed under a reader. An
 * hour that fails by itself is told to the tally; anything graver is thrown at the end.
 */
async function forEachHour(
  hours: readonly Hour[],
  { tally, log }: Pick<LandingOptions, 'tally' | 'log'>,
  work: (hour: Hour) => Promise<void>,
): Promise<void> {
  const results = await Promise.allSettled(hours.map(work));
  let gravest: unknown;
  results.forEach((result, at) => {
    if (result.status === 'fulfilled') return;
    const { reason } = result;
    const ofOneHour = reason instanceof JobError && !reason.endsRun && !isOfAnswer(reason);
    if (ofOneHour) {
      if (tally.fail(hours[at] as Hour, reason)) log.failure(reason);
    } else if (gravest === undefined || (reason instanceof JobError && reason.endsRun)) gravest = reason;
  });
  if (gravest !== undefined) throw gravest;
}

/** Of the answer as a whole: another request may bring a right one. */
function isOfAnswer({ code }: JobError): boolean {
  return code.startsWith('ARCHIVE_') || code === 'NOT_EVENTS';
}

/** Which members land. Throws ARCHIVE_REFUSED before anything is written. */
function membersByHour(
  window: Window,
  members: readonly Member[],
  { log, project, redact }: LandingOptions,
): Map<Hour, NamedMember[]> {
  const byHour = new Map<Hour, NamedMember[]>();
  const parts = new Set<string>();
  let owner = project.id;
  for (const member of members) {
    const name = readMemberName(member.name, redact);
    if (name === undefined) continue;
    owner ??= name.project;
    if (name.project !== owner) {
      throw refused(
        project.id === undefined
          ? `"${member.name}" is of another project than ${owner}, which it holds too`
          : `"${member.name}" is of another project than ${owner}, whose hours are under this prefix`,
      );
    }
    const part = `${name.hour}#${name.part}`;
    if (parts.has(part)) throw refused(`"${member.name}" is the same part of the same hour as another member`);
    parts.add(part);
    if (name.hour < window.start || name.hour >= window.end) {
      log.warn(`Ignored ${member.name}: it is outside of the window ${formatWindow(window)} that was asked for.`);
      continue;
    }
    const ofHour = byHour.get(name.hour);
    if (ofHour === undefined) byHour.set(name.hour, [{ member, name }]);
    else ofHour.push({ member, name });
  }
  if (byHour.size === 0) {
    throw refused(`it holds no member of ${formatWindow(window)}, which was asked for`, { retry: true });
  }
  if (owner !== undefined) project.claim(owner);
  for (const ofHour of byHour.values()) ofHour.sort((a, b) => a.name.part - b.name.part);
  return byHour;
}
