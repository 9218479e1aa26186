import { localPath, PathError } from '../config/path.ts';
import { UsageError } from '../errors.ts';
import type { Flag } from './command.ts';

type ValuedFlag = Exclude<Flag, { readonly type: 'boolean' }>;

/** Reads the text of a flag, which messages call `name`. Throws a UsageError where it is no such value. */
export function readValue(flag: ValuedFlag, name: string, text: string): string | number {
  if (flag.type === 'text') return text;
  if (flag.type === 'whole') return readWhole(name, text, flag.range, flag.example ?? flag.default);
  if (flag.type === 'age') return readAge(name, text, flag.hint);
  if (flag.type === 'path') return readPath(name, text);
  if (flag.choices.includes(text)) return text;
  throw new UsageError(`${name}=${text} is not known.`, flag.hint);
}

function readWhole(name: string, text: string, [least, most]: readonly [number, number], example?: unknown): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(
    `${name} is "${text}": it must be a whole number from ${least} to ${most}, for example ${name} ${example}.`,
  );
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

export function readPath(name: string, text: string): string {
  try {
    return localPath(text);
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    throw new UsageError(`${name} is "${text}": it ${error.message}.`);
  }
}
