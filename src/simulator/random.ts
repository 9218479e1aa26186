// Formatting them each time would be most of the cost of an event.
const HEX4 = Array.from({ length: 0x10000 }, (_, number) => number.toString(16).padStart(4, '0'));
const THREE_DIGITS = Array.from({ length: 1000 }, (_, number) => number.toString().padStart(3, '0'));

/**
 * Repeatable random numbers: sfc32, whose 128 bits of state keep the streams of any two parts apart, so that no two
 * parts ever hold the same uuid.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: number, stream = 0, part = 0) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = part | 0;
    for (let round = 0; round < 15; round++) this.bits();
  }

  /** 32 random bits as an integer from 0. */
  bits(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number from 0, below 1. */
  fraction(): number {
    return this.bits() / 2 ** 32;
  }

  /** An integer from 0, below `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** 8 hexadecimal digits. */
  hex(): string {
    const bits = this.bits();
    return `${HEX4[bits >>> 16]}${HEX4[bits & 0xffff]}`;
  }

  uuid(): string {
    const [middle, rest] = [this.bits(), this.bits()];
    return `${this.hex()}-${HEX4[middle >>> 16]}-4${HEX4[middle & 0xffff]?.slice(1)}-a${HEX4[rest >>> 16]?.slice(1)}-${HEX4[rest & 0xffff]}${this.hex()}`;
  }

  /** `000` to `999`. */
  threeDigits(): string {
    return THREE_DIGITS[this.below(1000)] ?? '000';
  }

  /** The 19 digits of an integer that fits 64 bits and no JavaScript number. */
  longInteger(): string {
    const first = 1 + this.below(8);
    return `${first}${Array.from({ length: 6 }, () => this.threeDigits()).join('')}`;
  }
}
