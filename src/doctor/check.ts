import type { Environment } from '../config/settings.ts';
import { type ErrorCode, JobError } from '../errors.ts';
import { describe, type Log } from '../log.ts';

export interface DoctorOptions {
  readonly env: Environment;
  readonly log: Log;
  readonly now: () => Date;
  /** Stops between two checks; its reason is thrown. */
  readonly signal: AbortSignal;
}

/** The result of one thing that was tried. */
export interface Check {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'failed' | 'skipped';
  readonly message: string;
  readonly code?: ErrorCode;
  /** The next step, a whole sentence. */
  readonly hint?: string;
}

export const ok = (check: string, message: string): Check => ({ check, status: 'ok', message });

export const skipped = (check: string, why: string): Check => ({ check, status: 'skipped', message: why });

export function warned(check: string, message: string, hint: string): Check {
  return { check, status: 'warn', message, hint };
}

/** A limit passes, other hours may be smaller, and the other run ends. */
const ONLY_WARNS: readonly ErrorCode[] = ['AMPLITUDE_RATE_LIMIT', 'AMPLITUDE_TOO_LARGE', 'DESTINATION_LOCKED'];

/** Turns what `attempt` throws into a failed check, so that the others go on. An interruption ends them all. */
export async function tried(check: string, signal: AbortSignal, attempt: () => Promise<Check>): Promise<Check> {
  signal.throwIfAborted();
  try {
    return await attempt();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof JobError)) return { check, status: 'failed', message: describe(error), code: 'INTERNAL' };
    const { code, message, hint } = error;
    const status = ONLY_WARNS.includes(code) ? 'warn' : 'failed';
    return { check, status, message, code, ...(hint === undefined ? {} : { hint }) };
  }
}
