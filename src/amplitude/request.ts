import { once } from 'node:events';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import got, { RequestError, TimeoutError } from 'got';
import { type Spool, type SpoolOptions, spool } from '../archive/spool.ts';
import type { Settings } from '../config/settings.ts';
import { systemCode } from '../errors.ts';
import { onTheWire, type Window } from '../hours.ts';
import { type Agents, isTransientCause, networkError, proxyRefusal } from '../network.ts';
import type { Redact } from '../redaction.ts';
import { VERSION } from '../version.ts';
import { answerFault, quoteOf, readNotFound, saidWith } from './answers.ts';
import { atPace, readErrorBody } from './body.ts';
import type { ClockCheck } from './clock.ts';
import { type Fault, RequestFault } from './faults.ts';

export interface AskOptions {
  readonly settings: Settings['amplitude'];
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly agents: Agents;
  /** Sees what is quoted of an answer before it is cut. */
  readonly redact: Redact;
  /** How long the body of an answer that is no archive may take. */
  readonly errorBodyMs?: number;
  /** Whether the API has answered a request of this run before. */
  readonly hasAnswered?: () => boolean;
}

export interface ExportApiOptions extends AskOptions {
  /** One for all requests of a run. */
  readonly clock: ClockCheck;
  readonly keep: Omit<SpoolOptions, 'expectedBytes'>;
  /** Called with the size of every piece that arrives. */
  readonly onBytes: (bytes: number) => void;
  /** The period over which the least rate of an archive is measured. */
  readonly ratePeriodMs?: number;
}

/** The Export API's answer: an archive, or a 404 that means no data, with a quote where its words are unusual. */
export type Answer =
  | { readonly kind: 'archive'; readonly spool: Spool }
  | { readonly kind: 'no-data'; readonly quote?: string };

/** An answer before its body is read. */
export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Buffer>;
  readonly sentAt: Date;
  readonly cameAt: Date;
}

/**
 * One request for `window`; never retries, since only the caller can tell whether the archive opens. Throws a
 * RequestFault for whatever is no answer, a JobError where the answer cannot be kept or the clock is wrong, and the
 * signal's reason once that aborts.
 */
export async function requestWindow(window: Window, options: ExportApiOptions): Promise<Answer> {
  return await askFor(window, options, async (head) => {
    options.clock.check(head.headers.date, head.sentAt, head.cameAt);
    if (head.status !== 200) return await readRefusal(window, head, options);
    return { kind: 'archive', spool: await keepArchive(window, head, options) };
  });
}

/** Requests `window` and hands the head of the answer to `read`. What `read` leaves of the body is dropped. */
export async function askFor<T>(window: Window, options: AskOptions, read: (head: Head) => Promise<T>): Promise<T> {
  const { settings, signal, now } = options;
  const { connectTimeoutMs: connect, firstByteTimeoutMs: response } = settings;
  const { start, end } = onTheWire(window);
  const url = new URL(`${settings.baseUrl}/api/2/export?start=${start}&end=${end}`);
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
    timeout: { lookup: connect, connect, secureConnect: connect, response },
    signal,
  });
  request.once('request', (sent: ClientRequest) => {
    // got counts from the socket on. A tunnel has one only once TLS is agreed on within it.
    const late = Object.assign(new Error('no TLS within the tunnel'), { code: 'ERR_PROXY_TUNNEL' });
    const timer = setTimeout(() => request.destroy(late), 2 * connect);
    for (const event of ['socket', 'close']) sent.once(event, () => clearTimeout(timer));
  });
  // Errors reach the reader of the response or its chunks. One more may come while the stream is destroyed.
  request.on('error', () => undefined);
  try {
    const [{ statusCode: status = 0, headers }] = (await once(request, 'response')) as [IncomingMessage];
    if (status === 407) throw proxyRefusal(settings.proxyEnv[url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY']);
    return await read({ status, headers, body: request, sentAt, cameAt: now() });
  } catch (error) {
    signal.throwIfAborted();
    const network = networkError(error, { proxyEnv: settings.proxyEnv, host: url.host });
    if (network === undefined) throw connectionFault(error, window, response) ?? error;
    if (!isTransientCause(error)) throw network;
    const why = network.message.replace(/^The/, 'the').replace(/\.$/, '');
    throw new RequestFault('proxy', window, why, { cause: error });
  } finally {
    request.destroy();
  }
}

/** Reads an answer that is no archive. Throws a RequestFault unless it says that there is no data. */
export async function readRefusal(
  window: Window,
  { status, headers, body: stream }: Head,
  { settings, signal, now, redact, errorBodyMs = 30_000, hasAnswered = () => false }: AskOptions,
): Promise<Answer & { kind: 'no-data' }> {
  const body = await readErrorBody(stream, errorBodyMs);
  signal.throwIfAborted();
  if (status !== 404) {
    const known = { redact, now: now(), baseUrl: settings.baseUrl, hasAnswered: hasAnswered() };
    throw answerFault(window, { status, headers, body }, known);
  }
  const quote = quoteOf(body, redact);
  const said = saidWith(status, quote);
  switch (readNotFound(body, headers['content-type'])) {
    case 'no-data':
      return { kind: 'no-data' };
    case 'other-words':
      return { kind: 'no-data', quote };
    case 'foreign':
      throw new RequestFault('not-amplitude', window, `${said}, which is no answer of the Export API`);
    case 'unknown':
      throw new RequestFault(
        body.end === 'late' ? 'stall' : 'truncated',
        window,
        `${said}, and the answer did not end`,
      );
  }
}

async function keepArchive(
  window: Window,
  { body, headers }: Head,
  { settings, keep, onBytes, ratePeriodMs = 5 * 60_000 }: ExportApiOptions,
): Promise<Spool> {
  const pace = { idleMs: settings.idleTimeoutMs, leastRate: settings.minBytesPerSecond, periodMs: ratePeriodMs };
  async function* counted() {
    for await (const chunk of atPace(body, pace, (why) => new RequestFault('stall', window, why))) {
      onBytes(chunk.length);
      yield chunk;
    }
  }
  const length = headers['content-length'];
  const expectedBytes = length === undefined ? undefined : Number(length);
  const kept = await spool(counted(), { ...keep, expectedBytes });
  if (expectedBytes === undefined || kept.bytes === expectedBytes) return kept;
  await kept.close();
  throw new RequestFault('truncated', window, `the answer ended after ${kept.bytes} of ${expectedBytes} bytes`);
}

const CUT =
  /^(?:ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE|ERR_READING_RESPONSE_STREAM|ERR_HTTP_CONTENT_LENGTH_MISMATCH)$/;

/** A fault of the connection, by the codes of got and of the system; undefined for any other error. */
function connectionFault(error: unknown, window: Window, firstByteTimeoutMs: number): RequestFault | undefined {
  const fault = (kind: Fault, why: string) => new RequestFault(kind, window, why, { cause: error });
  if (error instanceof TimeoutError) {
    return error.event === 'response'
      ? fault('stall', `no answer within ${firstByteTimeoutMs / 1000} s`)
      : fault('unreachable', `connecting took too long (${error.message})`);
  }
  if (!(error instanceof RequestError)) return undefined;
  const code = systemCode(error) ?? error.code;
  if (CUT.test(code)) return fault('truncated', `the connection broke off (${code})`);
  return fault(isTransientCause(error) ? 'unreachable' : 'no-connection', `${error.message} (${code})`);
}
