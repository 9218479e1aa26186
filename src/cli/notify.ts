import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { readErrorBody } from '../amplitude/body.ts';
import type { Watch } from '../config/watch.ts';
import { systemCode } from '../errors.ts';
import { printableName } from '../format.ts';
import { agentsFor, isTransientCause } from '../network.ts';
import { redaction } from '../redaction.ts';
import { VERSION } from '../version.ts';

/** What is posted; without secrets. Slack and its kind show `text` and pass over the rest. */
export interface Notification {
  readonly text: string;
  readonly command: string;
  readonly destination: string | null;
  readonly exitCode: number;
  /** Of the error that ended the run; null where the run came to its end. */
  readonly code: string | null;
  /** The hours that made it fail, for people. */
  readonly hours: string;
  readonly lines: readonly string[];
}

const PAUSES_MS = [1000, 3000];
const TIMEOUT_MS = 10_000;
/** Of an answer that is a refusal. */
const QUOTED = 200;

interface Failure {
  /** Names no host and no path: both may be secret. */
  readonly why: string;
  readonly isTransient: boolean;
}

/** Posts to the webhook, up to three times. Resolves to why that failed. */
export async function notify(
  notification: Notification,
  { notifyUrl, proxyEnv, secrets }: Pick<Watch, 'notifyUrl' | 'proxyEnv' | 'secrets'>,
  { pausesMs = PAUSES_MS, timeoutMs = TIMEOUT_MS } = {},
): Promise<string | undefined> {
  const url = new URL(notifyUrl ?? '');
  const body = JSON.stringify(notification);
  const redact = redaction(secrets);
  const agents = agentsFor(proxyEnv, undefined, timeoutMs);
  const attempt = async (): Promise<Failure | undefined> => {
    const failure = await post(url, body, agents, timeoutMs);
    return failure && { ...failure, why: printableName(redact(failure.why, true)).slice(0, QUOTED) };
  };
  let failure = await attempt();
  for (const ms of pausesMs) {
    if (failure?.isTransient !== true) break;
    await pause(ms);
    failure = await attempt();
  }
  return failure?.why;
}

async function post(
  url: URL,
  body: string,
  agent: ReturnType<typeof agentsFor>,
  ms: number,
): Promise<Failure | undefined> {
  // Most runs have nothing to say.
  const { default: got } = await import('got');
  const request = got.stream.post(url, {
    body,
    headers: { 'content-type': 'application/json', 'user-agent': `amplitude-to-s3/${VERSION}` },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    agent,
    timeout: { request: ms },
  });
  request.on('error', () => undefined);
  try {
    const [{ statusCode: status = 0 }] = (await once(request, 'response')) as [IncomingMessage];
    if (status >= 200 && status < 300) return undefined;
    const { text } = await readErrorBody(request, ms);
    const said = text.replace(/\s+/g, ' ').trim();
    const quote = said === '' ? '' : `, "${said}"`;
    return { why: `it answers HTTP ${status}${quote}`, isTransient: status === 408 || status === 429 || status >= 500 };
  } catch (error) {
    const code = systemCode(error) ?? (error as { code?: string }).code ?? 'no connection';
    return { why: `it cannot be reached (${code})`, isTransient: code === 'ETIMEDOUT' || isTransientCause(error) };
  } finally {
    request.destroy();
  }
}
