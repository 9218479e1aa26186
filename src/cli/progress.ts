import { MultiBar, Presets } from 'cli-progress';
import type { Plan } from '../export/plan.ts';
import type { Tally } from '../export/tally.ts';
import { size } from '../format.ts';

/** A line on the terminal that shows how far the run is: hours, bytes and rate. */
export interface Progress {
  start(plan: Plan, tally: Tally): void;
  /** Writes a line of the log above the display. */
  line(text: string): void;
  stop(): void;
}

const REDRAW_MS = 200;

export function terminalProgress(stream: NodeJS.WriteStream): Progress {
  let bars: MultiBar | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    start(plan, tally) {
      if (plan.hours.size === 0) return;
      const format = '{bar} {value}/{total} hours | {downloaded} down, {uploaded} up | {rate}/s';
      const options = { stream, format, barsize: 20, hideCursor: true, clearOnComplete: true, forceRedraw: true };
      bars = new MultiBar(options, Presets.shades_classic);
      const started = performance.now();
      const payload = () => ({
        downloaded: size(tally.downloadedBytes),
        uploaded: size(tally.uploadedBytes),
        rate: size(Math.round(tally.uploadedBytes / Math.max(0.001, (performance.now() - started) / 1000))),
      });
      const bar = bars.create(plan.hours.size, 0, payload());
      timer = setInterval(() => bar.update(tally.done, payload()), REDRAW_MS);
    },
    line(text) {
      if (bars === undefined) stream.write(`${text}\n`);
      else bars.log(`${text}\n`);
    },
    stop() {
      clearInterval(timer);
      // Lines of the log wait for the next redraw, and none comes after the last.
      bars?.update();
      bars?.stop();
      bars = undefined;
    },
  };
}
