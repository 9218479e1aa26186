import { JobError } from '../errors.ts';
import { CLOCKS_APART_MS, wholeSeconds } from '../hours.ts';

/**
 * Compares this machine's clock with the first answer of a run that has a date, whatever its status. The clock decides
 * which hours are ready: a wrong one would seal hours that Amplitude still fills.
 */
export class ClockCheck {
  #isDecided = false;
  #skew: JobError | undefined;

  /** `date` is the answer's `Date` header. Throws CLOCK_SKEW for this answer and all later ones. */
  check(date: string | undefined, sentAt: Date, cameAt: Date): void {
    const apart = this.#isDecided ? undefined : clocksApart(date, sentAt, cameAt);
    if (apart !== undefined) {
      this.#isDecided = true;
      if (apart.apartMs > CLOCKS_APART_MS) this.#skew = skewed("Amplitude's", apart, cameAt);
    }
    if (this.#skew !== undefined) throw this.#skew;
  }
}

interface Apart {
  readonly theirs: Date;
  readonly apartMs: number;
}

/** How far `date` is from any moment of the request: some servers set it as they begin to prepare an answer. */
export function clocksApart(date: string | undefined, sentAt: Date, cameAt: Date): Apart | undefined {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return undefined;
  const apartMs = Math.max(sentAt.getTime() - theirs, theirs - cameAt.getTime(), 0);
  return { theirs: new Date(theirs), apartMs };
}

export function skewed(whose: string, { theirs, apartMs }: Apart, ours: Date): JobError {
  const times = `This machine's clock says ${wholeSeconds(ours)}, ${whose} says ${wholeSeconds(theirs)}`;
  return new JobError('CLOCK_SKEW', `${times}: they are ${inWords(apartMs)} apart.`, {
    endsRun: true,
    hint: "Set the clock (NTP), also that of the host if this is a container: it shows the host's. Then run the same command again.",
  });
}

function inWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
}
