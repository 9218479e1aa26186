import type { ServerResponse } from 'node:http';
import { LONGEST_REQUEST_HOURS, readHour, type Window } from '../hours.ts';

/** A whole answer that is no archive. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers).end(body);
}

function text(status: number, body: string, headers = {}): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers }, body };
}

export function json(status: number, value: unknown, headers = {}): Answer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

function page(status: number, title: string): Answer {
  const body = `<!doctype html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
  return { status, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body };
}

function error(http_code: number, type: string, message: string, metadata?: object, headers = {}): Answer {
  return json(http_code, { error: { http_code, type, message, metadata } }, headers);
}

function invalidParameter(name: 'start' | 'end'): Answer {
  return error(400, 'invalid_parameter', `Invalid value for parameter ${name}: expected the format YYYYMMDDTHH`);
}

const UNAUTHORIZED = error(401, 'unauthorized', 'Authentication is required', undefined, {
  'WWW-Authenticate': 'Basic realm="Export API"',
});
const FORBIDDEN = error(403, 'invalid_api_key', 'Forbidden', { details: 'Invalid API Key' });
const LIMIT = 'Rate limit exceeded';

export const TOO_MANY_AT_ONCE = error(
  429,
  'too_many_requests',
  `${LIMIT}: at most 5 concurrent requests are allowed for a project.`,
);

/** Faults that replace the whole answer: what help says of each, and the answer. */
export const ANSWERS = {
  'bad-request': answer(
    '400 with a body that explains nothing',
    text(400, `The export of this project could not be made.\r\n\treference: ${'7f3c-'.repeat(80)}`),
  ),
  'bad-parameter': answer('400 that names the format of start and end', invalidParameter('start')),
  'too-large': answer(
    '400 that says the export exceeds 4 GB',
    error(400, 'bad_request', 'The exported data exceeds the size limit of 4 GB. Choose a shorter time range.'),
  ),
  unauthorized: answer('401', UNAUTHORIZED),
  forbidden: answer('403 Invalid API Key', FORBIDDEN),
  firewall: answer('403 with a web page', page(403, 'Request blocked')),
  'no-data': answer('404', text(404, 'Raw data files were not found.')),
  'html-404': answer('404 with a web page', page(404, '404 Not Found')),
  'json-404': answer(
    '404 with JSON that speaks of a route',
    json(404, { message: 'no Route matched with those values' }),
  ),
  'backend-404': answer('404 of a gateway in plain text', text(404, 'default backend - 404')),
  'text-404': answer('404 in plain text of other words', text(404, 'No data was found for this time range.')),
  'empty-404': answer('404 without a body', text(404, '')),
  'rate-limit': answer('429 with Retry-After: 1', text(429, LIMIT, { 'Retry-After': '1' })),
  'rate-limit-silent': answer('429 without Retry-After', text(429, LIMIT)),
  // The date has whole seconds: one second from now could round down to now.
  'rate-limit-date': answer('429 with a date as Retry-After', (now) =>
    text(429, LIMIT, { 'Retry-After': new Date(now.getTime() + 2000).toUTCString() }),
  ),
  'server-error': answer('500', error(500, 'internal_error', 'Internal server error')),
  'bad-gateway': answer('502', page(502, '502 Bad Gateway')),
  unavailable: answer('503', page(503, '503 Service Temporarily Unavailable')),
  'gateway-timeout': answer('504', page(504, '504 Gateway Time-out')),
  redirect: answer('302 to another host', text(302, 'Found', { Location: 'http://elsewhere.invalid/api/2/export' })),
  html: answer('200 with a web page instead of an archive', page(200, 'We are down for maintenance')),
  'empty-body': answer('200 with 0 bytes', { status: 200, headers: { 'Content-Type': 'application/zip' }, body: '' }),
};

function answer(about: string, made: Answer | ((now: Date) => Answer)) {
  return { about, answer: typeof made === 'function' ? made : () => made };
}

/** Reads the window of a request, whose `end` is the last hour included, or refuses it as the real API does. */
export function windowOf(query: URLSearchParams): Window | Answer {
  const start = hourIn(query.get('start'));
  const last = hourIn(query.get('end'));
  if (start === undefined) return invalidParameter('start');
  if (last === undefined) return invalidParameter('end');
  if (last < start) return error(400, 'invalid_parameter', 'Parameter end is before start');
  if (last + 1 - start > LONGEST_REQUEST_HOURS)
    return error(400, 'invalid_parameter', 'Parameters start and end are more than 365 days apart');
  return { start, end: last + 1 };
}

function hourIn(wire: string | null): number | undefined {
  const [, year, month, day, hour] = /^(\d{4})(\d{2})(\d{2})(T\d{2})$/.exec(wire ?? '') ?? [];
  try {
    return readHour(`${year}-${month}-${day}${hour}`);
  } catch {
    return undefined;
  }
}

/** The refusal of a wrong pair of keys. */
export function refusalOf(authorization = '', apiKey: string, secretKey: string): Answer | undefined {
  if (!/^basic /i.test(authorization)) return UNAUTHORIZED;
  const pair = Buffer.from(authorization.slice(6), 'base64').toString();
  return pair === `${apiKey}:${secretKey}` ? undefined : FORBIDDEN;
}
