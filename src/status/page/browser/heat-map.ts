import type { Chart as ChartOf, Plugin } from 'chart.js';
import type {} from 'chartjs-chart-matrix';
import { type Colour, drawMark, fillOf, shadeOf } from './cell.ts';
import type { HourRow, PageData } from './data.ts';
import type { Context, PageCanvas } from './dom.ts';
import { hourStart, showTip } from './tip.ts';

declare const Chart: typeof ChartOf;

/** What a scriptable option is asked for; `raw` is a point as it was given. */
interface Cell {
  readonly raw?: unknown;
}

/** Draws hours `from` to `to` on a canvas: days down, the newest on top, hours across. */
export function heatMap(
  canvas: PageCanvas,
  data: PageData,
  from: number,
  to: number,
  colour: Colour,
): ChartOf<'matrix'> {
  const rowHeight = 18;
  const dayOf = (at: number) => hourStart(data, at).toISOString().slice(0, 10);
  const points = Array.from({ length: to - from }, (_, n) => {
    const at = from + n;
    return { x: hourStart(data, at).getUTCHours(), y: dayOf(at), at };
  });
  const days = [...new Set(points.map(({ y }) => y))].reverse();
  canvas.parentElement.style.height = `${days.length * rowHeight + 22}px`;
  const hourOf = (raw: unknown) => data.hours[(raw as { at: number }).at] as HourRow;
  const stateOf = (hour: HourRow) => data.states[hour[0]] ?? '';
  const marks: Plugin<'matrix'> = {
    id: 'marks',
    afterDatasetsDraw(chart) {
      for (const [n, element] of chart.getDatasetMeta(0).data.entries()) {
        const hour = hourOf(points[n]);
        const box = element.getProps(['x', 'y', 'width', 'height'] as never[], true) as unknown;
        drawMark(
          chart.ctx as unknown as Context,
          stateOf(hour),
          shadeOf(hour, data),
          box as Parameters<typeof drawMark>[3],
          colour,
        );
      }
    },
  };
  return new Chart(canvas as never, {
    type: 'matrix',
    plugins: [marks],
    data: {
      datasets: [
        {
          data: points,
          backgroundColor: ({ raw }: Cell) => fillOf(stateOf(hourOf(raw)), shadeOf(hourOf(raw), data), colour),
          borderColor: ({ raw }: Cell) =>
            ['empty', 'pending'].includes(stateOf(hourOf(raw))) ? colour('edge') : 'transparent',
          borderWidth: ({ raw }: Cell) => (['empty', 'pending'].includes(stateOf(hourOf(raw))) ? 1 : 0),
          borderRadius: 2,
          width: ({ chart }) => Math.max(1, (chart.chartArea?.width ?? 0) / 24 - 2),
          height: rowHeight - 2,
        },
      ],
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: { enabled: false, external: ({ chart, tooltip }) => showTip(data, chart.canvas as never, tooltip) },
      },
      scales: {
        x: {
          type: 'linear',
          position: 'top',
          offset: false,
          min: -0.5,
          max: 23.5,
          grid: { display: false },
          border: { display: false },
          ticks: {
            color: () => colour('muted'),
            autoSkip: false,
            maxRotation: 0,
            padding: 0,
            font: { size: 11 },
            callback: (hour) => String(hour).padStart(2, '0'),
          },
          afterBuildTicks: (axis) => {
            const step = axis.chart.width < 600 ? 3 : 1;
            axis.ticks = Array.from({ length: 24 / step }, (_, n) => ({ value: n * step }));
          },
        },
        y: {
          type: 'category',
          labels: days,
          offset: true,
          reverse: false,
          grid: { display: false },
          border: { display: false },
          // The same width for each month, so that the hours of all months stand below one another.
          afterFit: (axis) => {
            axis.width = 54;
          },
          ticks: {
            color: () => colour('muted'),
            autoSkip: false,
            padding: 4,
            font: { size: 11 },
            callback: (_, n) => {
              const day = new Date(`${days[n]}T00:00:00Z`);
              return `${day.toLocaleDateString('en-US', { weekday: 'short', timeZone: 'UTC' })} ${days[n]?.slice(8)}`;
            },
          },
        },
      },
    },
  });
}
