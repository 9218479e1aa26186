import { once } from 'node:events';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import got, { RequestError, TimeoutError } from 'got';
import { type Spool, type SpoolOptions, spool } from '../archive/spool.ts';
import type { Settings } from '../config/settings.ts';
import { systemCode } from '../errors.ts';
import { formatWindow, onTheWire, type Window } from '../hours.ts';
import { type Agents, isTransientCause, networkError, proxyRefusal } from '../network.ts';
import type { Redact } from '../redaction.ts';
import { VERSION } from '../version.ts';
import type { ClockCheck } from './clock.ts';
import { type Fault, RequestFault } from './faults.ts';
import { readNotFound } from './not-found.ts';
import { answerFault, beginningOf, statusWith } from './statuses.ts';
import { readErrorBody, withIdleTimeout, withLeastRate } from './waits.ts';

export interface ExportApiOptions {
  readonly settings: Settings['amplitude'];
  readonly keep: Omit<SpoolOptions, 'expectedBytes'>;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  /** One for all requests of a run. */
  readonly clock: ClockCheck;
  readonly agents: Agents;
  /** Passed by whatever is quoted of an answer, before it is cut. */
  readonly redact: Redact;
  /** Called with the size of every piece that arrives. */
  readonly onBytes: (bytes: number) => void;
  /** For an answer that is no archive, from its first byte to its last. */
  readonly errorBodyMs?: number;
  /** Over which the least rate of an archive is measured. */
  readonly ratePeriodMs?: number;
}

/**
 * An answer of the Export API: an archive, or the word that the window holds no data (404), quoted where that is not
 * said in the usual words.
 */
export type Answer =
  | { readonly kind: 'archive'; readonly spool: Spool }
  | { readonly kind: 'no-data'; readonly quote?: string };

const ERROR_BODY_MS = 30_000;
const RATE_PERIOD_MS = 5 * 60_000;

/** What stands before the body of an answer, and that body as it comes. */
export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Buffer>;
  readonly sentAt: Date;
  readonly cameAt: Date;
}

type AskOptions = Pick<ExportApiOptions, 'settings' | 'signal' | 'now' | 'agents' | 'redact' | 'errorBodyMs'>;

/**
 * One request of the Export API for `window`. Throws a RequestFault for whatever is no answer, a JobError where the
 * answer cannot be kept or the clock is wrong, and the signal's reason once that aborts. Never retries: only the caller
 * can tell whether an archive that came whole also opens.
 */
export async function requestWindow(window: Window, options: ExportApiOptions): Promise<Answer> {
  return await askFor(window, options, async (head) => {
    options.clock.check(head.headers.date, head.sentAt, head.cameAt);
    if (head.status !== 200) return await readRefusal(window, head, options);
    return { kind: 'archive', spool: await keepArchive(head.body, head.headers, options, faultOf(window)) };
  });
}

/** Asks for `window` and hands the head of the answer to `read`; what that leaves of the body is thrown away. */
export async function askFor<T>(window: Window, options: AskOptions, read: (head: Head) => Promise<T>): Promise<T> {
  const { settings, signal, now } = options;
  const { start, end } = onTheWire(window);
  const url = `${settings.baseUrl}/api/2/export?start=${start}&end=${end}`;
  signal.throwIfAborted();

  const sentAt = now();
  const request = got.stream(url, {
    username: settings.apiKey,
    password: settings.secretKey,
    headers: { 'user-agent': `amplitude-to-s3/${VERSION}`, accept: 'application/zip, */*' },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    agent: options.agents,
    timeout: {
      lookup: settings.connectTimeoutMs,
      connect: settings.connectTimeoutMs,
      secureConnect: settings.connectTimeoutMs,
      response: settings.firstByteTimeoutMs,
    },
    signal,
  });
  request.once('request', (sent: ClientRequest) => {
    // got counts from the socket on, which a tunnel is only once TLS is agreed on within it.
    const late = Object.assign(new Error('no TLS within the tunnel'), { code: 'ERR_PROXY_TUNNEL' });
    const timer = setTimeout(() => request.destroy(late), 2 * settings.connectTimeoutMs);
    for (const event of ['socket', 'close']) sent.once(event, () => clearTimeout(timer));
  });
  // Errors are met where the response or its chunks are awaited; one more may come while the stream is torn down.
  request.on('error', () => undefined);
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const { statusCode: status = 0, headers } = response;
    if (status === 407) throw proxyRefusal(settings.proxyEnv[url.startsWith('https:') ? 'HTTPS_PROXY' : 'HTTP_PROXY']);
    return await read({ status, headers, body: request, sentAt, cameAt: now() });
  } catch (error) {
    signal.throwIfAborted();
    const fault = faultOf(window);
    const network = networkError(error, { proxyEnv: settings.proxyEnv, host: new URL(url).host });
    if (network === undefined) throw connectionFault(error, fault, `for ${formatWindow(window)}`) ?? error;
    if (!isTransientCause(error)) throw network;
    throw fault('proxy', network.message.replace(/^The/, 'the').replace(/\.$/, ''), error);
  } finally {
    request.destroy();
  }
}

/** What an answer that is no archive says: that there is no data, else it throws the fault. */
export async function readRefusal(
  window: Window,
  { status, headers, body: rest }: Head,
  { settings, signal, now, redact, errorBodyMs = ERROR_BODY_MS }: AskOptions,
): Promise<Answer & { kind: 'no-data' }> {
  const fault = faultOf(window);
  const body = await readErrorBody(rest, errorBodyMs);
  signal.throwIfAborted();
  if (status !== 404) {
    throw answerFault(window, status, headers, body, { redact, now: now(), baseUrl: settings.baseUrl });
  }
  const quote = beginningOf(body, redact);
  const said = statusWith(status, quote);
  switch (readNotFound(headers['content-type'], body)) {
    case 'no-data':
      return { kind: 'no-data' };
    case 'other-words':
      return { kind: 'no-data', quote };
    case 'foreign':
      throw fault('not-amplitude', `${said}, which is no answer of the Export API`);
    case 'unknown':
      throw fault(body.broken === 'late' ? 'stall' : 'truncated', `${said}, and the answer did not end`);
  }
}

const faultOf =
  (window: Window): MakeFault =>
  (kind, message, cause) =>
    new RequestFault(kind, window, message, { cause });

type MakeFault = (kind: Fault, message: string, cause?: unknown) => RequestFault;

async function keepArchive(
  body: AsyncIterable<Buffer>,
  headers: IncomingMessage['headers'],
  { settings, keep, onBytes, ratePeriodMs = RATE_PERIOD_MS }: ExportApiOptions,
  fault: MakeFault,
): Promise<Spool> {
  const moving = withIdleTimeout(body, settings.idleTimeoutMs, () =>
    fault('stall', `the answer stood still for ${settings.idleTimeoutMs / 1000} s`),
  );
  const rate = { least: settings.minBytesPerSecond, periodMs: ratePeriodMs };
  const chunks = withLeastRate(moving, rate, (bytesPerSecond) =>
    fault('stall', `the answer came at ${Math.round(bytesPerSecond)} bytes a second`),
  );
  const length = headers['content-length'];
  const expectedBytes = length === undefined ? undefined : Number(length);
  const kept = await spool(counted(chunks, onBytes), { ...keep, expectedBytes });
  if (expectedBytes !== undefined && kept.bytes !== expectedBytes) {
    await kept.close();
    throw fault('truncated', `the answer ended after ${kept.bytes} of ${expectedBytes} bytes`);
  }
  return kept;
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/** Faults of the connection, told by got's and the system's codes; undefined for anything else. */
function connectionFault(error: unknown, fault: MakeFault, what: string): RequestFault | undefined {
  if (error instanceof TimeoutError) {
    if (error.event === 'response')
      return fault('stall', `no answer began within ${error.message.match(/\d+/)?.[0]} ms`, error);
    return fault('unreachable', `connecting took too long (${error.message})`, error);
  }
  if (!(error instanceof RequestError)) return undefined;
  const code = systemCode(error) ?? error.code;
  const cut = ['ECONNRESET', 'EPIPE', 'ERR_READING_RESPONSE_STREAM', 'ERR_HTTP_CONTENT_LENGTH_MISMATCH'].includes(code);
  if (cut || /aborted|premature|socket hang up|content-length/i.test(error.message)) {
    return fault('truncated', `the connection broke off ${what} (${code})`, error);
  }
  return fault(isTransientCause(error) ? 'unreachable' : 'no-connection', `${error.message} (${code})`, error);
}
