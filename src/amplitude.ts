import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import got, { RequestError, TimeoutError } from 'got';
import { type Fault, RequestFault } from './amplitude/faults.ts';
import { answerFault } from './amplitude/statuses.ts';
import { type Spool, type SpoolOptions, spool } from './archive/spool.ts';
import type { Settings } from './config.ts';
import { systemCode } from './errors.ts';
import { formatWindow, onTheWire, type Window } from './hours.ts';
import { VERSION } from './version.ts';

export interface ExportApiOptions {
  readonly settings: Settings['amplitude'];
  readonly keep: Omit<SpoolOptions, 'expectedBytes'>;
  readonly signal: AbortSignal;
  /** Called with the size of every piece that arrives. */
  readonly onBytes: (bytes: number) => void;
}

/** An answer of the Export API: an archive, or the word that the window holds no data (404). */
export type Answer = { readonly kind: 'archive'; readonly spool: Spool } | { readonly kind: 'no-data' };

/** Error pages are read this far, to be quoted. */
const ERROR_BODY_BYTES = 64 * 1024;

/**
 * One request of the Export API for `window`. Throws a RequestFault for whatever is no answer, a JobError where the
 * answer cannot be kept, and the signal's reason once that aborts. Never retries: only the caller can tell whether
 * an archive that came whole also opens.
 */
export async function requestWindow(window: Window, options: ExportApiOptions): Promise<Answer> {
  const { settings, signal } = options;
  const { start, end } = onTheWire(window);
  const url = `${settings.baseUrl}/api/2/export?start=${start}&end=${end}`;
  const fault = (kind: Fault, message: string, cause?: unknown) => new RequestFault(kind, window, message, { cause });
  signal.throwIfAborted();

  const request = got.stream(url, {
    username: settings.apiKey,
    password: settings.secretKey,
    headers: { 'user-agent': `amplitude-to-s3/${VERSION}`, accept: 'application/zip, */*' },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    timeout: {
      lookup: settings.connectTimeoutMs,
      connect: settings.connectTimeoutMs,
      secureConnect: settings.connectTimeoutMs,
      response: settings.firstByteTimeoutMs,
    },
    signal,
  });
  // Errors are met where the response or its chunks are awaited; one more may come while the stream is torn down.
  request.on('error', () => undefined);
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks = withIdleTimeout(request, settings.idleTimeoutMs, () =>
      fault('stall', `the answer stood still for ${settings.idleTimeoutMs / 1000} s`),
    );
    const status = response.statusCode ?? 0;
    if (status === 404) return { kind: 'no-data' };
    if (status !== 200) throw answerFault(window, status, response.headers, await beginning(chunks));
    const length = response.headers['content-length'];
    const expectedBytes = length === undefined ? undefined : Number(length);
    const kept = await spool(counted(chunks, options.onBytes), { ...options.keep, expectedBytes });
    if (expectedBytes !== undefined && kept.bytes !== expectedBytes) {
      await kept.close();
      throw fault('truncated', `the answer ended after ${kept.bytes} of ${expectedBytes} bytes`);
    }
    return { kind: 'archive', spool: kept };
  } catch (error) {
    signal.throwIfAborted();
    throw connectionFault(error, fault, `for ${formatWindow(window)}`) ?? error;
  } finally {
    request.destroy();
  }
}

/** The chunks of `stream`; throws what `late` makes once none has come for `ms`. */
async function* withIdleTimeout(stream: AsyncIterable<Buffer>, ms: number, late: () => Error): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late()), ms);
      });
      const { done, value } = await Promise.race([chunks.next(), timeout]);
      clearTimeout(timer);
      if (done === true) return;
      yield value;
    }
  } finally {
    clearTimeout(timer);
  }
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function beginning(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      parts.push(chunk);
      bytes += chunk.length;
      if (bytes >= ERROR_BODY_BYTES) break;
    }
  } catch {
    // The status says what matters; the page that comes with it may be cut short.
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Faults of the connection, told by got's and the system's codes; undefined for anything else. */
function connectionFault(
  error: unknown,
  fault: (kind: Fault, message: string, cause?: unknown) => RequestFault,
  what: string,
): RequestFault | undefined {
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
  return fault('unreachable', `${error.message} (${code})`, error);
}
