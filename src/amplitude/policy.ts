import type { Fault } from './faults.ts';

/** What follows a request that brought no usable answer. */
export type NextStep = 'retry' | 'halve' | 'give-up' | 'stop-run';

/** After this many attempts at a window it is its size that is suspected. */
const ATTEMPTS_BEFORE_HALVING = 2;

const LONGEST_PAUSE_MS = 60_000;

/**
 * Decides by the kind of fault. A 504 or a 400 speaks of the window, which is halved at once; other faults of the
 * server only after two attempts; 429, refused connections and the answer to another question say nothing of the window
 * and never halve it.
 */
export function nextStep(kind: Fault, at: { attempt: number; maxAttempts: number; hours: number }): NextStep {
  const again: NextStep = at.attempt < at.maxAttempts ? 'retry' : 'give-up';
  const canHalve = at.hours > 1;
  switch (kind) {
    case 'credentials':
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
      return canHalve ? 'halve' : again;
    case 'server':
    case 'stall':
    case 'truncated':
    case 'archive':
    case 'not-events':
      return canHalve && at.attempt >= ATTEMPTS_BEFORE_HALVING ? 'halve' : again;
    case 'refused-archive':
    case 'rate-limit':
    case 'unreachable':
      return again;
  }
}

/**
 * The pause before attempt `attempt + 1`, in milliseconds: full jitter over a doubling range up to 60 s, and never
 * shorter than the server's own `Retry-After`. `random` is in [0, 1).
 */
export function pauseBefore(
  attempt: number,
  { backoffMs, retryAfterMs, random }: { backoffMs: number; retryAfterMs: number | undefined; random: number },
): number {
  const range = Math.min(LONGEST_PAUSE_MS, backoffMs * 2 ** (attempt - 1));
  return Math.max(random * range, retryAfterMs ?? 0);
}
