import { RequestFault } from '../amplitude/faults.ts';
import { askFor, readRefusal } from '../amplitude/request.ts';
import type { Settings } from '../config/settings.ts';
import { formatHour, readyEnd } from '../hours.ts';
import { agentsFor } from '../network.ts';
import { redaction } from '../redaction.ts';
import { type Check, ok, told, warned } from './check.ts';
import type { Clocks } from './clock.ts';

interface Options {
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly clocks: Clocks;
}

/** Host and keys, by one request for an hour that has settled. Of an archive nothing but the head is read. */
export async function amplitudeCheck(settings: Settings, { now, signal, clocks }: Options): Promise<Check> {
  const hour = readyEnd(now()) - 1 - settings.settleHours;
  const window = { start: hour, end: hour + 1 };
  const agents = agentsFor(settings.amplitude.proxyEnv);
  const options = { settings: settings.amplitude, signal, now, agents, redact: redaction(settings.secrets) };
  try {
    return await askFor(window, options, async (head) => {
      clocks.hear("Amplitude's", head.headers.date, head.sentAt, head.cameAt);
      if (head.status !== 200) {
        const { quote } = await readRefusal(window, head, options);
        if (quote === undefined)
          return ok('amplitude', `the keys are right (HTTP 404, no data in ${formatHour(hour)})`);
        return warned(
          'amplitude',
          `HTTP 404, "${quote}": not in the words that Amplitude uses, and taken for "no data"`,
          'Check AMPLITUDE_BASE_URL and what stands between here and Amplitude, if these words are not its own.',
        );
      }
      const type = head.headers['content-type'] ?? '';
      // A login page or a proxy says 200 too.
      if (/html|json/i.test(type)) {
        throw new RequestFault('not-amplitude', window, `HTTP 200, ${type}, which is no answer of the Export API`);
      }
      return ok('amplitude', `the keys are right (HTTP 200 for ${formatHour(hour)})`);
    });
  } catch (error) {
    // A limit passes, and an hour that is too large says nothing of the others.
    const passes = error instanceof RequestFault && ['rate-limit', 'too-large'].includes(error.kind);
    if (passes) return told('amplitude', 'warn', error);
    throw error;
  } finally {
    agents.http.destroy();
    agents.https.destroy();
  }
}
