import { type ErrorCode, EXIT, JobError } from '../errors.ts';
import { describe } from '../log.ts';

/** What came of one thing that was tried. */
export interface Check {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'failed' | 'skipped';
  readonly message: string;
  readonly code?: ErrorCode;
  /** The next step, a whole sentence. */
  readonly hint?: string;
}

export const ok = (check: string, message: string): Check => ({ check, status: 'ok', message });

/** `message` says why it was not tried. */
export const skipped = (check: string, message: string): Check => ({ check, status: 'skipped', message });

export const warned = (check: string, message: string, hint: string): Check => ({
  check,
  status: 'warn',
  message,
  hint,
});

/** The check that an error makes: a run would say the same words. */
export function told(check: string, status: 'warn' | 'failed', error: unknown): Check {
  if (!(error instanceof JobError)) return { check, status, message: describe(error), code: 'INTERNAL' };
  const { code, message, hint } = error;
  return { check, status, message, code, ...(hint === undefined ? {} : { hint }) };
}

/** Makes a failed check of what `attempt` throws, so that others go on. Of an interruption nothing is made. */
export async function tried(check: string, signal: AbortSignal, attempt: () => Promise<Check>): Promise<Check> {
  signal.throwIfAborted();
  try {
    return await attempt();
  } catch (error) {
    signal.throwIfAborted();
    return told(check, 'failed', error);
  }
}

/** What a run would end with: settings are read before any key is used. */
export function exitCodeOf(checks: readonly Check[]): number {
  const codes = checks.filter(({ status }) => status === 'failed').map(({ code }) => code);
  if (codes.includes('CONFIG')) return EXIT.usage;
  if (codes.includes('AMPLITUDE_CREDENTIALS') || codes.includes('AWS_CREDENTIALS')) return EXIT.credentials;
  return codes.length > 0 ? EXIT.failed : EXIT.done;
}
