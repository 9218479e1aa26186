import { clocksApart, skewed } from '../amplitude/clock.ts';
import { CLOCKS_APART_MS } from '../hours.ts';
import { type Check, ok, skipped, warned } from './check.ts';

/** A run stops at five minutes; a clock that drifts reaches one minute long before. */
const DRIFTS_MS = 60_000;

/** Compares this machine's clock with the first answer of each side. */
export class Clocks {
  readonly #heard = new Map<string, { theirs: Date; ours: Date; apartMs: number }>();

  hear(side: "Amplitude's" | "the store's", date: string | undefined, sentAt: Date, cameAt: Date): void {
    const apart = clocksApart(date, sentAt, cameAt);
    if (apart !== undefined && !this.#heard.has(side)) this.#heard.set(side, { ...apart, ours: cameAt });
  }

  /** Throws CLOCK_SKEW where a run would stop. */
  check(): Check {
    const [worst] = [...this.#heard].sort(([, a], [, b]) => b.apartMs - a.apartMs);
    if (worst === undefined) return skipped('clock', 'not compared: no answer gave the time');
    const [side, { ours, ...apart }] = worst;
    if (apart.apartMs > CLOCKS_APART_MS) throw skewed(side, apart, ours);
    const seconds = [...this.#heard].map(([whose, { apartMs }]) => `${Math.floor(apartMs / 1000)} s from ${whose}`);
    const message = seconds.join(', ');
    if (apart.apartMs < DRIFTS_MS) return ok('clock', message);
    return warned('clock', `${message}; at 5 minutes a run stops`, "Set this machine's clock by NTP, or its host's.");
  }
}
