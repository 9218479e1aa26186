/**
 * Takes secrets out of a text. `cutShort`: the text ends where it was cut, so its end may be the beginning of a secret,
 * and that goes too. Redact before a text is cut: half a secret is not recognised afterwards.
 */
export type Redact = (text: string, cutShort?: boolean) => string;

/** Shorter values are nobody's real key, and every word holds them. */
const LEAST_LENGTH = 4;

const SHOWN = '[secret]';

/** No form of one character is longer: four bytes, each as `%2525F0`. */
const LONGEST_FORM = 28;

/** So much of a secret tells it from everything else; an expression of thousands of characters is too large to be run. */
const HEAD = 64;

/** A secret by its characters, each of them as a pattern for all the ways in which a server may escape it. */
type Form = readonly string[];

/**
 * Finds the secrets in any letter case: as they are, URL-encoded, JSON-escaped (twice too), HTML-escaped, and as Base64
 * or base64url of the whole secret, with its padding or without.
 */
export function redaction(secrets: readonly string[]): Redact {
  const forms = [...new Set(secrets)]
    .filter((secret) => secret.length >= LEAST_LENGTH)
    .flatMap((secret) => [formOf(secret, literalsOf), formOf(Buffer.from(secret).toString('base64'), base64Of)])
    // The pair holds both keys: whatever is longest is looked for first.
    .sort((a, b) => b.length - a.length);
  if (forms.length === 0) return (text) => text;
  const heads = new RegExp(forms.map((form) => `(${form.slice(0, HEAD).join('')})`).join('|'), 'giu');
  return (given, cutShort = false) => {
    // Before anything else: the beginning of the pair holds the whole key, and without that its rest is not recognised.
    const text = cutShort ? withoutBeginning(given, forms) : given;
    const left: string[] = [];
    let from = 0;
    for (const match of text.matchAll(heads)) {
      if (match.index < from) continue;
      const form = forms[match.slice(1).findIndex((group) => group !== undefined)] ?? [];
      left.push(text.slice(from, match.index), SHOWN);
      from = follow(text, match.index + match[0].length, form.slice(HEAD));
      // `=` is often dropped or doubled, so no form holds it at its end.
      from = follow(text, from, [PADDING, PADDING]);
    }
    left.push(text.slice(from));
    return left.join('');
  };
}

const matchers = new Map<string, RegExp>();

/** Where the text ends to be what `form` says. */
function follow(text: string, from: number, form: Form): number {
  let at = from;
  for (const character of form) {
    const length = lengthAt(text, at, character);
    if (length === 0) break;
    at += length;
  }
  return at;
}

/** How long the character is at `at`; 0 where it does not stand there. */
function lengthAt(text: string, at: number, character: string): number {
  const matcher = matchers.get(character) ?? new RegExp(character, 'iuy');
  matchers.set(character, matcher);
  matcher.lastIndex = at;
  return matcher.exec(text)?.[0].length ?? 0;
}

function formOf(secret: string, literals: (character: string) => readonly string[]): Form {
  const bare = secret.replace(/=+$/, '');
  const kept = bare.length < LEAST_LENGTH ? secret : bare;
  // A run of backslashes is one character here: escaped, they cannot be told from each other.
  return (kept.match(/\\+|[^\\]/gsu) ?? []).map((character, at, all) =>
    character.startsWith('\\')
      ? backslashes(character.length)
      : anyForm(literals(character), all[at - 1]?.startsWith('\\') === true),
  );
}

function literalsOf(character: string): string[] {
  const literals = [character, character.toUpperCase(), character.toLowerCase()];
  return [...new Set(character === ' ' ? [' ', '+'] : literals)];
}

/** base64url has other signs for two of the characters, and a `+` in a query is read as a space. */
function base64Of(character: string): string[] {
  if (character === '+') return ['+', '-', ' '];
  return character === '/' ? ['/', '_'] : [character];
}

const JSON_SHORT: Readonly<Record<string, string>> = {
  '"': '"',
  '/': '/',
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
};
const HTML_NAMES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };

/** Every repetition has a bound: an answer made to be hard to search costs no more than any other. */
function anyForm(literals: readonly string[], afterBackslash: boolean): string {
  const slashes = afterBackslash ? '' : '\\\\{1,7}';
  const forms = literals.flatMap((literal) => {
    const plain = exactly(literal);
    if (/^[a-z0-9]+$/i.test(literal)) return [plain];
    const short = JSON_SHORT[literal];
    const code = literal.codePointAt(0) ?? 0;
    const name = HTML_NAMES[literal];
    // The longer ones first: `&amp;` begins with what `&` is.
    return [
      `&(?:amp;){0,2}(?:#0{0,5}${code}|#x0{0,5}${code.toString(16)}${name === undefined ? '' : `|${name}`});`,
      percent(literal),
      `${slashes}${units(literal)}`,
      ...(short === undefined ? [] : [`${slashes}${exactly(short)}`]),
      plain,
    ];
  });
  return forms.length === 1 ? (forms[0] as string) : `(?:${forms.join('|')})`;
}

const PADDING = anyForm(['='], false);

function backslashes(count: number): string {
  const one = `${percent('\\')}|&(?:amp;){0,2}#(?:0{0,5}92|x0{0,5}5c);|\\\\{1,7}u005c`;
  return `(?:\\\\{${count},${8 * count + 7}}|(?:${one}){${count}})`;
}

function exactly(text: string): string {
  return Array.from(text, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`).join('');
}

function percent(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%(?:25){0,2}${byte.toString(16).padStart(2, '0')}`).join('');
}

/** `u00e9`, and for what lies beyond 16 bits `ud83e\udd84`. */
function units(text: string): string {
  return Array.from({ length: text.length }, (_, at) => `u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
    '\\\\{1,7}',
  );
}

/** An escape that is cut: `%`, `&am`, `\u00`; or the torn end of a longer character. */
const TORN_ESCAPE = /^(?:%\w{0,5}|&[\w;#]{0,16}|\\{1,7}\w{0,5}|\uFFFD{1,3})$/u;

/** Takes off the end of `text` what may be the beginning of a secret, the longest that there is. */
function withoutBeginning(text: string, forms: readonly Form[]): string {
  const longest = LONGEST_FORM * Math.max(...forms.map(({ length }) => length));
  for (let start = Math.max(0, text.length - longest); start <= text.length - LEAST_LENGTH; start++) {
    if (forms.some((form) => begins(text, start, form))) return `${text.slice(0, start)}${SHOWN}`;
  }
  return text;
}

/** Whether the text from `start` to its end is the beginning of a form. */
function begins(text: string, start: number, form: Form): boolean {
  let at = start;
  for (const [nth, character] of form.entries()) {
    const torn = text.length - at <= LONGEST_FORM && TORN_ESCAPE.test(text.slice(at));
    if (at === text.length || torn) return nth >= LEAST_LENGTH;
    const length = lengthAt(text, at, character);
    if (length === 0) return false;
    at += length;
  }
  return at === text.length;
}
