import { command } from '../command-line.ts';
import { formatHour, type Hour, joinHours } from '../hours.ts';

export interface Gap {
  readonly start: string;
  readonly end: string;
  readonly hours: number;
  /** Fills it. */
  readonly command: string;
}

export function gapsOf(missing: readonly Hour[]): Gap[] {
  return joinHours(missing, Number.POSITIVE_INFINITY).map((window) => {
    const [start, end] = [formatHour(window.start), formatHour(window.end)];
    return { start, end, hours: window.end - window.start, command: fillCommand(start, end) };
  });
}

/** Asks for the gaps between two hours, and for nothing there that is sealed and settled. */
export function fillCommand(start: string, end: string): string {
  return command(`export --start ${start} --end ${end}`);
}

/** Fills all of them. There is at least one. */
export function fillAll(gaps: readonly Gap[]): string {
  return fillCommand(gaps[0]?.start ?? '', gaps.at(-1)?.end ?? '');
}
