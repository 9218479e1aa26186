import { count, number, requestCost, size } from '../../format.ts';
import { fillAll } from '../../landing/gaps.ts';
import type { StatusReport } from '../report.ts';
import { type HourState, STATES } from '../state.ts';
import { type Day, incompleteHours, monthsOf } from './days.ts';
import { command } from './heading.ts';
import { html, type Markup, outside } from './markup.ts';

/** At most so many are listed: every second hour of a year may be missing, and a page must still open. */
const MOST_GAPS = 300;
const MOST_PROBLEMS = 100;

export function totals({ totals: of, firstLanded, lastLanded }: StatusReport): Markup {
  const figures: [string, string][] = [
    ...(of.events === null ? [] : ([['Events', number(of.events)]] as [string, string][])),
    ['Size', size(of.bytes)],
    ['Objects', number(of.objects)],
    ['First landed hour', firstLanded ?? 'none'],
    ['Last landed hour', lastLanded ?? 'none'],
  ];
  if ((of.quarantined ?? 0) > 0) figures.push(['Lines in quarantine', number(of.quarantined ?? 0)]);
  return html`<section aria-label="Totals"><dl class="figures">${figures.map(
    ([name, figure]) => html`<div><dt>${name}</dt><dd>${figure}</dd></div>`,
  )}</dl></section>`;
}

const MEANING: Readonly<Record<HourState, string>> = {
  complete: 'landed and settled',
  empty: 'Amplitude had no data',
  missing: 'not landed, a gap',
  pending: 'not ready at Amplitude yet',
  unsettled: 'landed early; export asks once more',
  shrunk: 'Amplitude held less when asked again; the larger landing stays',
  unreadable: 'its manifest proves nothing, see Problems',
};

function legend({ totals: of }: StatusReport): Markup {
  const shown = STATES.filter((state) => of[state] > 0 || state === 'complete');
  const cells = (state: HourState) => (state === 'complete' ? [1, 2, 3, 4, 5] : [state === 'unsettled' ? 3 : 1]);
  const swatches = (state: HourState) =>
    cells(state).map((shade) => html`<canvas data-swatch="${state} ${shade}" aria-hidden="true"></canvas>`);
  return html`<ul class="legend">${shown.map(
    (state) =>
      html`<li><span class="swatches">${swatches(state)}</span><span><b>${state}</b> ${count(of[state], 'hour')}<small>${MEANING[state]}</small></span></li>`,
  )}</ul>`;
}

export function heatMaps(report: StatusReport, top: number): Markup {
  const metric = report.totals.events === null ? 'bytes' : 'events';
  const shades =
    top === 0
      ? ''
      : html`Shades go from few to many ${metric}; the last is for ${metric === 'bytes' ? size(top) : count(top, 'event')} and more. `;
  const figures = monthsOf(report)
    .reverse()
    .map(({ month, from, to }) => {
      const name = new Date(`${month}-01T00:00:00Z`).toLocaleDateString('en-US', {
        month: 'long',
        year: 'numeric',
        timeZone: 'UTC',
      });
      const of = report.hours.slice(from, to);
      const states = STATES.map((state) => [state, of.filter((hour) => hour.state === state).length] as const);
      const words = states.filter(([, hours]) => hours > 0).map(([state, hours]) => `${hours} ${state}`);
      return html`<figure><figcaption>${name}</figcaption><div class="chart"><canvas data-from="${from}" data-to="${to}" role="img" aria-label="Hours of ${name}: ${words.join(', ')}. The table of days below says which."></canvas></div></figure>`;
    });
  return html`<section><h2>Hours</h2>
<p class="note">Days down, the newest on top; hours across. ${shades}Point at an hour or tap it for more.</p>
${legend(report)}${figures}</section>`;
}

export function lineChart({ totals: of, hours }: StatusReport): Markup {
  const title = of.events === null ? 'Bytes per hour' : 'Events per hour';
  const why = of.events === null ? 'Manifests were not read, so events are not known. ' : '';
  const drawn = hours.some(({ events, sealedAt }) => (of.events === null ? sealedAt : events) !== null);
  if (!drawn) return html`<section><h2>${title}</h2><p>No hour has landed that could be drawn.</p></section>`;
  return html`<section><h2>${title}</h2>
<p class="note">${why}${of.missing > 0 ? 'The line breaks where hours are missing, on a red ground.' : ''}</p>
<p class="note sideways" hidden>Scroll sideways for older hours.</p>
<div class="wide" tabindex="0" role="group" aria-label="${title}"><div class="chart line"><canvas data-line="" role="img" aria-label="${title}, as a line over the range. The table of days below has the sums."></canvas></div></div></section>`;
}

export function warnings({ warnings: of }: StatusReport): Markup {
  if (of.length === 0) return html``;
  return html`<section class="warnings"><h2>Warnings</h2><ul>${of.map((text) => html`<li>${outside(text)}</li>`)}</ul></section>`;
}

export function gapList({ gaps, totals: of }: StatusReport): Markup {
  if (gaps.length === 0) return html`<section><h2>Gaps</h2><p>None.</p></section>`;
  const all =
    gaps.length === 1
      ? ''
      : html`<p>All of them at once; hours that have landed and settled are not asked for again:</p>${command(fillAll(gaps))}<p>Or one by one, the newest first:</p>`;
  const left = gaps.length - MOST_GAPS;
  return html`<section id="gaps"><h2>Gaps</h2>
<p><b>${count(of.missing, 'hour')} in ${count(gaps.length, 'gap')}.</b></p>${all}
<ol class="gaps">${gaps
    .toReversed()
    .slice(0, MOST_GAPS)
    .map(
      (gap) =>
        html`<li><p><b>${gap.start} to ${gap.end}</b> <span class="count">${count(gap.hours, 'hour')}</span></p>${command(gap.command)}</li>`,
    )}</ol>${left > 0 ? html`<p>And ${number(left)} older ones, which the first command fills as well.</p>` : ''}</section>`;
}

export function problemList({ problems }: StatusReport): Markup {
  if (problems.length === 0) return html``;
  const left = problems.length - MOST_PROBLEMS;
  return html`<section id="problems"><h2>Problems</h2>
<p>These manifests cannot be taken for the record of their hour.</p>
<ul class="problems">${problems
    .toReversed()
    .slice(0, MOST_PROBLEMS)
    .map(
      ({ hour, code, message, hint }) =>
        html`<li><p><b>${hour}</b> <span class="count">${code}</span></p><p>${outside(message)}${hint === null ? '' : html` ${outside(hint)}`}</p></li>`,
    )}</ul>${left > 0 ? html`<p>And ${number(left)} more such manifests.</p>` : ''}</section>`;
}

/** The same for people who do not see the charts, and for places that run no scripts. */
export function dayTable(days: readonly Day[]): Markup {
  return html`<section><h2>Days</h2><details><summary>Table of ${count(days.length, 'day')}</summary>
<table><thead><tr><th scope="col">Day</th><th scope="col">Landed</th><th scope="col">Events</th><th scope="col">Size</th></tr></thead>
<tbody>${days.toReversed().map(dayRows)}</tbody></table></details></section>`;
}

function dayRows(day: Day): Markup {
  const incomplete = incompleteHours(day);
  const events = day.events === null ? '–' : number(day.events);
  // A row of its own: beside the numbers it would not fit on a phone.
  const more = incomplete === '' ? '' : html`<tr class="more"><td colspan="4">${incomplete}</td></tr>`;
  return html`<tr><th scope="row">${day.date}</th><td>${day.landed}/${day.hours.length}</td><td>${events}</td><td>${size(day.bytes)}</td></tr>${more}\n`;
}

export function cost({ requests, seconds }: StatusReport): Markup {
  return html`<footer><p class="note">It took ${requestCost(requests)}; ${seconds.toFixed(1)} s. The page needs no network; it was drawn with Chart.js and chartjs-chart-matrix (MIT).</p></footer>`;
}
