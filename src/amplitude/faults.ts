import { type ErrorCode, JobError, RUN_AGAIN } from '../errors.ts';
import { formatWindow, type Window } from '../hours.ts';
import { PROXY_HINT } from '../network.ts';

/** What a request can meet: its code, and the rule by which the window goes on (see Attempts). */
export const FAULTS = {
  credentials: ['AMPLITUDE_CREDENTIALS', 'stop-run'],
  forbidden: ['AMPLITUDE_CREDENTIALS', 'retry-once'],
  blocked: ['NOT_AMPLITUDE', 'retry-once'],
  parameter: ['AMPLITUDE_BAD_REQUEST', 'give-up'],
  'too-large': ['AMPLITUDE_TOO_LARGE', 'halve'],
  refused: ['AMPLITUDE_REFUSED_WINDOW', 'halve'],
  'rate-limit': ['AMPLITUDE_RATE_LIMIT', 'wait'],
  unreachable: ['AMPLITUDE_UNREACHABLE', 'retry'],
  'no-connection': ['AMPLITUDE_UNREACHABLE', 'stop-run'],
  proxy: ['PROXY', 'retry-then-stop-run'],
  server: ['AMPLITUDE_SERVER', 'retry-then-halve'],
  'gateway-timeout': ['AMPLITUDE_SERVER', 'halve-or-retry'],
  stall: ['AMPLITUDE_TIMEOUT', 'retry-then-halve'],
  truncated: ['ARCHIVE_TRUNCATED', 'retry-then-halve'],
  archive: ['ARCHIVE_BROKEN', 'retry-then-halve'],
  'not-events': ['NOT_EVENTS', 'retry-then-halve'],
  'refused-archive': ['ARCHIVE_REFUSED', 'retry'],
  'not-amplitude': ['NOT_AMPLITUDE', 'give-up'],
  redirect: ['AMPLITUDE_REDIRECT', 'give-up'],
  unexpected: ['AMPLITUDE_SERVER', 'give-up'],
} as const satisfies Readonly<Record<string, readonly [ErrorCode, string]>>;

export type Fault = keyof typeof FAULTS;

const AGAIN = `${RUN_AGAIN}.`;
const CONNECTION = 'Check the network, proxies and AMPLITUDE_BASE_URL; then run the same command again.';
const NOT_LANDED = `None of it has landed. ${AGAIN} If it stays so, report the hours to Amplitude.`;

const KEYS =
  'Check AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY (both of this one project) and AMPLITUDE_REGION: the host of one region refuses the projects of the other.';

/** The others need no more than to run again. */
const HINTS: Readonly<Partial<Record<Fault, string>>> = {
  credentials: KEYS,
  forbidden: KEYS,
  blocked: `Amplitude took these keys before, so a firewall or a gateway on the way refuses now. ${AGAIN} If it stays so, ask who runs the firewall, or Amplitude, with the quoted answer.`,
  parameter: 'This is a defect of amplitude-to-s3: please report it with this message.',
  'too-large':
    "The Export API cannot return an hour above 4 GB. Set up Amplitude's own Amazon S3 export for this project.",
  refused: 'Run the same command again later. If it keeps failing, send Amplitude the quoted answer.',
  'rate-limit': `Look for other programs that ask the APIs of this project, with any of its keys: they all share one limit. ${AGAIN} Do so later, perhaps with a lower REQUEST_CONCURRENCY; EXPORT_RATE_LIMIT_WAIT_S sets how long a run waits.`,
  unreachable: CONNECTION,
  'no-connection': CONNECTION,
  proxy: PROXY_HINT,
  stall: `${AGAIN} EXPORT_FIRST_BYTE_TIMEOUT_S and EXPORT_IDLE_TIMEOUT_S set how long a run waits, EXPORT_MIN_BYTES_PER_S how slow an archive may be.`,
  'not-events': NOT_LANDED,
  'refused-archive': NOT_LANDED,
  'not-amplitude':
    'It sealed nothing. Check AMPLITUDE_BASE_URL, and the proxies and gateways between here and Amplitude: one of them answers instead.',
  redirect:
    'Check AMPLITUDE_BASE_URL and AMPLITUDE_REGION. Redirects are not followed, since the keys go to the configured host only.',
  unexpected: 'Check AMPLITUDE_BASE_URL: the quoted answer is not an answer of the Export API.',
};

/** A request that brought no usable answer. */
export class RequestFault extends JobError {
  override name = 'RequestFault';
  readonly kind: Fault;
  readonly why: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: Fault,
    window: Window,
    why: string,
    details: { cause?: unknown; retryAfterMs?: number | undefined; hint?: string; endsRun?: boolean } = {},
  ) {
    const [code, rule] = FAULTS[kind];
    const hint = HINTS[kind] ?? AGAIN;
    super(code, `Amplitude's export of ${formatWindow(window)} failed: ${why}.`, {
      hint: details.hint === undefined ? hint : `${hint} ${details.hint}`,
      cause: details.cause,
      // Every other window would meet the same.
      endsRun: details.endsRun ?? (rule === 'stop-run' || rule === 'retry-then-stop-run'),
    });
    this.kind = kind;
    this.why = why;
    this.retryAfterMs = details.retryAfterMs;
  }
}

const OF_ARCHIVE: readonly Fault[] = ['archive', 'not-events', 'refused-archive'];
const WITHOUT_ANSWER: readonly Fault[] = ['blocked', 'server', 'gateway-timeout', 'stall', 'truncated', 'unreachable'];

/** True for faults that show the API at work: an archive, or the answer that the window is too large. */
export function isAnswer(kind: Fault): boolean {
  return kind === 'too-large' || OF_ARCHIVE.includes(kind);
}

/** True for faults by which a window uses up its attempts without an answer. */
export function isSilence(kind: Fault): boolean {
  return WITHOUT_ANSWER.includes(kind);
}

/** An error of the archive is a fault of its request where another request may bring a better one. */
export function faultIn(error: unknown, window: Window): RequestFault | undefined {
  if (error instanceof RequestFault) return error;
  if (!(error instanceof JobError)) return undefined;
  const kind = OF_ARCHIVE.find((fault) => FAULTS[fault][0] === error.code);
  if (kind === undefined || (kind === 'refused-archive' && !error.retry)) return undefined;
  return new RequestFault(kind, window, error.message.replace(/\.$/, ''), { cause: error });
}
