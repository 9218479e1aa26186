import { clocksApart, skewed } from '../amplitude/clock.ts';
import { RequestFault } from '../amplitude/faults.ts';
import { askFor, readRefusal } from '../amplitude/request.ts';
import type { Settings } from '../config/settings.ts';
import { CLOCKS_APART_MS, formatHour, readyEnd } from '../hours.ts';
import { agentsFor } from '../network.ts';
import { redaction } from '../redaction.ts';
import { type Check, type DoctorOptions, ok, skipped, tried, warned } from './check.ts';
import { destinationChecks } from './destination.ts';
import { certificatesCheck, proxyCheck, settingsChecks } from './settings.ts';
import { workDirCheck } from './space.ts';

/** Tries what a run needs. A failed check does not stop the others, and the destination is left as it was. */
export async function* examine(settings: Settings, options: DoctorOptions): AsyncGenerator<Check> {
  const { env, signal } = options;
  const clocks = new Clocks();
  yield* settingsChecks(settings, env);
  yield await tried('proxy', signal, () => proxyCheck(settings));
  yield await tried('certificates', signal, () => certificatesCheck(settings, env));
  yield await tried('amplitude', signal, () => amplitudeCheck(settings, options, clocks));
  yield* destinationChecks(settings, options, (...heard) => clocks.hear("the store's", ...heard));
  yield await tried('clock', signal, async () => clocks.check());
  yield await tried('work dir', signal, () => workDirCheck(settings));
}

/** Tries host and keys by one request for a settled hour. It reads no more than the head of an archive. */
async function amplitudeCheck(settings: Settings, { now, signal }: DoctorOptions, clocks: Clocks): Promise<Check> {
  const hour = readyEnd(now()) - 1 - settings.settleHours;
  const window = { start: hour, end: hour + 1 };
  const agents = agentsFor(settings.amplitude.proxyEnv);
  const options = { settings: settings.amplitude, signal, now, agents, redact: redaction(settings.secrets) };
  try {
    return await askFor(window, options, async (head) => {
      clocks.hear("Amplitude's", head.headers.date, head.sentAt, head.cameAt);
      if (head.status === 200) {
        const type = head.headers['content-type'] ?? '';
        // A login page or a proxy answers 200 too.
        if (!/html|json/i.test(type)) return ok('amplitude', `the keys are right (HTTP 200 for ${formatHour(hour)})`);
        throw new RequestFault('not-amplitude', window, `HTTP 200, ${type}, which is not an answer of the Export API`);
      }
      const { quote } = await readRefusal(window, head, options);
      if (quote === undefined) return ok('amplitude', `the keys are right (HTTP 404, no data in ${formatHour(hour)})`);
      return warned(
        'amplitude',
        `HTTP 404, "${quote}": a run takes this for "no data", but Amplitude usually says it in other words`,
        'If Amplitude did not send this, check AMPLITUDE_BASE_URL and the proxies on the way.',
      );
    });
  } finally {
    agents.http.destroy();
    agents.https.destroy();
  }
}

/** A run stops at five minutes; a clock that drifts reaches one minute long before. */
const DRIFTS_MS = 60_000;

/** Compares this machine's clock with the first answer of each side. */
class Clocks {
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
