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

/** Bytes in decimal units: 43.9 MB is 43.9 million bytes. */
export function size(bytes: number): string {
  if (bytes < 1000) return count(bytes, 'byte');
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** `412 requests: 30 listings, 382 objects read` */
export function requestCost(cost: {
  readonly listings: number;
  readonly reads: number;
  readonly looks: number;
}): string {
  const { listings, reads, looks } = cost;
  const parts = [count(listings, 'listing')];
  if (reads > 0) parts.push(`${count(reads, 'object')} read`);
  if (looks > 0) parts.push(`${count(looks, 'look')} at an object`);
  return `${count(listings + reads + looks, 'request')}: ${parts.join(', ')}`;
}

/** Control characters except the end of a line, separators that end a line, and marks that turn the text direction. */
const UNPRINTABLE = /[^\P{Cc}\n]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Shows characters that move a cursor, change colours or turn a line around as `\u{1b}`. Every output passes through
 * here, after secrets are taken out and before colours are added.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** A name from outside, for use within a line: it can neither end the line nor hide a character. */
export function printableName(name: string): string {
  return name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** `printable` for JSON: a reader gets the same strings. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** Breaks lines between words. Text in backquotes stays on one line, so that it can be copied. */
export function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const [indent = ''] = /^ */.exec(paragraph) ?? [];
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.match(/`[^`]*`\S*|\S+/g) ?? []) {
      if (line !== '' && indent.length + line.length + 1 + word.length > columns) {
        lines.push(indent + line);
        line = '';
      }
      line += line === '' ? word : ` ${word}`;
    }
    return [...lines, indent + line];
  });
}
