import type { IncomingHttpHeaders } from 'node:http';
import { HOSTS } from '../config/settings.ts';
import type { Window } from '../hours.ts';
import type { Redact } from '../redaction.ts';
import { type Fault, RequestFault } from './faults.ts';
import type { ErrorBody } from './waits.ts';

/** How much of an answer is quoted. */
const QUOTED = 300;

/** `Retry-After` is honoured up to this. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** What a status other than 200 and 404 means. The body of a 400 is the only way to tell its causes apart. */
export function answerFault(
  window: Window,
  status: number,
  headers: IncomingHttpHeaders,
  body: ErrorBody,
  { redact, now, baseUrl }: { redact: Redact; now: Date; baseUrl: string },
): RequestFault {
  const retryAfterMs = readRetryAfter(headers['retry-after'], now);
  const location = status >= 300 && status < 400 ? ` to ${redact(hostOf(headers.location))}` : '';
  const said = statusWith(status, beginningOf(body, redact), location);
  const kind = kindOf(status, body.text);
  if (kind === 'credentials') return refusedKeys(window, baseUrl, said);
  const why = kind === 'rate-limit' ? `the limit of this project's API use is reached (${said})` : said;
  return new RequestFault(kind, window, why, { retryAfterMs });
}

/** Keys of a project of the other region are the commonest slip. */
function refusedKeys(window: Window, baseUrl: string, said: string): RequestFault {
  const region = regionOf(baseUrl);
  const asked = `${new URL(baseUrl).host}${region === undefined ? '' : ` (region ${region})`}`;
  const hint = REGIONS.filter((other) => other !== region).map(
    (other) => `Region ${other} is at ${new URL(HOSTS[other]).host}: AMPLITUDE_REGION=${other}.`,
  );
  return new RequestFault('credentials', window, `${asked} refused the keys, ${said}`, { hint });
}

const REGIONS = ['us', 'eu'] as const;

function regionOf(baseUrl: string): 'us' | 'eu' | undefined {
  return REGIONS.find((region) => new URL(HOSTS[region]).host === new URL(baseUrl).host);
}

export function kindOf(status: number, body: string): Fault {
  if (status === 401 || status === 403) return 'credentials';
  if (status === 400) return kindOfBadRequest(body);
  if (status === 413) return 'too-large';
  if (status === 429) return 'rate-limit';
  if (status === 504) return 'gateway-timeout';
  if (status >= 500 || status === 408) return 'server';
  if (status >= 300 && status < 400) return 'redirect';
  return 'unexpected';
}

/**
 * Amplitude documents 400 as "over 4 GB", but tiny projects were seen to get it too (airbyte issue 46712). So size is
 * believed only where the body speaks of it, and our own error only where it names a parameter or a format.
 */
function kindOfBadRequest(body: string): Fault {
  if (/\bsize\b|too (large|big|much)|\b\d+ ?gb\b|exceed/i.test(body)) return 'too-large';
  if (
    /\bparameters?\b|\bparams?\b|\bformat(ted)?\b|['"`]?\b(start|end)\b['"`]? (is|must|date|time|hour|was|should|cannot)|yyyymmdd/i.test(
      body,
    )
  ) {
    return 'parameter';
  }
  return 'refused';
}

/** Seconds or an HTTP date (RFC 9110), in milliseconds from now; undefined where there is none that can be read. */
export function readRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

/** The beginning of a body in one line, to be quoted. */
export function beginningOf({ text, whole }: Pick<ErrorBody, 'text' | 'whole'>, redact: Redact): string {
  const shown = redact(text, !whole).replace(/\s+/g, ' ').trim();
  return shown.length > QUOTED ? `${shown.slice(0, QUOTED)}…` : shown;
}

/** `HTTP 502, "<html>…"` */
export function statusWith(status: number, beginning: string, location = ''): string {
  return `HTTP ${status}${location}${beginning === '' ? '' : `, "${beginning}"`}`;
}

function hostOf(location: string | undefined): string {
  return URL.parse(location ?? '')?.origin ?? 'an unnamed place';
}
