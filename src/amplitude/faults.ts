import { type ErrorCode, EXIT, JobError, RUN_AGAIN } from '../errors.ts';
import { formatWindow, type Window } from '../hours.ts';
import { PROXY_HINT } from '../network.ts';

/** What a request can meet, as far as the next step differs. */
export type Fault =
  | 'credentials'
  | 'parameter'
  | 'too-large'
  | 'refused'
  | 'rate-limit'
  | 'unreachable'
  | 'no-connection'
  | 'proxy'
  | 'server'
  | 'gateway-timeout'
  | 'stall'
  | 'truncated'
  | 'archive'
  | 'not-events'
  | 'refused-archive'
  | 'not-amplitude'
  | 'redirect'
  | 'unexpected';

interface Kind {
  readonly code: ErrorCode;
  readonly hint: string;
}

const AGAIN = `${RUN_AGAIN}.`;
const CONNECTION = 'Check the network, proxies and AMPLITUDE_BASE_URL; then run the same command again.';

const KINDS: Readonly<Record<Fault, Kind>> = {
  credentials: {
    code: 'AMPLITUDE_CREDENTIALS',
    hint: 'Check AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY (both of this one project) and AMPLITUDE_REGION: a project of one region is refused by the host of the other.',
  },
  parameter: {
    code: 'AMPLITUDE_BAD_REQUEST',
    hint: 'This is a defect of amplitude-to-s3: please report it with this message.',
  },
  'too-large': {
    code: 'AMPLITUDE_TOO_LARGE',
    hint: "A single hour above the Export API's 4 GB can only be had by Amplitude's own Amazon S3 export: set that up for this project.",
  },
  refused: {
    code: 'AMPLITUDE_REFUSED_WINDOW',
    hint: 'Run again later with the same command; if it stays so, ask Amplitude with the quoted answer.',
  },
  'rate-limit': {
    code: 'AMPLITUDE_RATE_LIMIT',
    hint: `Look for other programs that ask the APIs of this project, with any of its keys: they all share one limit. ${AGAIN} Do so later, perhaps with a lower REQUEST_CONCURRENCY; EXPORT_RATE_LIMIT_WAIT_S sets how long is waited.`,
  },
  unreachable: { code: 'AMPLITUDE_UNREACHABLE', hint: CONNECTION },
  'no-connection': { code: 'AMPLITUDE_UNREACHABLE', hint: CONNECTION },
  proxy: { code: 'PROXY', hint: PROXY_HINT },
  server: { code: 'AMPLITUDE_SERVER', hint: AGAIN },
  'gateway-timeout': { code: 'AMPLITUDE_SERVER', hint: AGAIN },
  stall: {
    code: 'AMPLITUDE_TIMEOUT',
    hint: `${AGAIN} EXPORT_FIRST_BYTE_TIMEOUT_S and EXPORT_IDLE_TIMEOUT_S set how long is waited, EXPORT_MIN_BYTES_PER_S how slow an archive may come.`,
  },
  truncated: { code: 'ARCHIVE_TRUNCATED', hint: AGAIN },
  archive: { code: 'ARCHIVE_BROKEN', hint: AGAIN },
  'not-events': {
    code: 'NOT_EVENTS',
    hint: `Nothing of it was landed. ${AGAIN} If it stays so, report the hours to Amplitude.`,
  },
  'refused-archive': {
    code: 'ARCHIVE_REFUSED',
    hint: `Nothing of it was landed. ${AGAIN} If it stays so, report the hours to Amplitude.`,
  },
  'not-amplitude': {
    code: 'NOT_AMPLITUDE',
    hint: 'Nothing was sealed by it. Check AMPLITUDE_BASE_URL, and the proxies and gateways between here and Amplitude: one of them answers in its place.',
  },
  redirect: {
    code: 'AMPLITUDE_REDIRECT',
    hint: 'Check AMPLITUDE_BASE_URL and AMPLITUDE_REGION. Redirects are not followed, since the keys go to the configured host only.',
  },
  unexpected: {
    code: 'AMPLITUDE_SERVER',
    hint: 'Check AMPLITUDE_BASE_URL; the quoted answer is not one of the Export API.',
  },
};

/** What every other window would meet too. */
const ENDING: readonly Fault[] = ['credentials', 'no-connection', 'proxy'];

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
    details: { cause?: unknown; retryAfterMs?: number | undefined; hint?: readonly string[]; endsRun?: boolean } = {},
  ) {
    super(KINDS[kind].code, `Amplitude's export of ${formatWindow(window)} failed: ${why}.`, {
      hint: [KINDS[kind].hint, ...(details.hint ?? [])].join(' '),
      cause: details.cause,
      endsRun: details.endsRun ?? ENDING.includes(kind),
      exitCode: kind === 'credentials' ? EXIT.credentials : EXIT.failed,
    });
    this.kind = kind;
    this.why = why;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** True for faults that show the API at work, whatever it says: a 200, or the word that the window is too large. */
export function isAnswer(kind: Fault): boolean {
  return ['too-large', 'archive', 'not-events', 'refused-archive'].includes(kind);
}
