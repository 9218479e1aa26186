import { createRequire } from 'node:module';
import type { MultiBar } from 'cli-progress';
import { size } from '../format.ts';

/** What a run counts while it goes on; `done` are hours. */
interface Counts {
  readonly done: number;
  readonly downloadedBytes: number;
  readonly uploadedBytes: number;
}

const REDRAW_MS = 200;
const FORMAT = '{bar} {value}/{total} hours | {downloaded} down, {uploaded} up | {rate}/s';
const LOOK = { format: FORMAT, barsize: 20, hideCursor: true, clearOnComplete: true, forceRedraw: true };

/** A line on the terminal that shows how far a run is: hours, bytes and rate. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #bars: MultiBar | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** Shows `counts` as they grow. */
  start(hours: number, counts: Counts): void {
    if (hours === 0) return;
    // Only a person at a terminal waits for its twenty files.
    const { MultiBar, Presets }: typeof import('cli-progress') = createRequire(import.meta.url)('cli-progress');
    this.#bars = new MultiBar({ stream: this.#stream, ...LOOK }, Presets.shades_classic);
    const started = performance.now();
    const shown = () => ({
      downloaded: size(counts.downloadedBytes),
      uploaded: size(counts.uploadedBytes),
      rate: size(Math.round(counts.uploadedBytes / Math.max(0.001, (performance.now() - started) / 1000))),
    });
    const bar = this.#bars.create(hours, 0, shown());
    this.#timer = setInterval(() => bar.update(counts.done, shown()), REDRAW_MS);
  }

  /** Writes a line of the log above the display. */
  line(text: string): void {
    if (this.#bars === undefined) this.#stream.write(`${text}\n`);
    else this.#bars.log(`${text}\n`);
  }

  stop(): void {
    clearInterval(this.#timer);
    // Lines of the log wait for the next redraw, and none comes after the last.
    this.#bars?.update();
    this.#bars?.stop();
    this.#bars = undefined;
  }
}
