import type { ErrorBody } from './waits.ts';

/** What a 404 says: that the window holds no data, that something else than Amplitude answered, or too little to tell. */
export type NotFound = 'no-data' | 'other-words' | 'foreign' | 'unknown';

/** What servers and gateways that know no such path answer in plain text. */
const OTHERS = /default backend|page not found|cannot get|no such route|no healthy upstream/i;

/**
 * Amplitude says "Raw data files were not found.", in one form or another. An empty hour is sealed by these words, so
 * what comes from a proxy, a gateway or a wrong address must not pass for them.
 */
export function readNotFound(contentType: string | undefined, { text, broken }: ErrorBody): NotFound {
  const said = text.trim();
  if (/raw data files?/i.test(said)) return 'no-data';
  // Of a body that did not come to its end, the words that matter may be missing.
  const last = broken === undefined ? undefined : 'unknown';
  if (said === '') return last ?? 'no-data';
  const isPage = /html/i.test(contentType ?? '') || said.startsWith('<');
  const isJson = /json/i.test(contentType ?? '') || /^[{[]/.test(said);
  return isPage || isJson || OTHERS.test(said) || isBinary(said) ? 'foreign' : (last ?? 'other-words');
}

function isBinary(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what tells
  return /[\u0000-\u0008\u000e-\u001a\ufffd]/.test(text);
}
