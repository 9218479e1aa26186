import { type Hour, joinHours, readHour, startOf, type Window } from '../../hours.ts';
import type { StatusReport } from '../report.ts';
import type { HourStatus } from '../status.ts';
import { html, type Markup } from './markup.ts';

/** A line of more hours than a month has would be a comb: it shows days. */
const MOST_HOURS = 31 * 24;
const MOST_LABELS = 16;
const HEIGHT = 200;

/** An hour or a day. */
interface Point {
  readonly start: Hour;
  /** Undefined where an hour is not known: there the line breaks. */
  readonly value: number | undefined;
  readonly missing: boolean;
}

/** Events (or bytes) per hour or day. */
export function lineChart({ hours, totals }: StatusReport): Markup {
  const metric = totals.events === null ? 'bytes' : 'events';
  const byDay = hours.length > MOST_HOURS;
  const unit = byDay ? 'day' : 'hour';
  const groups = Map.groupBy(hours, ({ hour }) => (byDay ? hour.slice(0, 10) : hour));
  const points = [...groups.values()].map((group) => pointOf(group, metric, byDay ? 24 : 1));
  const title = `${metric === 'bytes' ? 'Bytes' : 'Events'} per ${unit}`;
  if (points.every(({ value }) => value === undefined)) {
    return html`<section><h2>${title}</h2><p>No ${unit} has landed that can be drawn.</p></section>`;
  }
  const notes = [
    metric === 'bytes' ? 'Manifests were not read, so events are not known. ' : '',
    byDay ? 'A day is drawn when all its hours have landed. ' : '',
    totals.missing > 0 ? 'The line breaks where hours are missing, on a red ground.' : '',
  ];
  return html`<section><h2>${title}</h2>
<p class="note">${notes}</p>
${drawing(points, `${title} as a line. The table of days has the sums.`)}</section>`;
}

function pointOf(hours: readonly HourStatus[], metric: 'events' | 'bytes', whole: number): Point {
  const known = hours.filter(({ state, sealedAt }) => sealedAt !== null && state !== 'unreadable');
  return {
    start: readHour(hours[0]?.hour ?? ''),
    value: known.length < whole ? undefined : known.reduce((sum, hour) => sum + (hour[metric] ?? 0), 0),
    missing: hours.some(({ state }) => state === 'missing'),
  };
}

/** The inner SVG has a unit of width for each point and is stretched; labels keep their size, at percentages. */
function drawing(points: readonly Point[], title: string): Markup {
  const most = Math.max(1, ...points.map(({ value }) => value ?? 0));
  const step = niceStep(most / 5);
  const steps = Math.ceil(most / step);
  const y = (value: number) => Math.round(HEIGHT * (1 - value / (steps * step)) * 10) / 10;
  const levels = Array.from({ length: steps + 1 }, (_, i) => i * step);
  const bands = runs(points, ({ missing }) => missing);
  const lines = runs(points, ({ value }) => value !== undefined).map(({ start, end }) => {
    const path = points.slice(start, end).map(({ value }, i) => `${start + i},${y(value ?? 0)}`);
    return {
      alone: end - start === 1,
      area: `M${start},${HEIGHT}L${path.join(' ')}V${HEIGHT}Z`,
      stroke: `M${path.join(' ')}h0`,
    };
  });
  return html`<svg class="line" role="img" aria-label="${title}" height="${HEIGHT + 24}">
${levels.map((value) => html`<line x2="100%" y1="${y(value)}" y2="${y(value)}"/><text x="-8" y="${y(value) + 4}">${value.toLocaleString('en-US', { notation: 'compact' })}</text>`)}
<svg viewBox="-0.5 0 ${points.length} ${HEIGHT}" preserveAspectRatio="none" width="100%" height="${HEIGHT}">
${bands.map(({ start, end }) => html`<rect x="${start - 0.5}" width="${end - start}" height="${HEIGHT}"/>`)}
${lines.map(({ area, stroke, alone }) => html`<path class="area" d="${area}"/><path class="${alone ? 'dot' : 'stroke'}" d="${stroke}"/>`)}
</svg>
<g class="dates">${dates(points).map(({ i, text }) => html`<text x="${(100 * (i + 0.5)) / points.length}%" y="${HEIGHT + 18}">${text}</text>`)}</g>
</svg>`;
}

/** Neighbouring points that pass, as windows of their indices. */
function runs(points: readonly Point[], passes: (point: Point) => boolean): Window[] {
  const found = points.flatMap((point, i) => (passes(point) ? [i] : []));
  return joinHours(found, Number.POSITIVE_INFINITY);
}

/** The next one of 1, 2, 5, 10, 20, 50 and so on. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5].map((digit) => digit * power).find((step) => step >= least) ?? 10 * power;
}

/** Which points get a label below. Weeks begin on a Monday: 1970 began on a Thursday, so they are 96 hours off. */
function dates(points: readonly Point[]): { i: number; text: string }[] {
  const hours = (points.at(-1)?.start ?? 0) - (points[0]?.start ?? 0);
  let step = [1, 3, 6, 12, 24, 48].find((step) => hours / step < MOST_LABELS) ?? 168;
  while (hours / step >= MOST_LABELS) step *= 2;
  return [...points.entries()]
    .filter(([, { start }]) => (start - 96) % step === 0)
    .map(([i, { start }]) => ({ i, text: label(startOf(start)) }));
}

function label(start: Date): string {
  if (start.getUTCHours() > 0) return start.toISOString().slice(11, 16);
  return start.toLocaleDateString('en-US', { month: 'short', day: 'numeric', timeZone: 'UTC' });
}
