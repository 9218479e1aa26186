import { type Archive, type Member, refused } from '../archive/archive.ts';
import { readMemberName } from '../archive/names.ts';
import { JobError } from '../errors.ts';
import { formatHour, formatWindow, type Hour, hoursOf, type Window, wholeSeconds } from '../hours.ts';
import { sealedIn } from '../landing/listing.ts';
import type { Redact } from '../redaction.ts';
import { HourLanding, type LandingOptions } from './hour.ts';
import type { NamedMember } from './member.ts';
import { type Telling, tellFailed } from './telling.ts';

/** A window may have thousands of hours, a process only some hundred open files. */
const AT_ONCE = { prepare: 64, seal: 16 };

/**
 * Lands the answer for one window; `archive` is undefined where Amplitude has no data. First the objects of gaps are
 * written and the members for sealed hours examined. Once every member has proved sound the hours are sealed, so
 * nothing of a broken archive is ever sealed.
 *
 * Throws a JobError that concerns the whole archive or ends the run. An error of one hour goes to the tally.
 */
export async function landAnswer(
  window: Window,
  archive: Archive | undefined,
  requestedAt: Date,
  options: LandingOptions & { readonly redact: Redact },
): Promise<void> {
  const members = archive === undefined ? new Map<Hour, never>() : membersByHour(window, archive.members, options);
  // Listed again, not taken from the plan: another run may have sealed hours while the answer came.
  const sealed = await sealedIn(window, options.destination);
  const request = { start: formatHour(window.start), end: formatHour(window.end), at: wholeSeconds(requestedAt) };
  const landings = hoursOf(window).map((hour) => new HourLanding(hour, members.get(hour) ?? [], { request }, options));
  const prepared: HourLanding[] = [];
  const prepare = async (landing: HourLanding) => {
    await landing.prepare(sealed.has(landing.hour));
    prepared.push(landing);
  };
  await eachHour(landings, AT_ONCE.prepare, prepare, options);
  await eachHour(prepared, AT_ONCE.seal, (landing) => landing.seal(), options);
}

/**
 * Works on so many hours at once, and takes each from `landings`: what is done needs no memory. Waits for all also when
 * one fails: the archive must not close under a reader.
 */
async function eachHour(
  landings: HourLanding[],
  atOnce: number,
  work: (landing: HourLanding) => Promise<void>,
  telling: Telling,
): Promise<void> {
  const grave: unknown[] = [];
  const worker = async () => {
    for (let landing = landings.shift(); landing !== undefined; landing = landings.shift()) {
      try {
        await work(landing);
      } catch (error) {
        if (!(error instanceof JobError) || error.endsRun || concernsArchive(error)) grave.push(error);
        else tellFailed([landing.hour], error, telling);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (grave.length > 0) throw grave.find((error) => error instanceof JobError && error.endsRun) ?? grave[0];
}

function concernsArchive({ code }: JobError): boolean {
  return code === 'ARCHIVE_BROKEN' || code === 'ARCHIVE_REFUSED' || code === 'NOT_EVENTS';
}

/** The members that land, by hour and part. Throws ARCHIVE_REFUSED before anything is written. */
function membersByHour(
  window: Window,
  members: readonly Member[],
  { log, project, redact }: Pick<LandingOptions, 'log' | 'project'> & { readonly redact: Redact },
): Map<Hour, NamedMember[]> {
  const landing: NamedMember[] = [];
  const parts = new Set<string>();
  let owner = project.id;
  for (const member of members) {
    const name = readMemberName(member.name, redact);
    if (name === undefined) continue;
    owner ??= name.project;
    if (name.project !== owner) {
      const where = project.id === undefined ? 'which it holds too' : 'whose hours are under this prefix';
      throw refused(`"${member.name}" is of another project than ${owner}, ${where}`);
    }
    const part = `${name.hour}#${name.part}`;
    if (parts.has(part)) throw refused(`"${member.name}" has the same hour and part as another member`);
    parts.add(part);
    if (name.hour >= window.start && name.hour < window.end) landing.push({ member, name });
    else log.warn(`Ignored ${member.name}: it is outside the requested window ${formatWindow(window)}.`);
  }
  if (landing.length === 0) {
    throw refused(`it has no member of the requested window ${formatWindow(window)}`, { retry: true });
  }
  if (owner !== undefined) project.claim(owner);
  landing.sort((a, b) => a.name.part - b.name.part);
  return Map.groupBy(landing, ({ name }) => name.hour);
}
