import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import zlib from 'node:zlib';
import { expect } from 'chai';
import { hold } from '../../src/archive/archive.ts';
import { inflate } from '../../src/archive/inflate.ts';
import { MemoryBudget } from '../../src/archive/memory.ts';
import { CHUNK_BYTES, through } from '../../src/archive/through.ts';
import { gzipMember } from '../../src/simulator/gzip.ts';
import { collect, memberOf, noisyLines, pieces } from '../support/archive/fixtures.ts';

const detached = ({ buffer }: Buffer) => (buffer as ArrayBuffer).detached;

describe('MemoryBudget', () => {
  it('gives out no more than it has', () => {
    const budget = new MemoryBudget(10);
    expect(budget.take(7)).to.equal(true);
    expect(budget.take(4)).to.equal(false);
    expect(budget.take(3)).to.equal(true);
    expect(budget.take(1)).to.equal(false);
    budget.give(5);
    expect(budget.take(6)).to.equal(false);
    expect(budget.take(5)).to.equal(true);
    expect(budget.take(0)).to.equal(true);
  });
});

describe('the memory of a chunk', () => {
  const json = noisyLines(60_000);
  const packed = gzipMember(json);

  it('is given back once the next chunk is asked for, and not before', async () => {
    let before: Buffer | undefined;
    let back = 0;
    let offset = 0;
    for await (const chunk of inflate(memberOf([packed]))) {
      if (before !== undefined && detached(before)) back++;
      expect(chunk.equals(json.subarray(offset, offset + chunk.length))).to.equal(true);
      offset += chunk.length;
      before = chunk;
    }
    expect(offset).to.equal(json.length);
    expect(back).to.be.above(5);
  });

  it('stays with a reader that stops', async () => {
    const chunks = inflate(memberOf([packed]));
    const first = (await chunks.next()).value as Buffer;
    await chunks.return(undefined);
    expect(detached(first)).to.equal(false);
    expect(first.equals(json.subarray(0, first.length))).to.equal(true);
  });

  it('is not touched when it belongs to the source or the pool', async () => {
    const source = [...pieces(packed, 10_000)];
    const neighbour = Buffer.from('neighbour in the pool');
    const member = {
      ...memberOf(source),
      open: async function* () {
        yield* source;
      },
    };
    expect((await collect(inflate(member))).equals(json)).to.equal(true);
    expect(source.some(detached)).to.equal(false);
    for (const text of ['', '{}\n', '{"a":1}\n'.repeat(400)]) {
      for await (const chunk of inflate(memberOf([gzipMember(Buffer.from(text))]))) {
        expect(chunk.buffer).not.to.equal(neighbour.buffer);
      }
    }
    expect(neighbour.toString()).to.equal('neighbour in the pool');
  });

  it('is copied by hold, which outlives the chunks', async () => {
    const noise = randomBytes(2 * CHUNK_BYTES + 1);
    const held = await hold({
      ...memberOf([noise]),
      open: () =>
        through(memberOf([zlib.deflateRawSync(noise)]).open(), zlib.createInflateRaw({ chunkSize: CHUNK_BYTES })),
    });
    expect((await collect(held.open())).equals(noise)).to.equal(true);
  });
});

describe('through', () => {
  const json = noisyLines(60_000);
  const packed = zlib.gzipSync(json);
  const gunzip = () => zlib.createGunzip({ chunkSize: CHUNK_BYTES });

  /** Its end takes its time, as a file's or an archive's may. */
  function slowToClose(chunks: Iterable<Buffer>) {
    const seen = { closed: false };
    async function* source() {
      try {
        yield* chunks;
      } finally {
        for (let turns = 0; turns < 5; turns++) await turn();
        seen.closed = true;
      }
    }
    return { source: source(), seen };
  }

  for (const [how, end] of Object.entries({
    'is read to its end': async (chunks) => void (await collect(chunks)),
    'is stopped before its first chunk': async (chunks) => void (await chunks.return(undefined)),
    'is stopped after its first chunk': async (chunks) => {
      await chunks.next();
      await chunks.return(undefined);
    },
    'is stopped while a chunk is on its way': async (chunks) => {
      await Promise.all([chunks.next(), chunks.next(), chunks.return(undefined)]);
    },
    'is thrown at': async (chunks) => {
      await chunks.next();
      await chunks.throw(new Error('no more')).catch(() => undefined);
    },
  } satisfies Record<string, (chunks: AsyncGenerator<Buffer>) => Promise<void>>)) {
    it(`has closed its source when it ${how}`, async () => {
      const { source, seen } = slowToClose(pieces(packed, 30_000));
      const zlibStream = gunzip();
      await end(through(source, zlibStream));
      // What was never asked for a chunk has opened nothing.
      const begun = how !== 'is stopped before its first chunk';
      expect(seen.closed).to.equal(begun);
      if (begun) expect(zlibStream.destroyed).to.equal(true);
    });
  }

  it('has closed its source when the data are damaged, and throws what zlib says', async () => {
    const damaged = Buffer.from(packed);
    damaged.fill(0xff, damaged.length / 2, damaged.length / 2 + 100);
    const { source, seen } = slowToClose(pieces(damaged, 30_000));
    const error = await collect(through(source, gunzip())).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error).and.have.property('code').that.matches(/^Z_/);
    expect(seen.closed).to.equal(true);
  });

  it('throws what its source throws', async () => {
    async function* source() {
      yield packed.subarray(0, 1000);
      throw new Error('the source broke');
    }
    const error = await collect(through(source(), gunzip())).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'the source broke');
  });

  it('ends at the padding of a gzip stream, however long', async () => {
    const { source, seen } = slowToClose([packed, Buffer.alloc(300_000), Buffer.alloc(300_000)]);
    expect((await collect(through(source, gunzip()))).equals(json)).to.equal(true);
    expect(seen.closed).to.equal(true);
  });

  it('compresses chunks whose memory is used again', async () => {
    async function* reused() {
      const one = Buffer.allocUnsafeSlow(50_000);
      for (let start = 0; start < json.length; start += one.length) {
        const copied = json.copy(one, 0, start);
        yield one.subarray(0, copied);
        one.fill(0);
      }
    }
    const again = await collect(through(reused(), zlib.createGzip({ chunkSize: CHUNK_BYTES })));
    expect(zlib.gunzipSync(again).equals(json)).to.equal(true);
  });
});
