import { localPath, PathError } from '../config/path.ts';
import { UsageError } from '../errors.ts';
import type { Flag } from './command.ts';

/** Reads the text of a flag, which messages call `name`. Throws a UsageError where it is no such value. */
export function readValue(flag: Flag, name: string, text: string): string | number {
  switch (flag.type) {
    case 'whole':
      return readWhole(name, text, flag.range, flag.example);
    case 'age': {
      const hours = readAge(text);
      if (hours === undefined) throw new UsageError(`${name}=${text} is no age.`, flag.hint);
      return hours;
    }
    case 'choice':
      if (!flag.choices.includes(text)) throw new UsageError(`${name}=${text} is not known.`, flag.hint);
      return text;
    case 'path':
    case 'argument':
      return readPath(name, text);
    default:
      return text;
  }
}

function readWhole(name: string, text: string, [least, most]: readonly [number, number], example: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(
    `${name} is "${text}": it must be a whole number from ${least} to ${most}, for example ${name} ${example}.`,
  );
}

const HOURS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24 };

/** In hours: `36`, `36h`, `2d`, `1w`, or these as ISO 8601 writes them (`PT36H`, `P2D`, `P1W`). */
function readAge(text: string): number | undefined {
  const [, number, unit = 'h'] =
    /^(\d{1,5})([hdw])?$/i.exec(text) ?? /^pt(\d{1,5})(h)$/i.exec(text) ?? /^p(\d{1,5})([dw])$/i.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (HOURS[unit.toLowerCase()] ?? 1);
}

function readPath(name: string, text: string): string {
  try {
    return localPath(text);
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    throw new UsageError(`${name} is "${text}": it ${error.message}.`);
  }
}
