import { count, number, size } from '../../format.ts';
import { formatHour, type Hour, joinHours, readHour } from '../../hours.ts';
import { fillAll, fillCommand } from '../../landing/gaps.ts';
import { type StatusReport, unprovedSentence } from '../report.ts';
import type { HourStatus } from '../status.ts';
import { command, html, type Markup, outside } from './markup.ts';

/** At most so many are listed: every second hour of a year may be missing, and a page must still open. */
const MOST_GAPS = 300;
const MOST_PROBLEMS = 100;

export function gapList({ gaps, totals }: StatusReport): Markup {
  if (gaps.length === 0) return html`<section id="gaps"><h2>Gaps</h2><p>None.</p></section>`;
  const all = html`<p>All of them at once; hours that have landed and settled are not asked for again:</p>${command(fillAll(gaps))}<p>Or one by one, the newest first:</p>`;
  const items = gaps
    .toReversed()
    .slice(0, MOST_GAPS)
    .map(
      ({ start, end, hours, command: fill }) =>
        html`<li><p><b>${start} to ${end}</b> <small>${count(hours, 'hour')}</small></p>${command(fill)}</li>`,
    );
  const left = gaps.length - items.length;
  return html`<section id="gaps"><h2>Gaps</h2>
<p><b>${count(totals.missing, 'hour')} in ${count(gaps.length, 'gap')}.</b> A click on a command selects all of it.</p>
${gaps.length > 1 ? all : ''}<ol>${items}</ol>
${left > 0 ? html`<p>And ${number(left)} older ones, which the first command fills as well.</p>` : ''}</section>`;
}

export function unprovedList({ unproved }: StatusReport): Markup {
  if (unproved.length === 0) return html``;
  return html`<section id="unproved"><h2>Unproved hours</h2><p>${unprovedSentence(unproved)}:</p>${command(fillAll(unproved))}</section>`;
}

export function problemList({ problems }: StatusReport): Markup {
  if (problems.length === 0) return html``;
  const items = problems.toReversed().slice(0, MOST_PROBLEMS).map(problemItem);
  const left = problems.length - items.length;
  return html`<section id="problems"><h2>Problems</h2>
<p>These manifests cannot be taken for the record of their hour.</p>
<ol>${items}</ol>${left > 0 ? html`<p>And ${number(left)} more such manifests.</p>` : ''}</section>`;
}

function problemItem({ hour, code, message, hint }: StatusReport['problems'][number]): Markup {
  // Only this one may be written again: the others are manifests of a newer program or another project.
  const again =
    code === 'MANIFEST_UNREADABLE'
      ? html`<p>Look at it. This command lands the hour again:</p>${command(`${fillCommand(hour, formatHour(readHour(hour) + 1))} --force`)}`
      : html`<p>${outside(hint ?? '')}</p>`;
  return html`<li><p><b>${hour}</b> <small>${code}</small></p><p>${outside(message)}</p>${again}</li>`;
}

/** The sums, and which hours are not complete. */
export function dayTable({ hours }: StatusReport): Markup {
  const days = [...Map.groupBy(hours, ({ hour }) => hour.slice(0, 10))].toReversed();
  return html`<section><h2>Days</h2><details><summary>Table of ${count(days.length, 'day')}</summary>
<table class="days"><thead><tr><th scope="col">Day</th><th scope="col">Landed</th><th scope="col">Events</th><th scope="col">Size</th></tr></thead>
<tbody>${days.map(([day, hours]) => dayRows(day, hours))}</tbody></table></details></section>`;
}

function dayRows(day: string, hours: readonly HourStatus[]): Markup {
  const landed = hours.filter(({ state, sealedAt }) => sealedAt !== null && state !== 'unreadable').length;
  const known = hours.flatMap(({ events }) => events ?? []);
  const events = known.length === 0 ? '–' : number(known.reduce((sum, events) => sum + events, 0));
  const bytes = hours.reduce((sum, hour) => sum + hour.bytes, 0);
  const incomplete = incompleteHours(hours);
  // A row of its own: beside the numbers it would not fit on a phone.
  const more = incomplete === '' ? '' : html`<tr class="more"><td colspan="4">${incomplete}</td></tr>`;
  return html`<tr><th scope="row">${day}</th><td>${landed}/${hours.length}</td><td>${events}</td><td>${size(bytes)}</td></tr>${more}\n`;
}

/** `missing 03 to 06, 09; pending 22 to 23` */
function incompleteHours(hours: readonly HourStatus[]): string {
  const states = Map.groupBy(hours, ({ state }) => state);
  states.delete('complete');
  const clock = (hour: Hour) => formatHour(hour).slice(11);
  const runs = [...states].map(([state, hours]) => {
    const numbers = hours.map(({ hour }) => readHour(hour));
    const names = joinHours(numbers, 24).map(({ start, end }) =>
      end - start === 1 ? clock(start) : `${clock(start)} to ${clock(end - 1)}`,
    );
    return `${state} ${names.join(', ')}`;
  });
  return runs.join('; ');
}
