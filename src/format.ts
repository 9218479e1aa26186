/** `12,345` */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 hour`, `24 hours` */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${agreeing(value, one, many)}`;
}

/** The word that agrees with a number: `is` or `are`, `it` or `them`. */
export function agreeing(value: number, one: string, many: string): string {
  return value === 1 ? one : many;
}

/** Bytes in the units of a hand-held calculator: 43.9 MB is 43.9 million bytes. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return power === 0 ? count(bytes, 'byte') : `${(bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

/** `412 requests: 30 listings, 382 manifests read` */
export function requestCost({
  listings,
  reads,
  looks,
}: Readonly<Record<'listings' | 'reads' | 'looks', number>>): string {
  const parts = [count(listings, 'listing')];
  if (reads > 0) parts.push(`${count(reads, 'object')} read`);
  if (looks > 0) parts.push(`${count(looks, 'look')} at an object`);
  return `${count(listings + reads + looks, 'request')}: ${parts.join(', ')}`;
}

/** C0 and C1 but for the end of a line, DEL, the separators that end a line, and what turns the direction of a text. */
const UNPRINTABLE = /[^\P{Cc}\n]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * What comes from outside may hold what moves a cursor, changes colours or turns a line around; shown, it is `\u{1b}`. Every
 * output passes through here, after secrets are taken out and before colours are painted.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** A name from outside within a line: it can neither end that line nor hide a character. */
export function printableName(name: string): string {
  return name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** The same in a text that is JSON: read back, its strings are what they were. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** Whole words, as many on a line as fit; what stands in backquotes is never broken, so that it can be copied. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    const [indent = ''] = /^ */.exec(paragraph) ?? [];
    let line = indent;
    for (const word of paragraph.match(/`[^`]*`\S*|\S+/g) ?? []) {
      if (line.trim() !== '' && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = indent;
      }
      line += line.trim() === '' ? word : ` ${word}`;
    }
    lines.push(line);
  }
  return lines;
}
