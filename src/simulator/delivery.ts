import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { DeliveryFault } from './faults.ts';

const SLOW_STEPS = 10;
const SLOW_STEP_MS = 120;

/**
 * Sends an archive as the body of a 200. `archive` makes the same bytes at each call: where the length must be known
 * ahead, the archive is made twice instead of being held in memory.
 */
export async function deliver(
  response: ServerResponse,
  archive: () => AsyncIterable<Buffer>,
  fault: DeliveryFault | undefined,
  announceLength: boolean,
): Promise<void> {
  const announce = announceLength || fault === 'truncated-length';
  const length = announce || fault !== undefined ? await lengthOf(archive()) : 0;
  const whole = fault === 'truncated-zip' ? Math.floor(length / 2) : length;
  response.writeHead(200, {
    'Content-Type': 'application/zip',
    ...(announce ? { 'Content-Length': whole } : {}),
  });
  switch (fault) {
    case undefined:
      await pipeline(archive(), response);
      return;
    case 'slow':
      await pipeline(slowly(archive(), length / SLOW_STEPS), response);
      return;
    case 'truncated-zip':
      await pipeline(firstBytes(archive(), whole), response);
      return;
    case 'stall-body':
    case 'truncated-length':
    case 'cut-chunked':
      break;
  }
  await pipeline(firstBytes(archive(), Math.floor(length / 2)), response, {
    end: false,
  });
  if (fault === 'stall-body') {
    if (!response.destroyed) await once(response, 'close');
  } else response.socket?.destroySoon();
}

async function lengthOf(archive: AsyncIterable<Buffer>): Promise<number> {
  let length = 0;
  for await (const chunk of archive) length += chunk.length;
  return length;
}

async function* firstBytes(archive: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const chunk of archive) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

async function* slowly(archive: AsyncIterable<Buffer>, step: number): AsyncGenerator<Buffer> {
  const bytes = Math.max(1, Math.ceil(step));
  let sent = 0;
  for await (const chunk of archive) {
    let at = 0;
    while (at < chunk.length) {
      const until = Math.min(chunk.length, at + bytes - (sent % bytes));
      yield chunk.subarray(at, until);
      sent += until - at;
      at = until;
      if (sent % bytes === 0) await wait(SLOW_STEP_MS);
    }
  }
}
