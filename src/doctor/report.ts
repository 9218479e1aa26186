import { EXIT } from '../errors.ts';
import { count } from '../format.ts';
import type { Check } from './check.ts';

/** What `doctor --json` prints. */
export interface DoctorReport {
  readonly command: 'doctor';
  readonly checks: readonly Check[];
  readonly exitCode: number;
}

export function doctorReport(checks: readonly Check[]): DoctorReport {
  return { command: 'doctor', checks, exitCode: exitCodeOf(checks) };
}

/** The code that a run would end with: it reads its settings before it uses any key. */
function exitCodeOf(checks: readonly Check[]): number {
  const codes = checks.filter(({ status }) => status === 'failed').map(({ code }) => code);
  if (codes.includes('CONFIG')) return EXIT.usage;
  if (codes.includes('AMPLITUDE_CREDENTIALS') || codes.includes('AWS_CREDENTIALS')) return EXIT.credentials;
  return codes.length > 0 ? EXIT.failed : EXIT.done;
}

const STATUS_WIDTH = 8;
const CHECK_WIDTH = 19;

/** A check for people: a line, and the remedy below it. */
export function checkLines({ check, status, message, code, hint }: Check): string {
  const head = status.padEnd(STATUS_WIDTH) + check.padEnd(CHECK_WIDTH);
  const below = `\n${' '.repeat(STATUS_WIDTH + CHECK_WIDTH)}`;
  const text = `${code === undefined ? '' : `${code}  `}${message}`.replaceAll('\n', below);
  return `${head}${text}${hint === undefined ? '' : `${below}→ ${hint}`}`;
}

/** The sentence at the end. */
export function doctorSummary({ checks, exitCode }: DoctorReport): string {
  const having = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  const [failed, warned, skipped] = [having('failed'), having('warn'), having('skipped')];
  const warnings = warned === 0 ? '' : `; ${count(warned, 'warning')}`;
  if (failed === 0) return `Everything a run needs works${warnings}.`;
  if (exitCode === EXIT.usage && checks.length === failed) {
    return 'The settings cannot be used. Nothing else was tried.';
  }
  const untried = skipped === 0 ? '' : `, ${skipped} could not be tried`;
  return `${failed} of ${count(checks.length, 'check')} failed${untried}${warnings}. Do what they say, then run doctor again.`;
}

/** What Kestra gets. */
export function kestraReport({ checks, exitCode }: DoctorReport) {
  const having = (status: Check['status']) => checks.filter((check) => check.status === status);
  const failed = having('failed');
  const counts = { failed: failed.length, warnings: having('warn').length, skipped: having('skipped').length };
  const metrics = Object.entries(counts).map(([name, value]) => ({ name: `doctor.${name}`, type: 'gauge', value }));
  return {
    outputs: { checks: checks.length, ...counts, failedChecks: failed.map(({ check }) => check).join(', '), exitCode },
    metrics,
  };
}
