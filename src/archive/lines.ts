/** A line that is no event. `start` and `end` are offsets in the uncompressed member, its line end included. */
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
const BOM = [0xef, 0xbb, 0xbf];

/** With `strict`, a line longer than this is not parsed but counted as invalid: parsing needs it whole in memory. */
const LONGEST_PARSED = 32 * 2 ** 20;

const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/**
 * Counts events, one a line, over chunks that may cut lines anywhere. A line is an event when it begins with `{` and
 * ends with `}` once white space is trimmed; blank lines count for nothing. `strict` parses each line besides.
 */
export class LineScanner {
  events = 0;
  bytes = 0;
  readonly bad: BadLine[] = [];
  readonly #strict: boolean;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  #line = 1;
  #lineStart = 0;
  /** First and last byte of the line so far that is no white space; -1: none yet. */
  #first = -1;
  #last = -1;
  #bom = 0;
  /** With `strict`: copies of the line's pieces from earlier chunks. */
  #pieces: Buffer[] = [];
  #pieceBytes = 0;

  constructor({ strict }: { strict: boolean }) {
    this.#strict = strict;
  }

  push(chunk: Buffer): void {
    let at = this.bytes < BOM.length ? this.#passBom(chunk) : 0;
    for (;;) {
      const lf = chunk.indexOf(LF, at);
      const end = lf === -1 ? chunk.length : lf;
      this.#piece(chunk, at, end);
      if (lf === -1) break;
      this.#endLine(this.bytes + lf + 1, this.#strict ? chunk.subarray(at, end) : undefined);
      at = lf + 1;
    }
    if (this.#strict && at < chunk.length) this.#keep(chunk.subarray(at));
    this.bytes += chunk.length;
  }

  /** The last line may lack its end. */
  end(): void {
    if (this.#lineStart < this.bytes) this.#endLine(this.bytes, this.#strict ? Buffer.alloc(0) : undefined);
  }

  /** The number of bytes at the beginning of `chunk` that belong to a byte order mark. */
  #passBom(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#bom === this.bytes + at && chunk[at] === BOM[this.#bom]) {
      at++;
      this.#bom++;
      // A beginning of a mark that is none stays part of the line.
      this.#first = this.#bom === BOM.length ? -1 : (BOM[0] as number);
    }
    return at;
  }

  #piece(chunk: Buffer, from: number, to: number): void {
    let start = from;
    if (this.#first === -1) {
      while (start < to && isSpace(chunk[start] as number)) start++;
      if (start === to) return;
      this.#first = chunk[start] as number;
    }
    let end = to;
    while (end > start && isSpace(chunk[end - 1] as number)) end--;
    if (end > start) this.#last = chunk[end - 1] as number;
  }

  #endLine(end: number, rest: Buffer | undefined): void {
    if (this.#first !== -1) {
      if (this.#first !== OPEN || this.#last !== CLOSE) this.#reject(end, 'not_an_object');
      else if (rest !== undefined && !this.#parses(rest)) this.#reject(end, 'invalid_json');
      else this.events++;
    }
    this.#line++;
    this.#lineStart = end;
    this.#first = -1;
    this.#last = -1;
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  #reject(end: number, reason: BadLine['reason']): void {
    this.bad.push({ line: this.#line, start: this.#lineStart, end, reason });
  }

  #keep(piece: Buffer): void {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes <= LONGEST_PARSED) this.#pieces.push(Buffer.from(piece));
    else this.#pieces = [];
  }

  #parses(rest: Buffer): boolean {
    if (this.#pieceBytes + rest.length > LONGEST_PARSED) return false;
    try {
      // TextDecoder lets a byte order mark pass, at the beginning of the first line as of any other.
      JSON.parse(this.#utf8.decode(this.#pieces.length === 0 ? rest : Buffer.concat([...this.#pieces, rest])));
      return true;
    } catch {
      return false;
    }
  }
}

/** The member without its bad lines. */
export async function* goodLines(chunks: AsyncIterable<Buffer>, bad: readonly BadLine[]): AsyncGenerator<Buffer> {
  for await (const { piece, line } of cut(chunks, bad)) if (line === undefined) yield piece;
}

/** The bad lines as JSON lines with their content in base64, however long they are. */
export async function* quarantineLines(chunks: AsyncIterable<Buffer>, bad: readonly BadLine[]): AsyncGenerator<Buffer> {
  let open: BadLine | undefined;
  let rest: Buffer = Buffer.alloc(0);
  const close = () => Buffer.from(`${rest.toString('base64')}"}\n`);
  for await (const { piece, line } of cut(chunks, bad)) {
    if (line === undefined) continue;
    if (line !== open) {
      if (open !== undefined) yield close();
      open = line;
      rest = Buffer.alloc(0);
      yield Buffer.from(`{"line":${line.line},"reason":"${line.reason}","base64":"`);
    }
    const all = Buffer.concat([rest, piece]);
    // Base64 takes three bytes at a time: what is left over waits for the next piece.
    const whole = all.length - (all.length % 3);
    rest = all.subarray(whole);
    yield Buffer.from(all.toString('base64', 0, whole));
  }
  if (open !== undefined) yield close();
}

/** Cuts the chunks at the borders of bad lines; `line` is undefined for what lies between them. */
async function* cut(
  chunks: AsyncIterable<Buffer>,
  bad: readonly BadLine[],
): AsyncGenerator<{ piece: Buffer; line: BadLine | undefined }> {
  let offset = 0;
  let next = 0;
  for await (const chunk of chunks) {
    const { length } = chunk;
    for (let at = 0; at < length; ) {
      const line = bad[next];
      const position = offset + at;
      const inside = line !== undefined && position >= line.start;
      const border = line === undefined ? Number.POSITIVE_INFINITY : inside ? line.end : line.start;
      const to = Math.min(length, border - offset);
      yield { piece: chunk.subarray(at, to), line: inside ? line : undefined };
      if (inside && offset + to === line.end) next++;
      at = to;
    }
    offset += length;
  }
}
