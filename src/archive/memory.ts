import v8 from 'node:v8';

// The objects of a stream of chunks are few and small, the memory behind them is not: in a young generation that grows
// they wait long for their collection. On four archives of 60 MB at once: a peak of 180 MiB, not 256, in the same time.
// V8 reads the flag each time it would grow, so it may be set this late.
v8.setFlagsFromString('--semi-space-growth-factor=1');

/**
 * For ten thousand small answers or members. On a year's status: a peak of 137 MB, not 214, a sixth more time. On 50,000
 * members of one hour: 227 MiB, not 317.
 */
export function collectEagerly(): void {
  v8.setFlagsFromString('--heap-growing-percent=50');
}

/**
 * Gives the memory of a chunk back before the garbage collector does. Only the one holder of a chunk may call it, with no
 * reader under way. Memory of another size than `bytes` is shared, as Node's pool is, and stays.
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

  /** Returns false, and takes nothing, where less than `bytes` is left. */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}
