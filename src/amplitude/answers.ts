import type { IncomingHttpHeaders } from 'node:http';
import { command } from '../command-line.ts';
import { HOSTS } from '../config/settings.ts';
import { formatHour, type Window } from '../hours.ts';
import type { Redact } from '../redaction.ts';
import type { ErrorBody } from './body.ts';
import { type Fault, RequestFault } from './faults.ts';

/** Characters of an answer that are quoted. */
const QUOTED = 300;

const LONGEST_RETRY_AFTER_MS = 300_000;

/** What a status other than 200 and 404 means. `hasAnswered`: the API has answered a request of this run before. */
export function answerFault(
  window: Window,
  { status, headers, body }: { status: number; headers: IncomingHttpHeaders; body: ErrorBody },
  { redact, now, baseUrl, hasAnswered }: { redact: Redact; now: Date; baseUrl: string; hasAnswered?: boolean },
): RequestFault {
  const kind = kindOf(status, body.text, hasAnswered);
  const to = URL.parse(headers.location ?? '')?.origin ?? 'an unnamed place';
  const said = saidWith(kind === 'redirect' ? `${status} to ${redact(to)}` : status, quoteOf(body, redact));
  if (kind === 'credentials' || kind === 'forbidden') return refusedKeys(kind, window, baseUrl, said);
  if (kind === 'blocked')
    return new RequestFault(kind, window, `something before the API refused the request, ${said}`);
  const adopt = `adopt s3://BUCKET/PREFIX --start ${formatHour(window.start)} --end ${formatHour(window.end)}`;
  const hint =
    kind === 'too-large'
      ? { hint: `Take the hour over from there: \`${command(adopt)}\`. If it has no _complete mark, add --trust.` }
      : {};
  const why = kind === 'rate-limit' ? `the limit of this project's API use is reached (${said})` : said;
  return new RequestFault(kind, window, why, { ...hint, retryAfterMs: readRetryAfter(headers['retry-after'], now) });
}

/** The commonest mistake is to use the keys of a project of the other region. */
function refusedKeys(kind: Fault, window: Window, baseUrl: string, said: string): RequestFault {
  const { host } = new URL(baseUrl);
  const regions = (['us', 'eu'] as const).map((region) => ({ region, its: new URL(HOSTS[region]).host }));
  const asked = regions.find(({ its }) => its === host);
  const others = regions.filter((one) => one !== asked);
  const hint = others.map(({ region, its }) => `Region ${region} is at ${its}: AMPLITUDE_REGION=${region}.`).join(' ');
  const where = asked === undefined ? host : `${host} (region ${asked.region})`;
  return new RequestFault(kind, window, `${where} refused the keys, ${said}`, { hint });
}

/** A 403 before any answer is mostly of wrong keys, whatever it says. After answers the keys are right. */
export function kindOf(status: number, body: string, hasAnswered = false): Fault {
  if (status === 403 && hasAnswered) return isOfKeys(body) ? 'forbidden' : 'blocked';
  if (status === 401 || status === 403) return 'credentials';
  if (status === 400) return kindOfBadRequest(body);
  if (status === 413) return 'too-large';
  if (status === 429) return 'rate-limit';
  if (status === 504) return 'gateway-timeout';
  if (status >= 500 || status === 408) return 'server';
  return status >= 300 && status < 400 ? 'redirect' : 'unexpected';
}

/** The API says "Invalid API Key", in JSON or plain text. A firewall has a page, or other words. */
function isOfKeys(body: string): boolean {
  return !body.trim().startsWith('<') && /(api|secret)[ _-]?key|credential|unauthori[sz]ed|authenticat/i.test(body);
}

const SPEAKS_OF_SIZE = /\bsize\b|too (large|big|much)|\b\d+ ?gb\b|exceed/i;
const SPEAKS_OF_PARAMETER =
  /\bparameters?\b|\bparams?\b|\bformat(ted)?\b|['"`]?\b(start|end)\b['"`]? (is|must|date|time|hour|was|should|cannot)|yyyymmdd/i;

/**
 * Amplitude documents 400 as "over 4 GB", but tiny projects get it too. So size is believed only where the body speaks
 * of it, and our own error only where it names a parameter or a format.
 */
function kindOfBadRequest(body: string): Fault {
  if (SPEAKS_OF_SIZE.test(body)) return 'too-large';
  return SPEAKS_OF_PARAMETER.test(body) ? 'parameter' : 'refused';
}

/** What a 404 says: no data, also in unusual words, an answer that is not Amplitude's, or too little to tell. */
export type NotFound = 'no-data' | 'other-words' | 'foreign' | 'unknown';

/** Plain text from servers and gateways that know no such path. */
const OTHERS = /default backend|page not found|cannot get|no such route|no healthy upstream/i;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they tell that a body is no text
const BINARY = /[\u0000-\u0008\u000e-\u001a\ufffd]/;

/**
 * Amplitude says "Raw data files were not found." in several forms. These words seal an empty hour, so the answer of a
 * proxy, a gateway or a wrong address must not pass for them.
 */
export function readNotFound({ text, end }: ErrorBody, contentType = ''): NotFound {
  const said = text.trim();
  if (/raw data files?/i.test(said)) return 'no-data';
  // The words that matter may be in the part that did not come.
  const isBroken = end === 'late' || end === 'cut';
  if (said === '') return isBroken ? 'unknown' : 'no-data';
  const isPage = /html/i.test(contentType) || said.startsWith('<');
  const isJson = /json/i.test(contentType) || /^[{[]/.test(said);
  if (isPage || isJson || OTHERS.test(said) || BINARY.test(said)) return 'foreign';
  return isBroken ? 'unknown' : 'other-words';
}

/** Seconds or an HTTP date (RFC 9110), in milliseconds from now; undefined where it cannot be read. */
export function readRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

/** The beginning of a body in one line. */
export function quoteOf({ text, end }: ErrorBody, redact: Redact): string {
  const shown = redact(text, end !== 'whole')
    .replace(/\s+/g, ' ')
    .trim();
  return shown.length > QUOTED ? `${shown.slice(0, QUOTED)}…` : shown;
}

/** `HTTP 502, "<html>…"` */
export function saidWith(status: number | string, quote: string): string {
  return quote === '' ? `HTTP ${status}` : `HTTP ${status}, "${quote}"`;
}
