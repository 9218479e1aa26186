import { setTimeout as pause } from 'node:timers/promises';

/** The body of an answer that is no archive, as far as it came. */
export interface ErrorBody {
  readonly text: string;
  /** How it ended: `long` is cut by us, `late` did not come in time, `cut` broke off. */
  readonly end: 'whole' | 'long' | 'late' | 'cut';
}

/** Longer pages say nothing more that is worth a quote. */
const ERROR_BODY_BYTES = 64 * 1024;

/** Reads what comes in `ms`: the status says what matters, so the page may be cut short. */
export async function readErrorBody(stream: AsyncIterable<Buffer>, ms: number): Promise<ErrorBody> {
  const chunks = stream[Symbol.asyncIterator]();
  const deadline = performance.now() + ms;
  const parts: Buffer[] = [];
  let bytes = 0;
  const readToEnd = async (): Promise<ErrorBody['end']> => {
    while (bytes < ERROR_BODY_BYTES) {
      const next = await within(deadline - performance.now(), chunks.next());
      if (next === undefined) return 'late';
      if (next.done === true) return 'whole';
      parts.push(next.value);
      bytes += next.value.length;
    }
    return 'long';
  };
  const end = await readToEnd().catch(() => 'cut' as const);
  return { text: Buffer.concat(parts).subarray(0, ERROR_BODY_BYTES).toString('utf8'), end };
}

/**
 * The chunks of `stream`. Throws what `stalled` makes where none comes for `idleMs`, or fewer than `leastRate` bytes a
 * second over `periodMs`. Only the time spent waiting for them counts: a slow disk here is not the sender's fault.
 */
export async function* atPace(
  stream: AsyncIterable<Buffer>,
  { idleMs, leastRate, periodMs }: { idleMs: number; leastRate: number; periodMs: number },
  stalled: (why: string) => Error,
): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  let bytes = 0;
  let waitedMs = 0;
  for (;;) {
    const started = performance.now();
    const next = await within(idleMs, chunks.next());
    if (next === undefined) throw stalled(`no data came for ${idleMs / 1000} s`);
    if (next.done === true) return;
    waitedMs += performance.now() - started;
    bytes += next.value.length;
    if (waitedMs >= periodMs) {
      const rate = bytes / (waitedMs / 1000);
      if (rate < leastRate) throw stalled(`the answer came at ${Math.round(rate)} bytes a second`);
      bytes = 0;
      waitedMs = 0;
    }
    yield next.value;
  }
}

/** Undefined where `work` takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  try {
    return await Promise.race([work, pause(Math.max(0, ms), undefined, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
