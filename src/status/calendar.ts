import { stripVTControlCharacters } from 'node:util';
import type { StatusReport } from './report.ts';
import { type HourState, STATES } from './state.ts';
import type { HourStatus } from './status.ts';

const SHADES = ['░', '▒', '▓', '█'] as const;

/** A sign for each state, since not everybody sees the colours. Where the hour is shaded, the sign stands behind the shade. */
const LOOKS: Readonly<Record<HourState, { sign: string; colour: string; shaded?: boolean }>> = {
  complete: { sign: ' ', colour: '32', shaded: true },
  empty: { sign: '0', colour: '90' },
  missing: { sign: 'X', colour: '1;31' },
  pending: { sign: '·', colour: '90' },
  unsettled: { sign: '~', colour: '33', shaded: true },
  unproved: { sign: '?', colour: '33', shaded: true },
  shrunk: { sign: 'v', colour: '35', shaded: true },
  unreadable: { sign: '!', colour: '1;31' },
};

const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'));

/**
 * Days down, hours across (UTC). An hour that has landed is shaded by its events against the fullest hour,
 * by its bytes where events are not known.
 */
export function calendar({ hours, totals }: StatusReport, color: boolean): string {
  const metric = totals.events === null ? 'bytes' : 'events';
  const weigh = (hour: HourStatus) => hour[metric] ?? 0;
  const most = Math.max(1, ...hours.map(weigh));
  const paint = (state: HourState, text: string) => (color ? `\u001b[${LOOKS[state].colour}m${text}\u001b[0m` : text);
  const cell = (hour: HourStatus) => {
    const { sign, shaded } = LOOKS[hour.state];
    if (!shaded) return `${paint(hour.state, sign)} `;
    const step = Math.max(0, Math.ceil((weigh(hour) / most) * SHADES.length) - 1);
    return paint(hour.state, `${hour.objects === 0 ? LOOKS.empty.sign : SHADES[step]}${sign}`);
  };
  const head = HOURS.map((hour, i) => (i % 3 === 0 ? hour : '  ')).join('');
  const rows = [...Map.groupBy(hours, ({ hour }) => hour.slice(0, 10))].map(([day, hours]) => {
    const cells = new Map(hours.map((hour) => [hour.hour.slice(11), cell(hour)]));
    const total = hours.reduce((sum, hour) => sum + weigh(hour), 0);
    return `${day}  ${HOURS.map((hour) => cells.get(hour) ?? '  ').join('')}  ${total === 0 ? '' : short(total)}`.trimEnd();
  });
  const parts = [`${paint('complete', SHADES.join(''))} complete, by ${metric}`];
  for (const state of STATES) {
    if (state !== 'complete' && totals[state] > 0) parts.push(`${paint(state, LOOKS[state].sign)} ${state}`);
  }
  return [`${' '.repeat(12)}${head}  ${metric}`, ...rows, ...legend(parts)].join('\n');
}

/** As many parts on a line as fit. */
function legend(parts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = `${lines.at(-1) ?? ''}  ${part}`;
    if (lines.length > 0 && stripVTControlCharacters(longer).length <= 80) lines[lines.length - 1] = longer;
    else lines.push(`  ${part}`);
  }
  return lines;
}

/** `912`, `48.2k`, `3.1M`: at most six characters. */
function short(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  const power = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3));
  return power === 0 ? String(value) : `${(value / 1000 ** power).toFixed(1)}${units[power]}`;
}
