import { stripVTControlCharacters } from 'node:util';
import type { ReportedHour, StatusReport } from './report.ts';
import type { HourState } from './state.ts';

const SHADES = ['░', '▒', '▓', '█'] as const;

/** A sign of its own for each state, so that the calendar is read without colour too. */
const SIGNS = { empty: '0', missing: 'X', pending: '·', unreadable: '!' } as const;
/** Behind the shade of an hour that has landed. */
const MARKS = { unsettled: '~', shrunk: 'v' } as const;

const COLOURS: Readonly<Record<HourState, string>> = {
  complete: '\u001b[32m',
  empty: '\u001b[90m',
  missing: '\u001b[1;31m',
  pending: '\u001b[90m',
  unsettled: '\u001b[33m',
  shrunk: '\u001b[35m',
  unreadable: '\u001b[1;31m',
};
const PLAIN = '\u001b[0m';

/** A label of 10, then two columns an hour, then the day's total: 74 of the 80 columns of a small terminal. */
const HEAD = Array.from({ length: 24 }, (_, hour) => (hour % 3 === 0 ? String(hour).padStart(2, '0') : '  ')).join('');

/**
 * Days down, hours across (UTC). An hour that has landed is shaded by its events against the fullest hour, by its bytes
 * where events are not known; every other state has a sign.
 */
export function calendar(report: StatusReport, color: boolean): string {
  const weigh = ({ events, bytes }: ReportedHour) => (report.totals.events === null ? bytes : (events ?? 0));
  const most = Math.max(1, ...report.hours.map(weigh));
  const paint = (state: HourState, text: string) => (color ? COLOURS[state] + text + PLAIN : text);
  const cell = (hour: ReportedHour) => {
    const { state } = hour;
    if (state !== 'complete' && state in SIGNS) return `${paint(state, SIGNS[state as keyof typeof SIGNS])} `;
    const step = Math.ceil((weigh(hour) / most) * SHADES.length) - 1;
    const shade = hour.objects === 0 ? SIGNS.empty : SHADES[Math.max(0, step)];
    return paint(state, `${shade}${MARKS[state as keyof typeof MARKS] ?? ' '}`);
  };
  const days = Map.groupBy(report.hours, ({ hour }) => hour.slice(0, 10));
  const lines = [`${' '.repeat(12)}${HEAD}  ${report.totals.events === null ? 'bytes' : 'events'}`];
  for (const [day, hours] of days) {
    const cells = new Map(hours.map((hour) => [Number(hour.hour.slice(11)), cell(hour)]));
    const row = Array.from({ length: 24 }, (_, hour) => cells.get(hour) ?? '  ').join('');
    const total = hours.reduce((sum, hour) => sum + weigh(hour), 0);
    lines.push(`${day}  ${row}  ${total === 0 ? '' : short(total)}`.trimEnd());
  }
  return [...lines, legend(report, paint)].join('\n');
}

function legend({ totals }: StatusReport, paint: (state: HourState, text: string) => string): string {
  const shades = `${paint('complete', SHADES.join(''))} complete, by ${totals.events === null ? 'bytes' : 'events'}`;
  const signs = (Object.entries({ ...SIGNS, ...MARKS }) as [HourState, string][])
    .filter(([state]) => totals[state] > 0)
    .map(([state, sign]) => `${paint(state, sign)} ${state}`);
  const lines = [''];
  for (const part of [shades, ...signs]) {
    const last = lines.at(-1) ?? '';
    const columns = (text: string) => stripVTControlCharacters(text).length;
    if (columns(last) + columns(part) + 2 > 78) lines.push(part);
    else lines[lines.length - 1] = last === '' ? part : `${last}  ${part}`;
  }
  return lines.map((line) => ' '.repeat(2) + line).join('\n');
}

/** `912`, `48.2k`, `3.1M`: at most five characters. */
function short(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  const power = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3));
  return power === 0 ? String(value) : `${(value / 1000 ** power).toFixed(1)}${units[power]}`;
}
