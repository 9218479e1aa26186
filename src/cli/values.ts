import { localPath } from '../config/path.ts';
import { readFlag, wholeNumber } from '../config/readers.ts';
import { UsageError } from '../errors.ts';
import type { Flag } from './command.ts';

type ValuedFlag = Exclude<Flag, { readonly type: 'boolean' }>;

/** Reads the text of a flag, which messages call `name`. Throws a UsageError where it is no such value. */
export function readValue(flag: ValuedFlag, name: string, text: string): string | number {
  if (flag.type === 'text') return text;
  if (flag.type === 'whole') {
    return readFlag(name, text, wholeNumber(...flag.range), String(flag.example ?? flag.default));
  }
  if (flag.type === 'age') return readAge(name, text, flag.hint);
  if (flag.type === 'ratio') return readRatio(name, text, flag.hint);
  if (flag.type === 'path') return readPath(name, text);
  if (flag.choices.includes(text)) return text;
  throw new UsageError(`${name}=${text} is not known.`, flag.hint);
}

const AGES = [/^(\d{1,5})([hdw]?)$/i, /^pt(\d{1,5})(h)$/i, /^p(\d{1,5})([dw])$/i];

/** In hours: `36`, `36h`, `2d`, `1w`, or these as ISO 8601 writes them: `PT36H`, `P2D`, `P1W`. */
function readAge(name: string, text: string, hint: string | undefined): number {
  for (const form of AGES) {
    const [, number, unit = ''] = form.exec(text) ?? [];
    const hours = { d: 24, w: 7 * 24 }[unit.toLowerCase()] ?? 1;
    if (number !== undefined) return Number(number) * hours;
  }
  throw new UsageError(`${name}=${text} is no age.`, hint);
}

/** `1/3` or `0.3`. Not `30%`: of a drop, that may mean what is left or what is gone. */
function readRatio(name: string, text: string, hint: string | undefined): number {
  const [, above, below = '1'] = /^(\d{1,6}|\d{0,6}\.\d{1,6})(?:\/(\d{1,6}))?$/.exec(text) ?? [];
  const ratio = Number(above) / Number(below);
  if (ratio > 0 && ratio < 1) return ratio;
  throw new UsageError(`${name}=${text} is no ratio above 0 and below 1.`, hint);
}

export function readPath(name: string, text: string): string {
  return readFlag(name, text, localPath);
}
