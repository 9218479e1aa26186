import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** Faults in the way the body of a 200 travels, as help describes them. */
export const DELIVERIES = {
  'stall-body': 'half of the body, then silence',
  'truncated-length': 'Content-Length announced, closed half way',
  'cut-chunked': 'a chunked body, closed half way',
  slow: 'the body dribbles for a second or two, but is whole',
  'truncated-zip': 'a complete answer with the first half of the archive',
};

const SLOW_STEPS = 10;
const SLOW_STEP_MS = 120;

/** Sends an archive as the body of a 200. Where a fault falls on it, the archive is first gathered in memory. */
export async function deliver(
  response: ServerResponse,
  archive: AsyncIterable<Buffer>,
  fault: keyof typeof DELIVERIES | undefined,
): Promise<void> {
  response.setHeader('Content-Type', 'application/zip');
  if (fault === undefined) return await pipeline(archive, response);
  const whole = await buffer(Readable.from(archive));
  const half = whole.subarray(0, Math.floor(whole.length / 2));
  if (fault === 'slow') return await pipeline(slowly(whole), response);
  if (fault === 'truncated-zip') return await pipeline([half], response);
  if (fault === 'truncated-length') response.setHeader('Content-Length', whole.length);
  await pipeline([half], response, { end: false });
  if (fault !== 'stall-body') response.socket?.destroySoon();
}

async function* slowly(whole: Buffer): AsyncGenerator<Buffer> {
  const step = Math.ceil(whole.length / SLOW_STEPS);
  for (let start = 0; start < whole.length; start += step) {
    yield whole.subarray(start, start + step);
    await wait(SLOW_STEP_MS);
  }
}
