import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { agreeing, count, number, requestCost, size } from '../../format.ts';
import { fillAll } from '../../landing/gaps.ts';
import { TOOL } from '../../version.ts';
import { dropSentence } from '../drops.ts';
import type { StatusReport } from '../report.ts';
import { heatMaps } from './heat-map.ts';
import { lineChart } from './line.ts';
import { dayTable, gapList, problemList, unprovedList } from './lists.ts';
import { command, html, Markup, outside } from './markup.ts';

// A browser computes the hash with these ends of lines.
const STYLE = readFileSync(new URL('page.css', import.meta.url), 'utf8').replace(/\r\n?/g, '\n');
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'`;

/** One HTML page that shows the report. It runs no script, asks the network for nothing and opens from a file. */
export function statusPage(report: StatusReport): string {
  const { title, good } = verdict(report);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}: ${report.destination}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header>
<h1 class="${good ? 'good' : 'bad'}">${title}</h1>
${whatToDo(report)}
${facts(report)}
<p class="note">All hours are UTC hours of Amplitude's <code>server_upload_time</code>.</p>
</header>
<main>
${warnings(report)}
${figures(report)}
${lineChart(report)}
${heatMaps(report)}
${gapList(report)}
${unprovedList(report)}
${problemList(report)}
${dayTable(report)}
</main>
<footer><p class="note">It took ${requestCost(report.requests)}; ${report.seconds.toFixed(1)} s. The page runs no script and needs no network.</p></footer>
</body>
</html>
`.source;
}

/** What people open the page to learn. */
function verdict({ totals, firstLanded, hours }: StatusReport): { title: string; good: boolean } {
  const { missing, unreadable, pending } = totals;
  if (missing > 0 && firstLanded === null) return { title: 'Nothing has landed in this range', good: false };
  if (missing > 0) return { title: `${count(missing, 'hour')} ${agreeing(missing, 'is', 'are')} missing`, good: false };
  if (unreadable > 0) return { title: count(unreadable, 'unreadable manifest'), good: false };
  return { title: pending === hours.length ? 'Nothing is ready at Amplitude yet' : 'No gaps', good: true };
}

function whatToDo({ gaps, firstLanded, hours, totals }: StatusReport): Markup[] {
  const { missing, unreadable, pending } = totals;
  const parts: Markup[] = [];
  if (missing > 0) {
    const start = firstLanded === null ? `${count(missing, 'hour')} in` : agreeing(missing, 'It is in', 'They are in');
    const link = html`<a href="#gaps">${count(gaps.length, 'gap')}</a>`;
    const them = ['it', 'both'][gaps.length - 1] ?? 'them all';
    parts.push(html`<p>${start} ${link}; this command fills ${them}:</p>${command(fillAll(gaps))}`);
  }
  if (unreadable > 0) {
    const have = agreeing(unreadable, 'has a manifest that proves', 'have manifests that prove');
    parts.push(html`<p>${count(unreadable, 'hour')} ${have} nothing; <a href="#problems">Problems</a> says why.</p>`);
  }
  if (parts.length > 0) return parts;
  if (pending === hours.length) return [html`<p>An hour is ready two hours after its end.</p>`];
  return [html`<p>Every hour that is ready at Amplitude has landed.</p>`];
}

function facts({ destination, project, range, now }: StatusReport): Markup {
  const rows: [string, string | Markup][] = [['Destination', outside(destination)]];
  if (project !== null) rows.push(['Project', outside(project)]);
  rows.push(['Range', `${range.start} to ${range.end} (end-exclusive)`]);
  rows.push(['Made', `${now.slice(0, 19).replace('T', ' ')} UTC by ${TOOL}`]);
  return pairs('facts', rows);
}

function figures({ totals, firstLanded, lastLanded }: StatusReport): Markup {
  const rows: [string, string][] = [];
  if (totals.events !== null) rows.push(['Events', number(totals.events)]);
  rows.push(['Size', size(totals.bytes)], ['Objects', number(totals.objects)]);
  rows.push(['First landed hour', firstLanded ?? 'none'], ['Last landed hour', lastLanded ?? 'none']);
  if (totals.quarantined) rows.push(['Lines in quarantine', number(totals.quarantined)]);
  return html`<section aria-label="Totals">${pairs('figures', rows)}</section>`;
}

function pairs(name: string, rows: readonly [string, string | Markup][]): Markup {
  return html`<dl class="${name}">${rows.map(([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>`;
}

function warnings({ warnings, drops }: StatusReport): Markup {
  const sentences = [...warnings, dropSentence(drops) ?? []].flat();
  if (sentences.length === 0) return html``;
  return html`<section class="warnings"><h2>Warnings</h2><ul>${sentences.map((text) => html`<li>${outside(text)}</li>`)}</ul></section>`;
}
