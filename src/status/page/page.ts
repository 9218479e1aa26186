import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { TOOL } from '../../version.ts';
import type { StatusReport } from '../report.ts';
import { drawMark, fillOf, palette, shadeOf } from './browser/cell.ts';
import { heatMap } from './browser/heat-map.ts';
import { line } from './browser/line.ts';
import { copies, start, swatch } from './browser/start.ts';
import { hourLines, hourStart, showTip } from './browser/tip.ts';
import { pageData } from './data.ts';
import { daysOf } from './days.ts';
import { heading, verdict } from './heading.ts';
import { html, Markup, scriptJson } from './markup.ts';
import { cost, dayTable, gapList, heatMaps, lineChart, problemList, totals, warnings } from './sections.ts';
import { STYLE } from './style.ts';

/** They go into the page as the text that they are compiled to, so they know nothing but each other and the browser. */
const BROWSER_FUNCTIONS = [
  palette,
  shadeOf,
  fillOf,
  drawMark,
  hourStart,
  hourLines,
  showTip,
  heatMap,
  line,
  swatch,
  copies,
  start,
];

/** One HTML page that shows the report. It asks the network for nothing and opens from a file. */
export async function statusPage(report: StatusReport): Promise<string> {
  const data = pageData(report);
  const [charts, matrix] = await Promise.all([
    libraryScript('chart.js', 'chart.umd.min.js'),
    libraryScript('chartjs-chart-matrix', 'chartjs-chart-matrix.min.js'),
  ]);
  const own = `'use strict';\n(() => {\n${BROWSER_FUNCTIONS.join('\n')}\nstart(JSON.parse(document.getElementById('data').textContent));\n})();`;
  const scripts = [charts, matrix, own].map(inlined);
  const style = inlined(STYLE);
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.map(hashOf).join(' ')}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${verdict(report).title}: ${report.destination}</title>
<style>${new Markup(style)}</style>
</head>
<body>
${heading(report, TOOL)}
<noscript><p class="warnings">The charts need JavaScript, which is off here. Gaps and the table of days are below.</p></noscript>
<main>
${warnings(report)}
${totals(report)}
${lineChart(report)}
${heatMaps(report, data.top)}
${gapList(report)}
${problemList(report)}
${dayTable(daysOf(report))}
</main>
${cost(report)}
<div id="tip" role="status" hidden></div>
<script type="application/json" id="data">${scriptJson(data)}</script>
${scripts.map((script) => html`<script>${new Markup(script)}</script>\n`)}
</body>
</html>
`.source;
}

/** A file of a package's dist folder, its licence banner included. */
async function libraryScript(name: string, file: string): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(name);
  const text = await readFile(join(dirname(entry), file), 'utf8');
  // The map lies beside the file, not beside the page, and a browser's tools would ask for it.
  return text.replace(/^\/\/# sourceMappingURL=.*$/m, '').trimEnd();
}

/** As a browser reads it: the hash is of that text. An end tag within would end the element, so there must be none. */
function inlined(text: string): string {
  const read = text.replace(/\r\n?/g, '\n');
  if (/<\/(?:script|style)|<!--/i.test(read)) throw new Error('a script or style holds what ends its own element');
  return read;
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
