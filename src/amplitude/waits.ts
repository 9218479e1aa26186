/** The body of an answer that is no archive, as far as it came. */
export interface ErrorBody {
  readonly text: string;
  /** False where more was to come. */
  readonly whole: boolean;
  /** Why it is not whole, where that is no matter of its length. */
  readonly broken: 'late' | 'cut' | undefined;
}

/** Longer pages say nothing more that is worth a quote. */
const ERROR_BODY_BYTES = 64 * 1024;

/** The chunks of `stream`; throws what `late` makes once none has come for `ms`. */
export async function* withIdleTimeout(
  stream: AsyncIterable<Buffer>,
  ms: number,
  late: () => Error,
): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await within(ms, chunks.next());
    if (next === undefined) throw late();
    if (next.done === true) return;
    yield next.value;
  }
}

/**
 * The chunks of `stream`; throws what `slow` makes where fewer than `least` bytes a second came over `periodMs`. Only the
 * time counts that was spent waiting for them, so that a slow disk here is not held against the sender.
 */
export async function* withLeastRate(
  stream: AsyncIterable<Buffer>,
  { least, periodMs }: { least: number; periodMs: number },
  slow: (bytesPerSecond: number) => Error,
): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  let bytes = 0;
  let waited = 0;
  for (;;) {
    const started = performance.now();
    const { done, value } = await chunks.next();
    waited += performance.now() - started;
    if (done === true) return;
    bytes += value.length;
    if (waited >= periodMs) {
      const rate = bytes / (waited / 1000);
      if (rate < least) throw slow(rate);
      bytes = 0;
      waited = 0;
    }
    yield value;
  }
}

/** What came of `stream` in `ms`: the status says what matters, the page that comes with it may be cut short. */
export async function readErrorBody(stream: AsyncIterable<Buffer>, ms: number): Promise<ErrorBody> {
  const chunks = stream[Symbol.asyncIterator]();
  const end = performance.now() + ms;
  const parts: Buffer[] = [];
  let bytes = 0;
  let broken: ErrorBody['broken'];
  let whole = false;
  try {
    while (bytes < ERROR_BODY_BYTES) {
      const next = await within(end - performance.now(), chunks.next());
      if (next === undefined) broken = 'late';
      whole = next?.done === true;
      if (next === undefined || next.done === true) break;
      parts.push(next.value);
      bytes += next.value.length;
    }
  } catch {
    broken = 'cut';
  }
  return { text: Buffer.concat(parts).subarray(0, ERROR_BODY_BYTES).toString('utf8'), whole, broken };
}

/** Undefined where `work` takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
