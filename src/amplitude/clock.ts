import { JobError } from '../errors.ts';
import { CLOCKS_APART_MS } from '../hours.ts';

/**
 * Compares this machine's clock with the first answer of a run that tells the time, whatever its status. A run takes hours
 * for ready by this clock: a wrong one would seal hours that Amplitude still fills.
 */
export class ClockCheck {
  #decided = false;
  #skew: JobError | undefined;

  /**
   * `date` is the answer's `Date` header. It may be of any time while the request was under way: some servers set it as
   * they begin to prepare an answer. Throws CLOCK_SKEW, and does so for every later answer too, since other requests
   * may be under way.
   */
  check(date: string | undefined, sentAt: Date, cameAt: Date): void {
    const told = this.#decided ? undefined : clocksApart(date, sentAt, cameAt);
    if (told !== undefined) {
      this.#decided = true;
      if (told.apartMs > CLOCKS_APART_MS) this.#skew = skewed("Amplitude's", told, cameAt);
    }
    if (this.#skew !== undefined) throw this.#skew;
  }
}

interface Told {
  readonly theirs: Date;
  readonly apartMs: number;
}

/** What the `Date` of an answer says, and how far that is from any moment while the request was under way. */
export function clocksApart(date: string | undefined, sentAt: Date, cameAt: Date): Told | undefined {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return undefined;
  const apartMs = Math.max(sentAt.getTime() - theirs, theirs - cameAt.getTime(), 0);
  return { theirs: new Date(theirs), apartMs };
}

export function skewed(whose: string, { theirs, apartMs }: Told, ours: Date): JobError {
  return new JobError(
    'CLOCK_SKEW',
    `This machine's clock says ${at(ours)}, ${whose} says ${at(theirs)}: they are ${long(apartMs)} apart.`,
    {
      endsRun: true,
      hint: "Set the clock (NTP), also that of the host if this is a container: it shows the host's. Then run the same command again.",
    },
  );
}

function at(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

function long(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
}
