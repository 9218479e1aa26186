import type { Chart as ChartOf, Plugin } from 'chart.js';
import type { Colour } from './cell.ts';
import type { PageData } from './data.ts';
import type { Context, PageCanvas } from './dom.ts';
import { hourStart, showTip } from './tip.ts';

declare const Chart: typeof ChartOf;

/** Draws the line of events (or bytes) per hour. It breaks where an hour has none because it has not landed. */
export function line(canvas: PageCanvas, data: PageData, colour: Colour): ChartOf<'line'> {
  // A day gets 6 pixels at least, or its peak and its night are one. What does not fit is scrolled to; the newest shows.
  const box = canvas.parentElement;
  const wide = (data.hours.length / 24) * 6;
  const scrolls = wide > box.clientWidth;
  if (scrolls) box.style.width = `${Math.ceil(wide)}px`;
  box.parentElement.previousElementSibling.hidden = !scrolls;
  box.parentElement.scrollLeft = wide;
  const values = data.hours.map(([state, events, , bytes, sealedAt]) =>
    sealedAt === null || data.states[state] === 'unreadable' ? null : data.metric === 'events' ? events : bytes,
  );
  const points = values.map((y, at) => ({ x: at, y, at }));
  const alone = (at: number) => (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
  const missing = data.hours.flatMap(([state], at) => (data.states[state] === 'missing' ? [at] : []));
  const bands: Plugin<'line'> = {
    id: 'bands',
    beforeDatasetsDraw({ ctx, chartArea: { top, height }, scales }) {
      const context = ctx as unknown as Context;
      context.fillStyle = colour('missing-band');
      // In a year an hour is less than a pixel, and one that is missing must still be seen.
      for (const at of missing) {
        const left = Math.floor(scales.x?.getPixelForValue(at - 0.5) ?? 0);
        const right = Math.ceil(scales.x?.getPixelForValue(at + 0.5) ?? 0);
        context.fillRect(left, top, Math.max(2, right - left), height);
      }
    },
  };
  return new Chart(canvas as never, {
    type: 'line',
    plugins: [bands],
    data: {
      datasets: [
        {
          data: points as never,
          borderColor: () => colour('line'),
          backgroundColor: () => colour('line-area'),
          fill: 'origin',
          borderWidth: 1.5,
          pointRadius: points.map(({ at }) => (alone(at) ? 2 : 0)),
          pointBackgroundColor: () => colour('line'),
          pointHitRadius: 0,
          pointHoverRadius: 4,
          spanGaps: false,
        },
      ],
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      normalized: true,
      parsing: false,
      interaction: { mode: 'nearest', axis: 'x', intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: { enabled: false, external: ({ chart, tooltip }) => showTip(data, chart.canvas as never, tooltip) },
      },
      scales: {
        x: {
          type: 'linear',
          min: -0.5,
          max: Math.max(0.5, points.length - 0.5),
          grid: { color: () => colour('grid') },
          border: { color: () => colour('edge') },
          ticks: {
            color: () => colour('muted'),
            autoSkip: false,
            maxRotation: 0,
            font: { size: 11 },
            callback: (value) => {
              const start = hourStart(data, Number(value));
              const hour = start.getUTCHours();
              if (hour > 0) return `${String(hour).padStart(2, '0')}:00`;
              return start.toLocaleDateString('en-US', { month: 'short', day: 'numeric', timeZone: 'UTC' });
            },
          },
          afterBuildTicks: (axis) => {
            const most = Math.max(2, Math.floor(axis.chart.width / 60));
            const steps = [1, 3, 6, 12, 24, 48, 168, 336, 672, 1344, 2688];
            const step = steps.find((hours) => points.length / hours <= most) ?? 5376;
            // Weeks begin on a Monday; 1970 began on a Thursday.
            const from = step < 168 ? 0 : 96;
            const first = Math.ceil((data.start - from) / step) * step + from - data.start;
            axis.ticks = [];
            for (let at = first; at < points.length; at += step) axis.ticks.push({ value: at });
          },
        },
        y: {
          beginAtZero: true,
          position: scrolls ? 'right' : 'left',
          grid: { color: () => colour('grid') },
          border: { display: false },
          ticks: {
            color: () => colour('muted'),
            maxTicksLimit: 6,
            font: { size: 11 },
            callback: (value) => Number(value).toLocaleString('en-US', { notation: 'compact' }),
          },
        },
      },
    },
  });
}
