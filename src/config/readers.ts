import { UsageError } from '../errors.ts';
import { isZone, zoneHasWholeHours } from '../hours.ts';

/** Why a text cannot be used. The message continues a sentence after "it": `must be …`. */
export class ValueError extends RangeError {}

/** Turns the text of a variable or flag into its value. Throws a ValueError. */
export type Reader<T> = (text: string) => T;

/** Reads the value of a flag. Throws a UsageError that names the flag. */
export function readFlag<T>(flag: string, text: string, reader: Reader<T>, example?: string): T {
  try {
    return reader(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const shown = example === undefined ? '' : `, for example ${flag} ${example}`;
    throw new UsageError(`${flag} is "${text}": it ${error.message}${shown}.`);
  }
}

export const asIs: Reader<string> = (text) => text;

export function wholeNumber(least: number, most: number): Reader<number> {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new ValueError(`must be a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

export const seconds: Reader<number> = (text) => {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > 86_400) {
    throw new ValueError('must be a number of seconds above 0 and up to 86400');
  }
  return value;
};

/** Takes a choice in any letter case. `synonyms` are the names that other programs give the choices. */
export function choiceOf<const T extends string>(
  choices: readonly T[],
  synonyms?: Readonly<Record<NoInfer<T>, string>>,
): Reader<T> {
  return (text) => {
    const asked = text.trim().toLowerCase();
    const choice = choices.find((each) => [each, synonyms?.[each]].some((word) => word?.toLowerCase() === asked));
    if (choice === undefined) throw new ValueError(`must be one of ${choices.join(', ')}`);
    return choice;
  };
}

function httpUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new ValueError('must be an http:// or https:// URL');
  return url;
}

/** A scheme, a host and perhaps a path, without a slash at the end. */
export const webAddress: Reader<string> = (text) => {
  const { username, password, search, hash } = httpUrl(text);
  if (username + password !== '') throw new ValueError('must not hold a user name or a password');
  if (search + hash !== '') throw new ValueError('must be a scheme, a host and at most a path');
  return text.replace(/\/+$/, '');
};

/** Its path and query may be the secret. */
export const webhook: Reader<string> = (text) => httpUrl(text).href;

/** People often paste the whole address of the Export API. */
export const apiAddress: Reader<string> = (text) => webAddress(text).replace(/\/+api\/2\/export$/, '');

/** Node.js wants the whole URL of a proxy. Other programs let people leave out the scheme. */
export const proxyUrl: Reader<string> = (text) => {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const { username, password } = httpUrl(whole);
  try {
    decodeURIComponent(username + password);
  } catch {
    throw new ValueError('must have a % in its user name or password as %25');
  }
  return whole;
};

export const timeZone: Reader<string> = (text) => {
  // Loading the data of the zones takes 40 ms, which the default does not need.
  if (text === 'UTC') return text;
  if (!isZone(text)) throw new ValueError('must be an IANA time zone');
  if (!zoneHasWholeHours(text)) {
    throw new ValueError('must be a time zone on whole UTC hours, since Amplitude exports whole UTC hours only');
  }
  return text;
};

export function isBucketName(text: string): boolean {
  return /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text);
}

export const bucketName: Reader<string> = (text) => {
  if (isBucketName(text)) return text;
  throw new ValueError('must be the bare name of a bucket (3 to 63 lower-case letters, digits, dots and dashes)');
};

export const keyPrefix: Reader<string> = (text) => {
  if (text.split('/').some((part) => part === '.' || part === '..')) throw new ValueError('must not contain . or ..');
  return text.replace(/^\/+|\/+$/g, '');
};

/** The name becomes part of a host name. Stores other than AWS have regions of their own. */
export const regionName: Reader<string> = (text) => {
  if (/^[a-z0-9_-]+$/i.test(text)) return text;
  throw new ValueError('must be the name of a region and nothing else');
};
