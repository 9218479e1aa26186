import { clocksApart, skewed } from '../amplitude/clock.ts';
import { CLOCKS_APART_MS } from '../hours.ts';
import { type Check, ok, skipped, told, warned } from './check.ts';

/** Clocks that drift reach a minute long before they reach the five at which a run stops. */
const DRIFTS_MS = 60_000;

type Side = "Amplitude's" | "the store's";

/** What the first answer of each side says of this machine's clock. */
export class Clocks {
  readonly #told = new Map<Side, { theirs: Date; ours: Date; apartMs: number }>();

  hear(side: Side, date: string | undefined, sentAt: Date, cameAt: Date): void {
    const apart = clocksApart(date, sentAt, cameAt);
    if (apart !== undefined && !this.#told.has(side)) this.#told.set(side, { ...apart, ours: cameAt });
  }

  check(): Check {
    const [first] = [...this.#told].sort(([, a], [, b]) => b.apartMs - a.apartMs);
    if (first === undefined) return skipped('clock', 'not compared: no answer told the time');
    const [side, { ours, ...worst }] = first;
    if (worst.apartMs > CLOCKS_APART_MS) return told('clock', 'failed', skewed(side, worst, ours));
    const message = [...this.#told]
      .map(([whose, { apartMs }]) => `${Math.floor(apartMs / 1000)} s from ${whose}`)
      .join(', ');
    if (worst.apartMs < DRIFTS_MS) return ok('clock', message);
    return warned('clock', `${message}; at 5 minutes a run stops`, 'Set the clock (NTP), or that of the host.');
  }
}
