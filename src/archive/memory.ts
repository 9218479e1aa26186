import v8 from 'node:v8';

// The objects of a stream of chunks are few and small, the memory behind them is not: with a young generation that may
// grow they wait long for their collection. Measured on four archives of 60 MB at once: a peak of 180 MiB instead of
// 256, in the same time. V8 reads the flag each time that it would grow, so it may be set this late.
v8.setFlagsFromString('--semi-space-growth-factor=1');

/**
 * For commands that ask for ten thousand small things and keep little of each: V8 would let the garbage of the answers grow
 * with their number. Measured on a year's status: a peak of 137 MB instead of 214, for a sixth more processor time.
 */
export function collectEagerly(): void {
  v8.setFlagsFromString('--heap-growing-percent=50');
}

/**
 * Gives the memory of a chunk back before the garbage collector comes by; the only place that does. For who alone has a view
 * of it, with no reader under way: the one who asked a body for it and has copied it, or the generator that handed it out and
 * was asked for the next. Memory of another size than `bytes` is shared, as Node's pool is, and stays.
 */
export function giveBack({ buffer, byteOffset, byteLength }: Buffer, bytes = byteLength): void {
  const isLast = buffer.byteLength === bytes && byteOffset + byteLength === bytes;
  if (isLast && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** A number of bytes that several users share. */
export class MemoryBudget {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Takes `bytes` if so much is left; otherwise nothing, and false. */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}
