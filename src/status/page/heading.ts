import { agreeing, count } from '../../format.ts';
import { fillAll } from '../../landing/gaps.ts';
import type { StatusReport } from '../report.ts';
import { html, type Markup, outside } from './markup.ts';

interface Verdict {
  readonly title: string;
  readonly good: boolean;
}

/** The answer to the question that the page is opened with. */
export function verdict({ totals, firstLanded, hours }: StatusReport): Verdict {
  const { missing, unreadable, pending } = totals;
  if (missing > 0) {
    const title = `${count(missing, 'hour')} ${agreeing(missing, 'is', 'are')} missing`;
    return { title: firstLanded === null ? 'Nothing has landed in this range' : title, good: false };
  }
  if (unreadable > 0) return { title: `${count(unreadable, 'hour')} without proof`, good: false };
  return { title: pending === hours.length ? 'Nothing is ready at Amplitude yet' : 'No gaps', good: true };
}

export function heading(report: StatusReport, tool: string): Markup {
  const { range, project, now } = report;
  const facts: [string, string | Markup][] = [
    ['Destination', outside(report.destination)],
    ...(project === null ? [] : ([['Project', outside(project)]] as [string, Markup][])),
    ['Range', `${range.start} to ${range.end}, the end left out`],
    ['Made', `${now.slice(0, 19).replace('T', ' ')} UTC by ${tool}`],
  ];
  const { title, good } = verdict(report);
  return html`<header>
<h1 class="${good ? 'good' : 'bad'}">${title}</h1>
${whatToDo(report)}
<dl class="facts">${facts.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>
<p class="note">All hours are UTC hours of Amplitude's <code>server_upload_time</code>.</p>
</header>`;
}

function whatToDo(report: StatusReport): Markup[] {
  const { gaps, firstLanded, hours, totals } = report;
  const { missing, unreadable, pending } = totals;
  const parts: Markup[] = [];
  if (missing > 0) {
    const link = html`<a href="#gaps">${count(gaps.length, 'gap')}</a>`;
    const start = firstLanded === null ? `${count(missing, 'hour')} in ` : missing === 1 ? 'It is in ' : 'They are in ';
    const it = gaps.length === 1 ? 'it' : gaps.length === 2 ? 'both' : 'them all';
    parts.push(html`<p>${start}${link}; this command fills ${it}:</p>`, command(fillAll(report.gaps)));
  }
  if (unreadable > 0) {
    const have = `${count(unreadable, 'hour')} ${unreadable === 1 ? 'has a manifest that proves' : 'have manifests that prove'}`;
    parts.push(html`<p>${have} nothing; <a href="#problems">Problems</a> says why.</p>`);
  }
  if (parts.length > 0) return parts;
  if (pending === hours.length) return [html`<p>An hour is ready two hours after its end.</p>`];
  return [html`<p>Every hour that is ready at Amplitude has landed.</p>`];
}

export function command(text: string): Markup {
  // On a phone it breaks between flags, not within an hour.
  const parts = text.split(/ (?=--)/).map((part, at) => html`${at === 0 ? '' : ' '}<span>${part}</span>`);
  return html`<div class="command"><code>${parts}</code><button type="button" data-copy="" hidden>Copy</button></div>`;
}
