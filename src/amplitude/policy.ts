import type { Settings } from '../config/settings.ts';
import type { Window } from '../hours.ts';
import { FAULTS, RequestFault } from './faults.ts';

/** What follows a fault: a pause and the same request again, or the last word on the window. */
export type NextStep =
  | { readonly kind: 'retry' | 'wait'; readonly pauseMs: number; readonly message: string }
  | { readonly kind: 'halve' | 'give-up' | 'stop-run'; readonly fault: RequestFault };

/** How often a run requests a window, and how long it waits in between. */
type Patience = Pick<Settings['amplitude'], 'maxAttempts' | 'backoffMs' | 'rateLimitWaitMs'>;

/** After this many attempts the size of the window is the suspect. */
const ATTEMPTS_BEFORE_HALVING = 2;

const LONGEST_PAUSE_MS = 60_000;

/** The first range of pauses for a limit, also where back-off is switched off. */
const LEAST_LIMIT_RANGE_MS = 1000;

/** Counts the attempts at one window. Waiting for a limit is not an attempt. */
export class Attempts {
  readonly #window: Window;
  readonly #settings: Patience;
  readonly #random: () => number;
  #attempt = 1;
  #limits = 0;
  #waitedMs = 0;
  /** The answers to the run when this window first met a limit. */
  #answersBefore = 0;

  constructor(window: Window, settings: Patience, random = Math.random) {
    this.#window = window;
    this.#settings = settings;
    this.#random = random;
  }

  /** `answers`: how many answers the run has had, for all its windows. */
  after(fault: RequestFault, answers: number): NextStep {
    const canHalve = this.#window.end - this.#window.start > 1;
    const [, rule] = FAULTS[fault.kind];
    switch (rule) {
      case 'halve':
        return { kind: canHalve ? 'halve' : 'give-up', fault };
      case 'halve-or-retry':
        return canHalve ? { kind: 'halve', fault } : this.#retry(fault);
      case 'retry-then-halve':
        return canHalve && this.#attempt >= ATTEMPTS_BEFORE_HALVING ? { kind: 'halve', fault } : this.#retry(fault);
      case 'retry':
        return this.#retry(fault);
      case 'retry-once':
        return this.#retry(fault, 'give-up', 2);
      case 'retry-then-stop-run':
        return this.#retry(fault, 'stop-run');
      case 'wait':
        return this.#wait(fault, answers);
      default:
        return { kind: rule, fault };
    }
  }

  /** Full jitter over a doubling range, never shorter than `Retry-After`. */
  #retry(fault: RequestFault, last: 'give-up' | 'stop-run' = 'give-up', most = Number.POSITIVE_INFINITY): NextStep {
    const { backoffMs } = this.#settings;
    const maxAttempts = Math.min(this.#settings.maxAttempts, most);
    if (this.#attempt >= maxAttempts) return { kind: last, fault };
    const pauseMs = Math.max(this.#random() * range(this.#attempt, backoffMs), fault.retryAfterMs ?? 0);
    this.#attempt++;
    const message = `${fault.message} Attempt ${this.#attempt} of ${maxAttempts} follows in ${seconds(pauseMs)}.`;
    return { kind: 'retry', pauseMs, message };
  }

  /**
   * At least half of a doubling range, at most what is left of the patience. A limit is the project's: where no other
   * window was served meanwhile, the others need not wait as long again.
   */
  #wait(fault: RequestFault, answers: number): NextStep {
    const { backoffMs, rateLimitWaitMs } = this.#settings;
    const leftMs = rateLimitWaitMs - this.#waitedMs;
    if (leftMs <= 0) {
      const endsRun = answers <= this.#answersBefore;
      const why = `${fault.why}, also after waiting for ${seconds(this.#waitedMs)}`;
      const last = new RequestFault(fault.kind, this.#window, why, { cause: fault, endsRun });
      return { kind: endsRun ? 'stop-run' : 'give-up', fault: last };
    }
    if (this.#limits === 0) this.#answersBefore = answers;
    this.#limits++;
    const half = range(this.#limits, Math.max(backoffMs, LEAST_LIMIT_RANGE_MS)) / 2;
    const pauseMs = Math.min(leftMs, Math.max(half * (1 + this.#random()), fault.retryAfterMs ?? 0));
    this.#waitedMs += pauseMs;
    return { kind: 'wait', pauseMs, message: `${fault.message} The next request follows in ${seconds(pauseMs)}.` };
  }
}

function range(nth: number, backoffMs: number): number {
  return Math.min(LONGEST_PAUSE_MS, backoffMs * 2 ** (nth - 1));
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
