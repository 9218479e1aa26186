import { RequestFault } from '../amplitude/faults.ts';
import { askFor, readRefusal } from '../amplitude/request.ts';
import type { Settings } from '../config/settings.ts';
import { formatHour, readyEnd } from '../hours.ts';
import { agentsFor } from '../network.ts';
import { redaction } from '../redaction.ts';
import { type Check, type DoctorOptions, ok, warned } from './check.ts';
import type { Clocks } from './clock.ts';

/** Tries host and keys by one request for a settled hour. It reads no more than the head of an archive. */
export async function amplitudeCheck(settings: Settings, given: DoctorOptions, clocks: Clocks): Promise<Check> {
  const { now, signal } = given;
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
