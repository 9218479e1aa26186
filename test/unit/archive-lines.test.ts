import { expect } from 'chai';
import fc from 'fast-check';
import { count } from '../../src/archive/inflate.ts';
import { type BadLine, goodLines, LineScanner, quarantineLines } from '../../src/archive/lines.ts';
import { collect, countOf } from '../support/archive/fixtures.ts';

interface Found {
  readonly events: number;
  readonly bytes: number;
  readonly bad: readonly BadLine[];
}

/** What the scanner must find, told with everything in memory. */
function split(whole: Buffer, strict: boolean): Found {
  const bad: BadLine[] = [];
  let events = 0;
  for (let start = 0, line = 1; start < whole.length; line++) {
    const lf = whole.indexOf('\n', start);
    const end = lf === -1 ? whole.length : lf + 1;
    const marked = line === 1 && whole.subarray(0, 3).equals(Buffer.from('\ufeff'));
    const content = whole.subarray(start + (marked ? 3 : 0), end);
    const trimmed = content.toString('latin1').replace(/^[\t-\r ]+|[\t-\r ]+$/g, '');
    if (trimmed !== '') {
      if (!trimmed.startsWith('{') || !trimmed.endsWith('}')) bad.push({ line, start, end, reason: 'not_an_object' });
      else if (strict && !parses(content)) bad.push({ line, start, end, reason: 'invalid_json' });
      else events++;
    }
    start = end;
  }
  return { events, bytes: whole.length, bad };
}

function parses(content: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content));
    return true;
  } catch {
    return false;
  }
}

function scan(chunks: Iterable<Buffer>, strict: boolean): Found {
  const scanner = new LineScanner({ strict });
  for (const chunk of chunks) {
    scanner.push(chunk);
    // Whoever consumes a chunk may give its memory away: the scanner must not look at it again.
    chunk.fill('}');
  }
  scanner.end();
  return { events: scanner.events, bytes: scanner.bytes, bad: scanner.bad };
}

/** Copies of `whole` cut at `cuts`. */
function cutAt(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const borders = [...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b);
  return borders.map((to, index) => {
    const from = borders[index - 1] ?? 0;
    const piece = Buffer.allocUnsafeSlow(to - from);
    whole.copy(piece, 0, from, to);
    return piece;
  });
}

/** Each chunk is valid until the next is asked for, and no longer. */
async function* streamed(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    yield chunk;
    chunk.fill('}');
  }
}

const anyCuts = fc.array(fc.nat({ max: 2000 }), { maxLength: 12 });
const event = fc.object({ maxDepth: 2, withNullPrototype: false }).map((value) => JSON.stringify(value));
const lineEnd = fc.constantFrom('\n', '\n', '\n', '\r\n', ' \n', '\n\n', '\n\t\n');
const jsonLines = fc
  .tuple(fc.constantFrom('', '\ufeff'), fc.array(fc.tuple(event, lineEnd), { maxLength: 8 }), fc.option(event))
  .map(([mark, lines, last]) => Buffer.from(mark + lines.flat().join('') + (last ?? '')));
const token = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('\n', '\n', '{"a":1}', '{', '}', ' ', '\t', '\r', '\v', '\f', '"', '\\', 'x'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\u2028', '\u0085', '\ufeff', '\u00e4', '{"s":"\u2028"}', '{"a":1}{"b":2}', '{}\n'),
  },
);
const tokens = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: token.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.constantFrom(0xef, 0xbb, 0xbf, 0xff, 0x00).map((byte) => Buffer.from([byte])) },
  ),
  { maxLength: 30 },
);
const beginning = fc.constantFrom([], [0xef], [0xef, 0xbb], [0xef, 0xbb, 0xbf], [0xef, 0xbb, 0xbf, 0xef]);
const anything = fc.tuple(beginning, tokens).map(([mark, rest]) => Buffer.concat([Buffer.from(mark), ...rest]));

describe('LineScanner', () => {
  it('counts every object in JSON lines, however they are cut', () => {
    fc.assert(
      fc.property(jsonLines, anyCuts, fc.boolean(), (whole, cuts, strict) => {
        const found = scan(cutAt(whole, cuts), strict);
        expect(found).to.deep.equal(split(whole, strict));
        expect(found.bad).to.deep.equal([]);
      }),
      { numRuns: 400 },
    );
  });

  it('finds in any bytes, however they are cut, what a split of the whole finds', () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(anything, anyCuts, fc.boolean(), (whole, cuts, strict) => {
        const expected = split(whole, strict);
        expect(scan(cutAt(whole, cuts), strict)).to.deep.equal(expected);
        if (expected.events > 0) kinds.add('event');
        for (const { reason } of expected.bad) kinds.add(reason);
      }),
      { numRuns: 3000 },
    );
    expect([...kinds].sort()).to.deep.equal(['event', 'invalid_json', 'not_an_object']);
  });

  it('finds the same byte by byte', () => {
    fc.assert(
      fc.property(anything, fc.boolean(), (whole, strict) => {
        const bytes = [...whole].map((byte) => Buffer.from([byte]));
        expect(scan(bytes, strict)).to.deep.equal(split(whole, strict));
      }),
      { numRuns: 500 },
    );
  });

  it('parses lines of megabytes with strict, and none longer than 32 MiB', () => {
    const line = (bytes: number) => Buffer.from(`{"x":"${'x'.repeat(bytes - 9)}"}\n`);
    const most = 32 * 2 ** 20;
    const whole = Buffer.concat([line(5 * 2 ** 20), line(most + 1), line(most + 2), line(10)]);
    const start = 5 * 2 ** 20 + most + 1;
    const bad = [{ line: 3, start, end: start + most + 2, reason: 'invalid_json' as const }];
    for (const size of [256 * 1024, 2 ** 20 + 7, whole.length]) {
      const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
        Buffer.from(whole.subarray(index * size, (index + 1) * size)),
      );
      expect(scan(chunks, true), `chunks of ${size}`).to.deep.equal({ events: 3, bytes: whole.length, bad });
    }
  });
});

describe('goodLines and quarantineLines', () => {
  interface Quarantined {
    readonly line: number;
    readonly reason: string;
    readonly base64: string;
  }

  it('split the bytes exactly, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(anything, anyCuts, fc.boolean(), async (whole, cuts, strict) => {
        const { bad, events } = split(whole, strict);
        const good = await collect(goodLines(streamed(cutAt(whole, cuts)), bad));
        const quarantine = await collect(quarantineLines(streamed(cutAt(whole, cuts)), bad));

        const lines = quarantine.toString().split('\n');
        expect(lines.pop()).to.equal('');
        const quarantined = lines.map((line) => JSON.parse(line) as Quarantined);
        expect(quarantined.map(({ line, reason }) => ({ line, reason }))).to.deep.equal(
          bad.map(({ line, reason }) => ({ line, reason })),
        );
        const pieces: Buffer[] = [];
        let [from, taken] = [0, 0];
        for (const [index, { start, end }] of bad.entries()) {
          const content = Buffer.from(quarantined[index]?.base64 ?? '', 'base64');
          expect(content.equals(whole.subarray(start, end)), `line ${bad[index]?.line}`).to.equal(true);
          expect(content.toString('base64')).to.equal(quarantined[index]?.base64);
          pieces.push(good.subarray(taken, taken + start - from), content);
          taken += start - from;
          from = end;
        }
        pieces.push(good.subarray(taken));
        expect(Buffer.concat(pieces).equals(whole)).to.equal(true);
        // What lands has no bad line left. A mark that stood in a bad first line must not make the second one bad.
        expect(split(good, strict).events).to.be.at.least(events);
      }),
      { numRuns: 1000 },
    );
  });

  it('count the same however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(anything, anyCuts, async (whole, cuts) => {
        const { bad } = split(whole, false);
        const kept = await collect(goodLines(streamed([Buffer.from(whole)]), bad));
        expect(await count(goodLines(streamed(cutAt(whole, cuts)), bad))).to.deep.equal(countOf(kept));
      }),
      { numRuns: 200 },
    );
  });

  it('write a bad line of megabytes in pieces', async () => {
    const whole = Buffer.concat([Buffer.from('{"a":1}\n'), Buffer.alloc(3_000_001, 'x'), Buffer.from('\n{"b":2}\n')]);
    const { bad } = split(whole, false);
    const cuts = Array.from({ length: 40 }, (_, index) => index * 77_777);
    let longest = 0;
    const copies: Buffer[] = [];
    for await (const chunk of quarantineLines(streamed(cutAt(whole, cuts)), bad)) {
      longest = Math.max(longest, chunk.length);
      copies.push(Buffer.from(chunk));
    }
    expect(longest).to.be.below(200_000);
    const { base64, ...rest } = JSON.parse(Buffer.concat(copies).toString()) as Quarantined;
    expect(rest).to.deep.equal({ line: 2, reason: 'not_an_object' });
    expect(Buffer.from(base64, 'base64').equals(whole.subarray(8, 8 + 3_000_002))).to.equal(true);
  });

  it('yield nothing of nothing', async () => {
    expect(await collect(goodLines(streamed([]), []))).to.have.length(0);
    expect(await collect(quarantineLines(streamed([Buffer.from('{}\n')]), []))).to.have.length(0);
  });
});
