import { count, size } from '../../format.ts';
import type { StatusReport } from '../report.ts';
import { type HourState, MEANING, STATES } from '../state.ts';
import type { HourStatus } from '../status.ts';
import { html, type Markup } from './markup.ts';

/** A table for each month, the newest first: days down, hours across. Each cell holds its words. */
export function heatMaps(report: StatusReport): Markup {
  const metric = report.totals.events === null ? 'bytes' : 'events';
  const most = usualMost(report.hours.map((hour) => hour[metric] ?? 0));
  const shades = `Shades go from few to many ${metric}; the last one starts at ${metric === 'bytes' ? size(most) : count(most, 'event')}. `;
  const shadeOf = (hour: HourStatus) => shade(hour[metric] ?? 0, most);
  const months = [...Map.groupBy(report.hours, ({ hour }) => hour.slice(0, 7))];
  return html`<section><h2>Hours</h2>
<p class="note">Days down, the newest on top; hours across. ${most > 0 ? shades : ''}Point at an hour, tap it or go to it with the Tab key to read more. <a class="skip" href="#gaps">Skip the hours</a></p>
${legend(report)}${months.toReversed().map(([month, hours]) => monthTable(month, hours, shadeOf))}</section>`;
}

/** What 19 of 20 hours with events do not exceed: one huge hour must not make all others look alike. */
function usualMost(values: readonly number[]): number {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0;
}

/** 1 to 5. */
function shade(value: number, most: number): number {
  return most === 0 ? 1 : Math.max(1, Math.min(5, Math.ceil((value / most) * 5)));
}

/** Classes of the cells that show a state in the legend, where it is not the state itself. */
const SWATCHES: Partial<Record<HourState, string[]>> = {
  complete: ['s1', 's2', 's3', 's4', 's5'],
  unsettled: ['s3 unsettled'],
};

function legend({ totals }: StatusReport): Markup {
  const items = STATES.filter((state) => totals[state] > 0 || state === 'complete').map((state) => {
    const swatches = (SWATCHES[state] ?? [state]).map((classes) => html`<i class="${classes}"></i>`);
    return html`<li><span>${swatches}</span><span><b>${state}</b> ${count(totals[state], 'hour')}<small>${MEANING[state]}</small></span></li>`;
  });
  return html`<ul class="legend">${items}</ul>`;
}

const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'));

function monthTable(month: string, hours: readonly HourStatus[], shadeOf: (hour: HourStatus) => number): Markup {
  const counts = STATES.map((state) => [state, hours.filter((hour) => hour.state === state).length] as const);
  const words = counts.filter(([, hours]) => hours > 0).map(([state, hours]) => `${hours} ${state}`);
  const days = [...Map.groupBy(hours, ({ hour }) => hour.slice(0, 10))].toReversed();
  return html`<table class="hours"><caption>${dateWords(month, { month: 'long', year: 'numeric' })}<span class="heard">: ${words.join(', ')}</span></caption>
<thead><tr><td></td>${HOURS.map((hour) => html`<th scope="col">${hour}</th>`)}</tr></thead>
<tbody>${days.map(([day, hours]) => dayRow(day, hours, shadeOf))}</tbody></table>`;
}

function dayRow(day: string, hours: readonly HourStatus[], shadeOf: (hour: HourStatus) => number): Markup {
  const cells = HOURS.map((name) => {
    const hour = hours.find((hour) => hour.hour.endsWith(name));
    if (hour === undefined) return html`<td></td>`;
    const { state } = hour;
    const shaded = state === 'complete' || state === 'unsettled';
    const names = [...(shaded ? [`s${shadeOf(hour)}`] : []), ...(state === 'complete' ? [] : [state])];
    return html`<td class="${names.join(' ')}" tabindex="0"><span>${hourWords(hour)}</span></td>`;
  });
  return html`<tr><th scope="row">${dateWords(day, { weekday: 'short' })} ${day.slice(8)}</th>${cells}</tr>\n`;
}

/** What is known of an hour. */
function hourWords({ hour, state, events, objects, bytes, sealedAt, quarantined, shrunk }: HourStatus): string {
  const lines = [`${hour}: ${state}`];
  if (sealedAt !== null) {
    const landed = events === null ? 'events unknown' : count(events, 'event');
    lines.push(`${landed}, ${count(objects, 'object')}, ${size(bytes)}`);
    if (quarantined !== undefined) lines.push(`${count(quarantined, 'line')} in quarantine`);
    if (shrunk !== undefined) lines.push(`asked again: ${count(shrunk.events, 'event')}`);
    // Short: a year has 8,760 hours, and nearly all have settled.
    if (state !== 'complete' && state !== 'empty') lines.push(`sealed ${sealedAt.slice(0, 16).replace('T', ' ')} UTC`);
  }
  return lines.join('\n');
}

/** `date` is an ISO date or month. */
function dateWords(date: string, parts: Intl.DateTimeFormatOptions): string {
  return new Date(date).toLocaleDateString('en-US', { ...parts, timeZone: 'UTC' });
}
