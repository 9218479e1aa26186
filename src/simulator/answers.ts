import type { ServerResponse } from 'node:http';
import { LONGEST_REQUEST_HOURS, readHour, type Window } from '../hours.ts';
import type { AnswerFault } from './faults.ts';

/** A whole answer that is no archive. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Faults that never send a status. */
export type Silence = 'reset' | 'stall-first-byte';

function text(status: number, body: string, headers = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
    body,
  };
}

/** `value` as a JSON document. */
export function jsonAnswer(status: number, value: unknown): Answer {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) };
}

export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers).end(body);
}

function error(http_code: number, type: string, message: string, metadata?: object): Answer {
  return jsonAnswer(http_code, { error: { http_code, type, message, metadata } });
}

export const UNAUTHORIZED: Answer = {
  ...error(401, 'unauthorized', 'Authentication is required'),
  headers: {
    'Content-Type': 'application/json',
    'WWW-Authenticate': 'Basic realm="Export API"',
  },
};

export const FORBIDDEN = error(403, 'invalid_api_key', 'Forbidden', {
  details: 'Invalid API Key',
});

export const NO_DATA = text(404, 'Raw data files were not found.');

export const TOO_LARGE = error(
  400,
  'bad_request',
  'The exported data exceeds the size limit of 4 GB. Choose a shorter time range.',
);

export const TOO_MANY_AT_ONCE = error(
  429,
  'too_many_requests',
  'Rate limit exceeded: at most 5 concurrent requests are allowed for a project.',
);

/** The answer that stands for a fault. */
export function answerOf(fault: Exclude<AnswerFault, Silence>, now: Date): Answer {
  switch (fault) {
    case 'bad-request':
      return text(400, `The export of this project could not be made.\r\n\treference: ${'7f3c-'.repeat(80)}`);
    case 'bad-parameter':
      return invalidParameter('start');
    case 'too-large':
      return TOO_LARGE;
    case 'unauthorized':
      return UNAUTHORIZED;
    case 'forbidden':
      return FORBIDDEN;
    case 'no-data':
      return NO_DATA;
    case 'html-404':
      return page(404, '404 Not Found');
    case 'json-404':
      return jsonAnswer(404, { message: 'no Route matched with those values' });
    case 'backend-404':
      return text(404, 'default backend - 404');
    case 'text-404':
      return text(404, 'No data was found for this time range.');
    case 'empty-404':
      return text(404, '');
    case 'rate-limit':
      return text(429, 'Rate limit exceeded', { 'Retry-After': '1' });
    case 'rate-limit-silent':
      return text(429, 'Rate limit exceeded');
    case 'rate-limit-date':
      return text(429, 'Rate limit exceeded', {
        // The date has whole seconds: one second from now could round down to now.
        'Retry-After': new Date(now.getTime() + 2000).toUTCString(),
      });
    case 'server-error':
      return error(500, 'internal_error', 'Internal server error');
    case 'bad-gateway':
      return page(502, '502 Bad Gateway');
    case 'unavailable':
      return page(503, '503 Service Temporarily Unavailable');
    case 'gateway-timeout':
      return page(504, '504 Gateway Time-out');
    case 'redirect':
      return text(302, 'Found', {
        Location: 'http://elsewhere.invalid/api/2/export',
      });
    case 'html':
      return page(200, 'We are down for maintenance');
    case 'empty-body':
      return { status: 200, headers: { 'Content-Type': 'application/zip' }, body: '' };
  }
}

function page(status: number, title: string): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: `<!doctype html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`,
  };
}

function invalidParameter(name: 'start' | 'end'): Answer {
  return error(400, 'invalid_parameter', `Invalid value for parameter ${name}: expected the format YYYYMMDDTHH`);
}

/** Reads the window of a request, whose `end` is the last hour included, or refuses it as the real API does. */
export function windowOf(query: URLSearchParams): Window | Answer {
  const read = (name: string) => {
    const wire = /^(\d{4})(\d{2})(\d{2})(T\d{2})$/.exec(query.get(name) ?? '');
    if (wire === null) return undefined;
    const [, year, month, day, hour] = wire;
    try {
      return readHour(`${year}-${month}-${day}${hour}`);
    } catch {
      return undefined;
    }
  };
  const start = read('start');
  const last = read('end');
  if (start === undefined) return invalidParameter('start');
  if (last === undefined) return invalidParameter('end');
  if (last < start) return error(400, 'invalid_parameter', 'Parameter end is before start');
  if (last + 1 - start > LONGEST_REQUEST_HOURS)
    return error(400, 'invalid_parameter', 'Parameters start and end are more than 365 days apart');
  return { start, end: last + 1 };
}

/** Undefined for the right pair of keys, else the refusal. */
export function refusalOf(authorization: string | undefined, apiKey: string, secretKey: string): Answer | undefined {
  if (!/^basic /i.test(authorization ?? '')) return UNAUTHORIZED;
  const pair = Buffer.from(authorization?.slice(6) ?? '', 'base64').toString();
  return pair === `${apiKey}:${secretKey}` ? undefined : FORBIDDEN;
}
