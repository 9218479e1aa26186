import type { HourRow, PageData } from './data.ts';
import type { PageDocument, PageElement, PageWindow } from './dom.ts';

declare const document: PageDocument;
declare const window: PageWindow;

export function hourStart(data: PageData, at: number): Date {
  return new Date((data.start + at) * 3_600_000);
}

/** `Fri 2026-11-20, 05:00 to 06:00 UTC` and below it what is known of the hour. */
export function hourLines(data: PageData, at: number): { title: string; lines: string[] } {
  const [state, events, objects, bytes, sealedAt, quarantined = 0, shrunkTo = null] = data.hours[at] as HourRow;
  const start = hourStart(data, at);
  const clock = (instant: Date) => instant.toISOString().slice(11, 16);
  const number = (value: number) => value.toLocaleString('en-US');
  const day = start.toLocaleDateString('en-US', { weekday: 'short', timeZone: 'UTC' });
  const end = new Date(start.getTime() + 3_600_000);
  const lines = [`state: ${data.states[state]}`];
  if (sealedAt !== null) {
    lines.push(`events: ${events === null ? 'not known, the manifest was not read' : number(events)}`);
    lines.push(`objects: ${number(objects)}`, `size: ${number(bytes)} ${bytes === 1 ? 'byte' : 'bytes'}`);
    if (quarantined > 0) lines.push(`quarantine: ${number(quarantined)} ${quarantined === 1 ? 'line' : 'lines'}`);
    if (shrunkTo !== null) lines.push(`asked again: ${number(shrunkTo)} ${shrunkTo === 1 ? 'event' : 'events'}`);
    lines.push(`sealed: ${new Date(sealedAt * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`);
  }
  return {
    title: `${day} ${start.toISOString().slice(0, 10)}, ${clock(start)} to ${clock(end)} UTC`,
    lines,
  };
}

/** One box for all charts. It is no part of their canvases: on a day's single row it would be cut. */
export function showTip(data: PageData, canvas: PageElement, tooltip: unknown): void {
  const tip = document.getElementById('tip');
  const { opacity, caretX, caretY, dataPoints } = tooltip as {
    opacity: number;
    caretX: number;
    caretY: number;
    dataPoints?: readonly { readonly raw: unknown }[];
  };
  const point = dataPoints?.[0]?.raw as { readonly at: number } | undefined;
  if (tip === null) return;
  tip.hidden = opacity === 0 || point === undefined;
  if (tip.hidden || point === undefined) return;
  const { title, lines } = hourLines(data, point.at);
  tip.replaceChildren(
    ...[title, ...lines].map((text, line) => {
      const element = document.createElement(line === 0 ? 'strong' : 'div');
      element.textContent = text;
      return element;
    }),
  );
  const { left, top } = canvas.getBoundingClientRect();
  const edge = 8;
  const below = top + caretY + 16;
  const fits = below + tip.offsetHeight + edge <= window.innerHeight;
  const farthest = window.innerWidth - tip.offsetWidth - edge;
  tip.style.left = `${Math.max(edge, Math.min(left + caretX - tip.offsetWidth / 2, farthest))}px`;
  tip.style.top = `${fits ? below : Math.max(edge, top + caretY - 16 - tip.offsetHeight)}px`;
}
