import { expect } from 'chai';
import { inflate } from '../src/archive/inflate.ts';
import { MemoryBudget, own, release } from '../src/memory.ts';
import { gzipMember } from '../src/simulator/gzip.ts';
import { memberOf, noisyLines, pieces } from './archive/fixtures.ts';

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

describe('own and release', () => {
  it('give the memory of an owned chunk back, once', () => {
    const chunk = own(Buffer.allocUnsafeSlow(1000));
    release(chunk);
    expect(detached(chunk)).to.equal(true);
    expect(chunk).to.have.length(0);
    expect(() => release(chunk)).not.to.throw();
  });

  it('give it back with the slice that reaches its end, not before', () => {
    const whole = own(Buffer.allocUnsafeSlow(1000).fill('x'));
    const [first, middle, last] = [whole.subarray(0, 300), whole.subarray(300, 999), whole.subarray(999)];
    release(first);
    release(middle);
    expect(detached(whole)).to.equal(false);
    expect(last.toString()).to.equal('x');
    release(last);
    expect(detached(whole)).to.equal(true);
  });

  it('leave alone what nobody owned: a slice of an archive, of the pool, a string', () => {
    const archive = Buffer.allocUnsafeSlow(1000).fill('a');
    const pooled = Buffer.from('small and from the pool');
    const neighbour = Buffer.from('neighbour');
    expect(neighbour.buffer).to.equal(pooled.buffer);
    const poolEnd = Buffer.from(pooled.buffer, pooled.buffer.byteLength - 8, 8);
    for (const chunk of [archive, archive.subarray(990), pooled, poolEnd, neighbour]) release(chunk);
    expect(detached(archive)).to.equal(false);
    expect(detached(pooled)).to.equal(false);
    expect(archive.every((byte) => byte === 0x61)).to.equal(true);
    expect(pooled.toString()).to.equal('small and from the pool');
  });

  it('leave shared memory alone', () => {
    const shared = Buffer.from(new SharedArrayBuffer(16));
    own(shared);
    expect(() => release(shared)).not.to.throw();
    expect(shared).to.have.length(16);
  });

  it('bring back the memory of everything inflated but a beginning, and none of the source', async () => {
    const json = noisyLines(60_000);
    const source = [...pieces(gzipMember(json), 10_000)];
    const member = {
      ...memberOf(source),
      open: async function* () {
        yield* source;
      },
    };
    const seen: Buffer[] = [];
    let at = 0;
    for await (const chunk of inflate(member)) {
      expect(chunk.equals(json.subarray(at, at + chunk.length))).to.equal(true);
      at += chunk.length;
      seen.push(chunk);
      release(chunk);
    }
    expect(at).to.equal(json.length);
    // Only the last piece of memory may not have been filled to its end.
    const kept = new Set(seen.filter((chunk) => !detached(chunk)).map(({ buffer }) => buffer));
    expect(seen.length).to.be.above(5);
    expect(kept.size).to.be.at.most(1);
    expect(source.some(detached)).to.equal(false);
  });

  it('never touch the pool by way of inflate', async () => {
    const neighbour = Buffer.from('neighbour in the pool');
    for (const json of ['', '{}\n', '{"a":1}\n'.repeat(400)]) {
      for await (const chunk of inflate(memberOf([gzipMember(Buffer.from(json))]))) {
        expect(chunk.buffer).not.to.equal(neighbour.buffer);
        release(chunk);
      }
    }
    expect(neighbour.toString()).to.equal('neighbour in the pool');
  });
});
