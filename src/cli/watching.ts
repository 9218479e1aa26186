import type { Watch } from '../config/watch.ts';
import { EXIT, systemCode } from '../errors.ts';
import { printable } from '../format.ts';
import { trust } from '../network.ts';
import { redaction } from '../redaction.ts';
import { ForeignMetrics, metricsAfter, type RunEnd } from './metrics.ts';
import { changeFile } from './metrics-file.ts';
import { type Notification, notify } from './notify.ts';
import type { Output } from './output.ts';

/** How a run ended, as far as its caller knows. */
export interface Ended extends Pick<RunEnd, 'command' | 'startedAt' | 'endedAt' | 'exitCode'> {
  /** What was thrown. */
  readonly error: unknown;
}

/**
 * Tells of a run in METRICS_FILE, and at NOTIFY_URL if it failed. What goes wrong here is a warning: it changes nothing
 * about the run.
 */
export async function tellWatchers(ended: Ended, watch: Watch, out: Output): Promise<void> {
  // Whoever makes a slip at the terminal, or stops a run there, sees it.
  const isSeen = process.stderr.isTTY && ended.exitCode === EXIT.usage;
  if (isSeen || ended.exitCode === EXIT.SIGINT) return;
  const { metricsFile, notifyUrl } = watch;
  const redact = redaction(watch.secrets);
  const clean = (text: string) => printable(redact(text));
  const destination = watch.destination && clean(watch.destination);
  if (metricsFile !== undefined && destination !== undefined) {
    await writeMetrics(metricsFile, { ...ended, destination, report: out.document }, out);
  }
  if (notifyUrl === undefined || ended.exitCode === EXIT.done) return;
  // Where the settings are wrong, nothing has been trusted yet.
  if (ended.error !== undefined) attempt(() => trust(watch.caBundle));
  const why = await notify(notificationOf(ended, destination, out, clean), watch).catch(
    (error: unknown) => `it failed with ${systemCode(error) ?? 'an unknown error'}`,
  );
  if (why === undefined) out.log.info('NOTIFY_URL got a message about this run.');
  else out.log.warn(`NOTIFY_URL got no message about this run: ${why}. Check its value, and the proxies on the way.`);
}

async function writeMetrics(file: string, end: RunEnd, { log }: Output): Promise<void> {
  try {
    await changeFile(file, (before) => metricsAfter(end, before));
  } catch (error) {
    const why =
      error instanceof ForeignMetrics
        ? 'which holds metrics of another program, and stays as it is. Name a file of its own'
        : `which cannot be written (${systemCode(error) ?? String(error)})`;
    log.warn(`METRICS_FILE names ${file}, ${why}.`);
  }
}

/** More does not fit a screen of a telephone. */
const LINES = 5;
const LINE_LENGTH = 600;

function notificationOf(
  { command, exitCode }: Ended,
  destination: string | undefined,
  { ending, errors: heard }: Output,
  clean: (text: string) => string,
): Notification {
  const { text: summary = '', failing = '' } = ending ?? {};
  // A log for machines has the last line of the summary as an error.
  const errors = heard.filter(({ text }) => !summary.includes(text));
  const said = errors.length > 0 ? errors.map(({ text }) => text) : [summary];
  const lines = said
    .flatMap((text) => clean(text).split('\n'))
    .filter((line) => line.trim() !== '')
    .slice(0, LINES)
    .map((line) => (line.length > LINE_LENGTH ? `${line.slice(0, LINE_LENGTH)}…` : line));
  const code = errors.findLast((each) => each.code !== undefined)?.code ?? null;
  const where = destination === undefined ? '' : ` for ${destination}`;
  const head = `amplitude-to-s3: ${command}${where} ended with exit code ${exitCode}${code === null ? '' : ` (${code})`}.`;
  const text = [head, ...(failing === '' ? [] : [`Hours: ${failing}`]), ...lines].join('\n');
  return { text: forSlack(text), command, destination: destination ?? null, exitCode, code, hours: failing, lines };
}

/** Slack reads <!channel> in a quoted answer as an order to call everybody. */
function forSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // The run has said what is wrong.
  }
}
