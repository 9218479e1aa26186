import { type ErrorCode, EXIT, JobError, RUN_AGAIN } from '../errors.ts';
import { formatWindow, type Window } from '../hours.ts';

/** What a request can meet, as far as the next step differs. */
export type Fault =
  | 'credentials'
  | 'parameter'
  | 'too-large'
  | 'refused'
  | 'rate-limit'
  | 'unreachable'
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
    hint: 'Check AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY (both of this one project) and AMPLITUDE_REGION: a project of the EU region is refused by the US host, and the other way round.',
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
    hint: 'Lower REQUEST_CONCURRENCY, or look for other programs that use the REST APIs of this project; then run the same command again.',
  },
  unreachable: { code: 'AMPLITUDE_UNREACHABLE', hint: CONNECTION },
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

/** A request that brought no usable answer. */
export class RequestFault extends JobError {
  override name = 'RequestFault';
  readonly kind: Fault;
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: Fault,
    window: Window,
    why: string,
    details: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    const stops = kind === 'credentials';
    super(KINDS[kind].code, `Amplitude's export of ${formatWindow(window)} failed: ${why}.`, {
      hint: KINDS[kind].hint,
      cause: details.cause,
      endsRun: stops,
      exitCode: stops ? EXIT.credentials : EXIT.failed,
    });
    this.kind = kind;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** True for faults that show the API at work, whatever it says: a 200, or the word that the window is too large. */
export function isAnswer(kind: Fault): boolean {
  return ['too-large', 'archive', 'not-events', 'refused-archive'].includes(kind);
}
