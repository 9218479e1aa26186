/** A line that is no event. `start` and `end` are offsets in the uncompressed member, with its line end. */
export interface BadLine {
  /** From 1 on. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly reason: 'not_an_object' | 'invalid_json';
}

const LF = 0x0a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BOM = Buffer.from('\ufeff');

/** With `strict`, a longer line is not parsed but counted as invalid: parsing needs it whole in memory. */
const LONGEST_PARSED = 32 * 2 ** 20;

const isSpace = (byte: number | undefined) => byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);

/**
 * Counts events, one a line, over chunks that may cut lines anywhere. A line is an event when it begins with `{` and
 * ends with `}` after white space is trimmed. Blank lines count for nothing. `strict` also parses each line.
 */
export class LineScanner {
  events = 0;
  bytes = 0;
  readonly bad: BadLine[] = [];
  readonly #strict: boolean;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  /** The first bytes, until there are enough to tell a byte order mark. */
  #beginning: Buffer | undefined = Buffer.alloc(0);
  #line = 1;
  #lineStart = 0;
  /** The first and last byte of the line so far that is no white space. */
  #first: number | undefined;
  #last: number | undefined;
  /** With `strict`: the line so far, copied where it goes on in the next chunk. */
  #pieces: Buffer[] = [];

  constructor({ strict }: { strict: boolean }) {
    this.#strict = strict;
  }

  push(chunk: Buffer): void {
    if (this.#beginning === undefined) {
      this.#scan(chunk);
      return;
    }
    this.#beginning = Buffer.concat([this.#beginning, chunk]);
    if (this.#beginning.length >= BOM.length) this.#begin(this.#beginning);
  }

  /** Call it after the last chunk: the last line may have no line end. */
  end(): void {
    if (this.#beginning !== undefined) this.#begin(this.#beginning);
    if (this.#lineStart < this.bytes) this.#endLine(this.bytes);
  }

  #begin(beginning: Buffer): void {
    this.#beginning = undefined;
    if (beginning.subarray(0, BOM.length).equals(BOM)) this.bytes = BOM.length;
    this.#scan(beginning.subarray(this.bytes));
  }

  #scan(chunk: Buffer): void {
    let start = 0;
    for (let lf = chunk.indexOf(LF); lf !== -1; lf = chunk.indexOf(LF, start)) {
      this.#take(chunk, start, lf);
      this.#endLine(this.bytes + lf + 1);
      start = lf + 1;
    }
    this.#take(chunk, start, chunk.length);
    this.bytes += chunk.length;
    // The line goes on, the memory of the chunk does not.
    const rest = this.#pieces.pop();
    if (rest !== undefined) this.#pieces.push(Buffer.from(rest));
  }

  /** Takes what of a line is in one chunk. */
  #take(chunk: Buffer, pieceStart: number, pieceEnd: number): void {
    if (this.#strict && this.bytes + pieceEnd - this.#lineStart <= LONGEST_PARSED) {
      this.#pieces.push(chunk.subarray(pieceStart, pieceEnd));
    }
    let start = pieceStart;
    let end = pieceEnd;
    while (start < end && isSpace(chunk[start])) start++;
    while (end > start && isSpace(chunk[end - 1])) end--;
    if (start === end) return;
    this.#first ??= chunk[start];
    this.#last = chunk[end - 1];
  }

  #endLine(end: number): void {
    const reject = (reason: BadLine['reason']) =>
      this.bad.push({ line: this.#line, start: this.#lineStart, end, reason });
    if (this.#first !== undefined) {
      if (this.#first !== OPEN || this.#last !== CLOSE) reject('not_an_object');
      else if (this.#strict && !this.#parses(end - this.#lineStart)) reject('invalid_json');
      else this.events++;
    }
    this.#line++;
    this.#lineStart = end;
    this.#first = undefined;
    this.#last = undefined;
    this.#pieces = [];
  }

  #parses(lineBytes: number): boolean {
    if (lineBytes > LONGEST_PARSED + 1) return false;
    try {
      const [only] = this.#pieces;
      JSON.parse(this.#utf8.decode(this.#pieces.length === 1 ? only : Buffer.concat(this.#pieces)));
      return true;
    } catch {
      return false;
    }
  }
}

/** The member without its bad lines. */
export async function* goodLines(chunks: AsyncIterable<Buffer>, bad: readonly BadLine[]): AsyncGenerator<Buffer> {
  for await (const { bytes, line } of cut(chunks, bad)) if (line === undefined) yield bytes;
}

/** The bad lines as JSON lines with their content in base64. Long ones come in pieces. */
export async function* quarantineLines(chunks: AsyncIterable<Buffer>, bad: readonly BadLine[]): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const { bytes, line, isFirst, isLast } of cut(chunks, bad)) {
    if (line === undefined) continue;
    const content = Buffer.concat([rest, bytes]);
    // Base64 takes three bytes at a time: what is left over waits for the next piece.
    const taken = isLast ? content.length : content.length - (content.length % 3);
    rest = content.subarray(taken);
    const head = isFirst ? `{"line":${line.line},"reason":"${line.reason}","base64":"` : '';
    yield Buffer.from(`${head}${content.toString('base64', 0, taken)}${isLast ? '"}\n' : ''}`);
  }
}

/** Cuts the chunks where bad lines start and end. Of the bytes between two of them `line` is undefined. */
async function* cut(chunks: AsyncIterable<Buffer>, bad: readonly BadLine[]) {
  let offset = 0;
  let next = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; ) {
      const coming = bad[next];
      const line = coming !== undefined && offset + start >= coming.start ? coming : undefined;
      const border = line?.end ?? coming?.start ?? Number.POSITIVE_INFINITY;
      const end = Math.min(chunk.length, border - offset);
      const isLast = line !== undefined && offset + end === border;
      yield { bytes: chunk.subarray(start, end), line, isFirst: offset + start === line?.start, isLast };
      if (isLast) next++;
      start = end;
    }
    offset += chunk.length;
  }
}
