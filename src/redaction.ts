/**
 * Takes secrets out of a text. `cutShort`: the text was cut at its end, which may be the beginning of a secret; that goes
 * too. Redact before cutting a text: half a secret is not recognised.
 */
export type Redact = (text: string, cutShort?: boolean) => string;

/** Shorter values are nobody's real key, and appear in every word. */
const LEAST_LENGTH = 4;

const SHOWN = '[secret]';

/**
 * Finds secrets in any letter case: as they are, URL-encoded, JSON-escaped or HTML-escaped, also several times, and as
 * Base64 or base64url of the whole secret, with its padding or without.
 */
export function redaction(secrets: readonly string[]): Redact {
  const forms = [...new Set(secrets)]
    .filter((secret) => secret.length >= LEAST_LENGTH)
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])
    .map(withoutPadding);
  if (forms.length === 0) return (text) => text;
  const foldedForms = forms.map((form) => folded({ text: form }).text);
  const decodedForms = forms.map((form) => decoded(folded({ text: form })).text).filter(isLong);
  return (source, cutShort = false) => {
    const view = folded({ text: source });
    // Both ways: what stands before or after a secret may look like a part of an escape.
    const spans = wholeSecrets(view, foldedForms);
    if (ESCAPED.test(source)) spans.push(...wholeSecrets(decoded(view), decodedForms));
    for (const rest of cutShort ? [source, source.replace(TORN_ESCAPE, '')] : []) {
      const start = begunSecret(decoded(folded({ text: rest })), decodedForms);
      if (start !== undefined) spans.push({ start, end: source.length });
    }
    spans.sort((a, b) => a.start - b.start);
    let shown = '';
    let end = 0;
    for (const span of spans) {
      if (span.start >= end) shown += source.slice(end, span.start) + SHOWN;
      end = Math.max(end, span.end);
    }
    return shown + source.slice(end);
  };
}

function isLong(text: string): boolean {
  return text.length >= LEAST_LENGTH;
}

function withoutPadding(secret: string): string {
  const bare = secret.replace(/=+$/, '');
  return isLong(bare) ? bare : secret;
}

/** Another writing of a source. `starts`: where each code unit, and the end, stand in the source; here if not given. */
interface View {
  readonly text: string;
  readonly starts?: readonly number[];
}

function wholeSecrets({ text, starts }: View, forms: readonly string[]) {
  const spans: { start: number; end: number }[] = [];
  for (const form of forms) {
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
      let end = at + form.length;
      // Padding is often dropped or doubled, so no form holds it.
      while (end < at + form.length + 2 && text[end] === '=') end++;
      spans.push({ start: starts?.[at] ?? at, end: starts?.[end] ?? end });
    }
  }
  return spans;
}

/** An escape that is cut: `%`, `&am`, `\u00`; or the torn end of a longer character. */
const TORN_ESCAPE =
  /(?:(?:%(?:25)*[c-f]\w)?(?:%(?:25)*[89ab]\w){0,2}%\w{0,7}|&[\w;#]{0,16}|(?<!\\)\\+\w{0,5}|\uFFFD{1,3})$/iu;

/** Where the end of the text begins that is the beginning of a secret. */
function begunSecret({ text, starts }: View, forms: readonly string[]): number | undefined {
  const longest = Math.max(0, ...forms.map(({ length }) => length));
  for (let at = Math.max(0, text.length - longest); at <= text.length - LEAST_LENGTH; at++) {
    const end = text.slice(at);
    if (forms.some((form) => form.startsWith(end))) return starts?.[at] ?? at;
  }
  return undefined;
}

/** Without case. A form has `+` for a space, and base64url has `-` and `_`. */
function folded(view: View): View {
  const fold = (text: string) => text.toLowerCase().toUpperCase().replace(/[ -]/g, '+').replaceAll('_', '/');
  const text = fold(view.text);
  // A few letters grow: in capitals, ß is SS.
  return text.length === view.text.length ? { ...view, text } : replaced(view, /./gsu, ([letter]) => fold(letter));
}

const ESCAPED = /[%\\&]/;

/** A character in UTF-8, each byte as `%C3`. */
const PERCENT =
  /%[0-7][0-9A-F]|%[CD][0-9A-F]%[89AB][0-9A-F]|%E[0-9A-F](?:%[89AB][0-9A-F]){2}|%F[0-7](?:%[89AB][0-9A-F]){3}/g;
/** A run, since escaped backslashes and those of an escape cannot be told apart. So none of them counts. */
const BACKSLASH = /\\+(?:U([0-9A-F]{4})|(["/BFNRT]))?/g;
const ENTITY = /&(?:#(\d{1,7})|#X([0-9A-F]{1,6})|(AMP|LT|GT|QUOT|APOS));/g;

const CONTROLS: Readonly<Record<string, string>> = { B: '\b', F: '\f', N: '\n', R: '\r', T: '\t' };
const NAMED: Readonly<Record<string, string>> = { AMP: '&', LT: '<', GT: '>', QUOT: '"', APOS: "'" };

/** Nobody escapes a text more often. Without a bound, a hostile answer takes a round for each of its characters. */
const MOST_ROUNDS = 8;

/** A folded view without its escapes, and theirs. */
function decoded(given: View): View {
  let view = given;
  for (let round = 0, before = ''; round < MOST_ROUNDS && before !== view.text; round++) {
    before = view.text;
    view = replaced(view, PERCENT, ([bytes]) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString());
    view = replaced(view, BACKSLASH, ([, unit, sign = '']) =>
      unit === undefined ? (CONTROLS[sign] ?? sign) : String.fromCharCode(Number.parseInt(unit, 16)),
    );
    view = replaced(view, ENTITY, ([entity, decimal, hex = '', name = '']) => {
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return NAMED[name] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : entity);
    });
    view = folded(view);
  }
  return view;
}

function replaced({ text, starts }: View, pattern: RegExp, read: (match: RegExpExecArray) => string): View {
  const next = { text: '', starts: [] as number[] };
  const add = (piece: string, from: number, step: 0 | 1) => {
    next.text += piece;
    for (let at = 0; at < piece.length; at++) next.starts.push(starts?.[from + at * step] ?? from + at * step);
  };
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    add(text.slice(end, match.index), end, 1);
    add(read(match), match.index, 0);
    end = match.index + match[0].length;
  }
  if (end === 0) return starts === undefined ? { text } : { text, starts };
  add(text.slice(end), end, 1);
  return { ...next, starts: [...next.starts, starts?.at(-1) ?? text.length] };
}
