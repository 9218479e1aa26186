import { UsageError } from '../errors.ts';

const HOURS = { h: 1, d: 24, w: 7 * 24 } as const;

/** The age in `--fail-on-gaps=AGE`, in hours: `36`, `36h`, `2d`, `1w`, or ISO 8601 of these (`PT36H`, `P2D`, `P1W`). */
export function readAge(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  const [, number = '', unit = ''] = /^(?:pt?)?(\d{1,5})([hdw])$/i.exec(text) ?? [];
  const iso = /^p/i.test(text) ? /^(?:pt\d+h|p\d+[dw])$/i.test(text) : true;
  if (number === '' || !iso) {
    throw new UsageError(
      `--fail-on-gaps=${text} is no age.`,
      'Write --fail-on-gaps for any gap, --fail-on-gaps=36h or --fail-on-gaps=2d for those that are older.',
    );
  }
  return Number(number) * HOURS[unit.toLowerCase() as keyof typeof HOURS];
}
