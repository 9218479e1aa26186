const LIGHT = `
--page:#ffffff; --ink:#1c2128; --muted:#57606a; --edge:#b8c0c9; --grid:#e6e9ed; --panel:#f4f6f8; --good:#1a6b34; --bad:#b3261e;
--shade-1:#d3e5f7; --shade-2:#a3c9ec; --shade-3:#68a5db; --shade-4:#2f7bbd; --shade-5:#124a82;
--hatch-1:#124a82; --hatch-2:#124a82; --hatch-3:#0a2c4f; --hatch-4:#ffffff; --hatch-5:#ffffff;
--empty:#ffffff; --on-empty:#57606a; --missing:#c9301f; --on-missing:#ffffff; --missing-band:#f6cfca;
--pending:#f4f6f8; --on-pending:#57606a; --shrunk:#f0b429; --on-shrunk:#3d2c00; --unreadable:#6f3aa8; --on-unreadable:#ffffff;
--line:#2167a5; --line-area:rgba(47,123,189,.18);`;

const DARK = `
--page:#11151a; --ink:#e6eaee; --muted:#9aa4af; --edge:#4a535d; --grid:#252c34; --panel:#1a2027; --good:#6fcf8b; --bad:#ff8a7d;
--shade-1:#173450; --shade-2:#1f4f7d; --shade-3:#2f74b3; --shade-4:#5ba3e0; --shade-5:#a9d4fb;
--hatch-1:#a9d4fb; --hatch-2:#c9e4fd; --hatch-3:#e6f3ff; --hatch-4:#0b2239; --hatch-5:#0b2239;
--empty:#11151a; --on-empty:#9aa4af; --missing:#e5533f; --on-missing:#11151a; --missing-band:#55231d;
--pending:#1a2027; --on-pending:#9aa4af; --shrunk:#d9a11f; --on-shrunk:#231900; --unreadable:#b48be6; --on-unreadable:#1b0d2e;
--line:#7bb8ee; --line-area:rgba(91,163,224,.22);`;

/** Paper is light whatever the screen is; the script marks it, since a canvas keeps the colours that it was drawn in. */
export const STYLE = `
:root { color-scheme: light dark; ${LIGHT} }
@media screen and (prefers-color-scheme: dark) { :root:not(.on-paper) { ${DARK} } }
@media print { :root { color-scheme: light; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 62rem; padding: 1.25rem 1.25rem 2.5rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h1::before { display: inline-block; width: 1.2em; }
h1.good { color: var(--good); } h1.good::before { content: "\\2713"; content: "\\2713" / ""; }
h1.bad { color: var(--bad); } h1.bad::before { content: "\\2715"; content: "\\2715" / ""; }
a { color: var(--line); }
header .command { margin: .5rem 0 1rem; }
h2 { margin: 0 0 .25rem; font-size: 1.2rem; }
p { margin: .4rem 0; }
section { margin-top: 2rem; }
code { font: .875em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.note, small, .count, dt { color: var(--muted); }
.note { font-size: .875rem; }
.count { white-space: nowrap; }
dl, dd, ul, ol, figure { margin: 0; padding: 0; }
ul, ol { list-style: none; }
.facts { margin-top: .75rem; }
.facts div { display: flex; gap: .75rem; }
.facts dt { flex: 0 0 6rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .625rem; }
.figures div { padding: .5rem .75rem; border-radius: .5rem; background: var(--panel); }
.figures dt { font-size: .8125rem; }
.figures dd { font-size: 1.125rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.legend { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .5rem 1.25rem; margin: .75rem 0 1rem; }
.legend li { display: flex; gap: .5rem; align-items: flex-start; line-height: 1.35; }
.legend small { display: block; font-size: .8125rem; }
.swatches { display: inline-flex; gap: 2px; padding-top: .15rem; }
.swatches canvas { width: 16px; height: 16px; border-radius: 2px; }
figure { margin-bottom: 1.25rem; break-inside: avoid; }
figcaption { font-weight: 600; margin-bottom: .125rem; }
.chart { position: relative; width: 100%; }
.chart.line { height: 15rem; }
.chart canvas { touch-action: pan-y; }
.warnings { padding: .75rem 1rem; border-left: .25rem solid var(--shrunk); background: var(--panel); }
.gaps li, .problems li { padding: .5rem 0; border-top: 1px solid var(--grid); }
.command { display: flex; gap: .5rem; align-items: flex-start; max-width: 46rem; }
.command code { flex: 1; min-height: 2.5rem; padding: .5rem .625rem; border-radius: .375rem; background: var(--panel); user-select: all; -webkit-user-select: all; align-content: center; }
.command span { white-space: nowrap; }
button { min-width: 5.25rem; min-height: 2.5rem; border: 1px solid var(--edge); border-radius: .375rem; background: var(--page);
  color: var(--ink); font: inherit; font-size: .875rem; cursor: pointer; }
button[hidden] { display: none; }
button:focus-visible, summary:focus-visible { outline: 2px solid var(--line); outline-offset: 2px; }
summary { min-height: 2.5rem; padding: .5rem 0; cursor: pointer; }
.wide { overflow-x: auto; }
table { width: 100%; max-width: 34rem; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 0 .3rem .5rem; border-top: 1px solid var(--grid); text-align: right; white-space: nowrap; font-weight: 400; }
thead th { border-top: 0; color: var(--muted); }
th:first-child, .more td { padding-left: 0; text-align: left; }
.more td { padding-top: 0; border-top: 0; color: var(--muted); white-space: normal; }
#tip { position: fixed; z-index: 1; max-width: calc(100vw - 16px); padding: .5rem .625rem; border: 1px solid var(--edge); border-radius: .375rem;
  background: var(--page); color: var(--ink); font-size: .8125rem; line-height: 1.4; box-shadow: 0 2px 10px rgba(0,0,0,.25); pointer-events: none; }
#tip[hidden] { display: none; }
@media (min-width: 36.01rem) { .figures:has(> :nth-child(6)) { grid-template-columns: repeat(3, 1fr); } }
@media (max-width: 36rem) {
  body { padding: 1rem .75rem 2rem; }
  h1 { font-size: 1.5rem; }
  .facts div { display: block; margin-bottom: .375rem; }
  .facts dt { font-size: .8125rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .figures div:last-child:nth-child(odd) { grid-column: span 2; }
  .figures dd { font-size: 1rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  button, #tip, .sideways { display: none; }
  h2, h2 + p { break-after: avoid; }
  .legend { break-inside: avoid; }
  .gaps li, .problems li { break-inside: avoid; }
  .wide { overflow: visible; }
  .chart { width: 100% !important; }
  .chart, .chart canvas { max-width: 100% !important; height: auto !important; }
  .figures div, .command code { border: 1px solid var(--grid); }
}
`;
