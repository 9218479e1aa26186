import type { HourRow, PageData } from './data.ts';
import type { Context, PageDocument, PageWindow } from './dom.ts';

declare const document: PageDocument;
declare const window: PageWindow;

/** A colour of the theme that is on, by the name that the style sheet gives it. */
export type Colour = (name: string) => string;

/** Each colour is asked for once: the browser takes its time, and a year has 8,760 cells. `forget` when the theme changes. */
export function palette(): { readonly colour: Colour; forget(): void } {
  const known = new Map<string, string>();
  const colour = (name: string) => {
    const found =
      known.get(name) ?? window.getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    known.set(name, found);
    return found;
  };
  return { colour, forget: () => known.clear() };
}

/** 1 to 5. */
export function shadeOf(hour: HourRow, { metric, top }: PageData): number {
  const value = (metric === 'events' ? hour[1] : hour[3]) ?? 0;
  return top === 0 ? 1 : Math.max(1, Math.min(5, Math.ceil((value / top) * 5)));
}

export function fillOf(state: string, shade: number, colour: Colour): string {
  return colour(state === 'complete' || state === 'unsettled' ? `shade-${shade}` : state);
}

/** A cell's mark tells its state to whoever does not see the colour. A complete hour has none. */
export function drawMark(
  context: Context,
  state: string,
  shade: number,
  box: { x: number; y: number; width: number; height: number },
  colour: Colour,
): void {
  const { x, y, width, height } = box;
  if (state === 'complete') return;
  const [middle, centre] = [x + width / 2, y + height / 2];
  const r = Math.min(width, height, 18) * 0.3;
  const ink = colour(state === 'unsettled' ? `hatch-${shade}` : `on-${state}`);
  const line = (...points: readonly (readonly [number, number])[]) => {
    context.beginPath();
    for (const [at, [px, py]] of points.entries()) at === 0 ? context.moveTo(px, py) : context.lineTo(px, py);
  };
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = ink;
  context.fillStyle = ink;
  context.lineWidth = 1.6;
  context.lineCap = 'round';
  if (state === 'missing') {
    line([middle - r, centre - r], [middle + r, centre + r]);
    context.stroke();
    line([middle + r, centre - r], [middle - r, centre + r]);
    context.stroke();
  } else if (state === 'empty') {
    context.beginPath();
    context.arc(middle, centre, r * 0.9, 0, 2 * Math.PI);
    context.stroke();
  } else if (state === 'pending') {
    context.beginPath();
    context.arc(middle, centre, 1.4, 0, 2 * Math.PI);
    context.fill();
  } else if (state === 'shrunk') {
    line([middle - r, centre - r * 0.7], [middle + r, centre - r * 0.7], [middle, centre + r]);
    context.fill();
  } else if (state === 'unreadable') {
    context.lineWidth = 2;
    line([middle, centre - r * 1.2], [middle, centre + r * 0.15]);
    context.stroke();
    context.beginPath();
    context.arc(middle, centre + r * 1.1, 1.3, 0, 2 * Math.PI);
    context.fill();
  } else if (state === 'unsettled') {
    context.lineWidth = 1.2;
    for (let from = x - height; from < x + width; from += 6) {
      line([from, y + height], [from + height, y]);
      context.stroke();
    }
  }
  context.restore();
}
