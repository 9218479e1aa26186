export const base64 = (text: string) => Buffer.from(text).toString('base64');
const json = (text: string) => JSON.stringify(text).slice(1, -1);
const html = (text: string) => text.replace(/[&<>"'=]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** How an answer may hold a text. */
export const ESCAPES: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  'URL-encoded': encodeURIComponent,
  'URL-encoded twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'URL-encoded in small letters': (text) => encodeURIComponent(text).replace(/%../g, (byte) => byte.toLowerCase()),
  'as a form': (text) => new URLSearchParams({ a: text }).toString().slice(2),
  'JSON-escaped': json,
  'JSON-escaped twice': (text) => json(json(text)),
  'JSON-escaped to ASCII': (text) =>
    json(text).replace(/[&<>=\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'HTML-escaped': html,
  'HTML-escaped by names': (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;'),
  'HTML-escaped by hexadecimal numbers': (text) =>
    text.replace(/[&<>"'=]/g, (sign) => `&#x${sign.charCodeAt(0).toString(16)};`),
  'in capitals': (text) => text.toUpperCase(),
  'in small letters': (text) => text.toLowerCase(),
};

/** What an answer may hold of the pair, before it is escaped. */
export const HELD: Readonly<Record<string, (key: string, secret: string) => string>> = {
  'the key': (key) => key,
  'the secret': (_, secret) => secret,
  'the pair': (key, secret) => `${key}:${secret}`,
  'the Base64 of the pair': (key, secret) => base64(`${key}:${secret}`),
  'the Base64 of the pair without padding': (key, secret) => base64(`${key}:${secret}`).replace(/=+$/, ''),
  'the base64url of the pair': (key, secret) => Buffer.from(`${key}:${secret}`).toString('base64url'),
  'the Base64 of the secret': (_, secret) => base64(secret),
  'the base64url of the key': (key) => Buffer.from(key).toString('base64url'),
};
