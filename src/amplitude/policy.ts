import type { Fault } from './faults.ts';

/** What follows a request that brought no usable answer. */
export type NextStep = 'retry' | 'wait' | 'halve' | 'give-up' | 'stop-run';

/** How far a window has come. */
export interface Progress {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly hours: number;
  readonly limit: Limit;
}

/** How long a window has waited for a limit, how long it may, and whether Amplitude answered for others since. */
interface Limit {
  readonly waitedMs: number;
  readonly mostMs: number;
  readonly othersServed: boolean;
}

/** After this many attempts at a window it is its size that is suspected. */
const ATTEMPTS_BEFORE_HALVING = 2;

const LONGEST_PAUSE_MS = 60_000;

/** Of pauses for a limit: who is told to ask less does not ask again within the second. */
const LEAST_RANGE_MS = 1000;

/**
 * Decides by the kind of fault. A 504 or a 400 speaks of the window, which is halved at once; other faults of the
 * server only after two attempts; 429, refused connections and the answer to another question say nothing of the window
 * and never halve it. A limit is the project's: once the patience of a window is used up and no other was served
 * meanwhile, the others need not wait as long again.
 */
export function nextStep(kind: Fault, at: Progress): NextStep {
  const again = (last: NextStep): NextStep => (at.attempt < at.maxAttempts ? 'retry' : last);
  const canHalve = at.hours > 1;
  switch (kind) {
    case 'credentials':
    case 'no-connection':
      return 'stop-run';
    case 'parameter':
    case 'redirect':
    case 'not-amplitude':
    case 'unexpected':
      return 'give-up';
    case 'too-large':
    case 'refused':
      return canHalve ? 'halve' : 'give-up';
    case 'gateway-timeout':
      return canHalve ? 'halve' : again('give-up');
    case 'server':
    case 'stall':
    case 'truncated':
    case 'archive':
    case 'not-events':
      return canHalve && at.attempt >= ATTEMPTS_BEFORE_HALVING ? 'halve' : again('give-up');
    case 'rate-limit':
      if (at.limit.waitedMs < at.limit.mostMs) return 'wait';
      return at.limit.othersServed ? 'give-up' : 'stop-run';
    case 'proxy':
      return again('stop-run');
    case 'refused-archive':
    case 'unreachable':
      return again('give-up');
  }
}

interface Pause {
  readonly backoffMs: number;
  readonly retryAfterMs: number | undefined;
  /** In [0, 1). */
  readonly random: number;
}

/**
 * The pause before attempt `attempt + 1`, in milliseconds: full jitter over a doubling range up to 60 s, and never
 * shorter than the server's own `Retry-After`.
 */
export function pauseBefore(attempt: number, { backoffMs, retryAfterMs, random }: Pause): number {
  return Math.max(random * range(attempt, backoffMs), retryAfterMs ?? 0);
}

/**
 * The pause after the `nth` 429 of a window: from half of the doubling range up, so that a limit is not asked at once
 * again, and no longer than the `leftMs` of patience.
 */
export function pauseForLimit(
  nth: number,
  { backoffMs, retryAfterMs, random, leftMs }: Pause & { leftMs: number },
): number {
  const most = range(nth, Math.max(backoffMs, LEAST_RANGE_MS));
  return Math.min(leftMs, Math.max((most / 2) * (1 + random), retryAfterMs ?? 0));
}

function range(nth: number, backoffMs: number): number {
  return Math.min(LONGEST_PAUSE_MS, backoffMs * 2 ** (nth - 1));
}
