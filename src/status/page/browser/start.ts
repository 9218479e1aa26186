import type { Chart as ChartOf } from 'chart.js';
import { type Colour, drawMark, fillOf, palette } from './cell.ts';
import type { PageData } from './data.ts';
import type { PageCanvas, PageDocument, PageElement, PageWindow } from './dom.ts';
import { heatMap } from './heat-map.ts';
import { line } from './line.ts';

declare const Chart: typeof ChartOf;
declare const document: PageDocument;
declare const window: PageWindow;

/** Draws all charts, and again where the theme changes. */
export function start(data: PageData): void {
  Chart.defaults.font.family = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  const { colour, forget } = palette();
  const charts: { update(mode: 'none'): void }[] = [];
  for (const canvas of document.querySelectorAll('canvas[data-from]')) {
    charts.push(heatMap(canvas, data, Number(canvas.dataset.from), Number(canvas.dataset.to), colour));
  }
  for (const canvas of document.querySelectorAll('canvas[data-line]')) charts.push(line(canvas, data, colour));
  const drawLegend = () => {
    for (const canvas of document.querySelectorAll('canvas[data-swatch]')) swatch(canvas, colour);
  };
  const draw = () => {
    forget();
    drawLegend();
    for (const chart of charts) chart.update('none');
  };
  drawLegend();
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  // A canvas is printed as it is: on paper it has to be the light one.
  window.addEventListener('beforeprint', () => {
    document.documentElement.classList.add('on-paper');
    draw();
  });
  window.addEventListener('afterprint', () => {
    document.documentElement.classList.remove('on-paper');
    draw();
  });
  const hideTip = () => {
    const tip = document.getElementById('tip');
    if (tip !== null) tip.hidden = true;
  };
  window.addEventListener('scroll', hideTip, { passive: true, capture: true });
  document.addEventListener('pointerdown', ({ target }) => {
    if (!target.matches('canvas')) hideTip();
  });
  for (const button of document.querySelectorAll('button[data-copy]')) copies(button);
}

/** One cell of the legend. */
export function swatch(canvas: PageCanvas, colour: Colour): void {
  const [state = '', shade = '1'] = (canvas.dataset.swatch ?? '').split(' ');
  const side = 16;
  const context = canvas.getContext('2d');
  canvas.width = side * window.devicePixelRatio;
  canvas.height = side * window.devicePixelRatio;
  context.save();
  context.scale(window.devicePixelRatio, window.devicePixelRatio);
  if (state === 'empty' || state === 'pending') {
    context.fillStyle = colour('edge');
    context.fillRect(0, 0, side, side);
    context.fillStyle = fillOf(state, 1, colour);
    context.fillRect(1, 1, side - 2, side - 2);
  } else {
    context.fillStyle = fillOf(state, Number(shade), colour);
    context.fillRect(0, 0, side, side);
  }
  drawMark(context, state, Number(shade), { x: 0, y: 0, width: side, height: side }, colour);
  context.restore();
}

/** Makes a button copy the command beside it. A page from http:// has no clipboard: there the text is selected as well. */
export function copies(button: PageElement): void {
  const command = button.previousElementSibling;
  button.hidden = false;
  button.addEventListener('click', () => {
    const { clipboard } = window.navigator;
    const said = (text: string) => {
      button.textContent = text;
    };
    const select = () => {
      const range = document.createRange();
      range.selectNodeContents(command);
      window.getSelection().removeAllRanges();
      window.getSelection().addRange(range);
      said(document.execCommand('copy') ? 'Copied' : 'Selected');
    };
    if (clipboard === undefined) select();
    else clipboard.writeText(command.textContent).then(() => said('Copied'), select);
  });
}
