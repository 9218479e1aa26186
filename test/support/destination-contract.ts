import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import zlib from 'node:zlib';
import { expect } from 'chai';
import { count } from '../../src/archive/inflate.ts';
import { type Content, contentOf, type Destination, Miscounted } from '../../src/destination/destination.ts';
import { JobError } from '../../src/errors.ts';

/** What each destination keeps, whatever it is. `open` yields an empty one; `signal` reaches it. */
export function destinationContract(
  open: (signal: AbortSignal) => Promise<Destination>,
  {
    keepsChecksums = true,
    swapsAtOnce = true,
    dropsHalves = true,
  }: { keepsChecksums?: boolean; swapsAtOnce?: boolean; dropsHalves?: boolean } = {},
): void {
  let destination: Destination;
  let stopper: AbortController;
  beforeEach(async () => {
    stopper = new AbortController();
    destination = await open(stopper.signal);
  });
  afterEach(() => destination.close());

  const text = (content: string) => contentOf(Buffer.from(content));
  const keys = async (prefix: string, range?: { after?: string; before?: string }) => {
    const found: string[] = [];
    for await (const { key } of destination.list(prefix, range)) found.push(key);
    return found;
  };
  const read = async (key: string) => (await destination.read(key))?.toString();

  it('reads back what was put, and lists it with size and time', async () => {
    const before = Date.now() - 2000;
    const key = 'events/date=2026-11-20/hour=05/1_2026-11-20T05_0.1.9f1c22ab.json';
    await destination.put(key, text('{"a":1}\n'));
    expect(await read(key)).to.equal('{"a":1}\n');
    const [object] = await Array.fromAsync(destination.list('events/'));
    expect(object).to.include({ key, bytes: 8 });
    expect(object?.modifiedAt.getTime()).to.be.within(before, Date.now() + 2000);
  });

  it('has no object where none was put', async () => {
    expect(await read('manifests/none.json')).to.equal(undefined);
    expect(await keys('events/')).to.deep.equal([]);
  });

  it('looks up size and checksum, also of an object that is not there', async () => {
    const content = text('{"a":1}\n');
    await destination.put('events/a.json', content);
    expect(await destination.look('events/none.json')).to.equal(undefined);
    const crc32 = keepsChecksums ? content.crc32 : undefined;
    expect(await destination.look('events/a.json')).to.deep.equal({ bytes: content.bytes, crc32 });
    expect(destination.requests.looks).to.equal(2);
  });

  it('streams an object in order, also one that is not there', async () => {
    const bytes = randomBytes(3_000_000);
    await destination.put('events/a.json', contentOf(bytes));
    const stream = (await destination.stream('events/a.json')) as AsyncIterable<Buffer>;
    expect(Buffer.concat(await Array.fromAsync(stream)).equals(bytes)).to.equal(true);
    expect(await destination.stream('events/none.json')).to.equal(undefined);
  });

  it('counts requests', async () => {
    await destination.put('events/a.json', text('a'));
    await keys('events/');
    await read('events/a.json');
    await read('events/none.json');
    expect(destination.requests).to.include({ listings: 1, reads: 2, looks: 0 });
  });

  it('puts an empty object', async () => {
    await destination.put('events/empty.json', text(''));
    expect(await read('events/empty.json')).to.equal('');
  });

  it('replaces an object, also by a shorter one', async () => {
    await destination.put('events/a.json', text('a longer content'));
    await destination.put('events/a.json', text('short'));
    expect(await read('events/a.json')).to.equal('short');
  });

  const swap = (content: string, expected: string | undefined) =>
    destination.swap('manifests/m.json', Buffer.from(content), expected);
  const version = async () => (await destination.standing('manifests/m.json'))?.version;

  it('swaps in a first object only where there is none', async () => {
    expect(await destination.standing('manifests/m.json')).to.equal(undefined);
    expect(await swap('first', undefined)).to.equal('swapped');
    expect(await swap('second', undefined)).to.equal('lost');
    expect((await destination.standing('manifests/m.json'))?.content.toString()).to.equal('first');
  });

  it('swaps what was read, and loses where another swap came first', async () => {
    await swap('first', undefined);
    const first = await version();
    expect(await swap('second', first)).to.equal('swapped');
    expect(await version()).not.to.equal(first);
    expect(await swap('third', first)).to.equal('lost');
    expect(await read('manifests/m.json')).to.equal('second');
  });

  it('loses where what was read is gone', async () => {
    await swap('first', undefined);
    const first = await version();
    await destination.delete(['manifests/m.json']);
    expect(await swap('second', first)).to.equal('lost');
    expect(await read('manifests/m.json')).to.equal(undefined);
  });

  if (swapsAtOnce) {
    it('lets one of many swaps of the same version win', async () => {
      for (const first of [undefined, 'first']) {
        if (first !== undefined) await destination.put('manifests/m.json', text(first));
        const read = first === undefined ? undefined : await version();
        const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => swap(`run ${i}`, read)));
        expect(outcomes.filter((outcome) => outcome === 'swapped')).to.have.length(1);
        const standing = await destination.standing('manifests/m.json');
        expect(standing?.content.toString()).to.equal(`run ${outcomes.indexOf('swapped')}`);
        await destination.delete(['manifests/m.json']);
      }
    });
  }

  it('keeps one whole object when many write the same key at once', async () => {
    const contents = Array.from({ length: 6 }, (_, i) => Buffer.alloc(300_000, String(i)));
    await Promise.all(contents.map((content) => destination.put('events/same.json', contentOf(content))));
    const stored = await destination.read('events/same.json');
    expect(contents.some((content) => stored !== undefined && content.equals(stored))).to.equal(true);
    expect(await keys('events/')).to.deep.equal(['events/same.json']);
  });

  it('lists in order of keys, by prefix, after and before', async () => {
    const all = [
      'events/date=1/hour=00/a',
      'events/date=1/hour=00/b',
      'events/date=1/hour=01/a',
      'events/date=2/hour=00/a',
    ];
    for (const key of [...all, 'manifests/date=1/hour=00.json', 'eventsx/a'].reverse())
      await destination.put(key, text(key));
    expect(await keys('events/')).to.deep.equal(all);
    expect(await keys('events/date=1/hour=00/')).to.deep.equal(all.slice(0, 2));
    expect(await keys('events/', { after: 'events/date=1/hour=00/a' })).to.deep.equal(all.slice(1));
    expect(await keys('events/', { after: 'events/date=1/hour=01', before: 'events/date=2/hour=00' })).to.deep.equal([
      all[2],
    ]);
    expect(await keys('events/', { before: 'events/date=1/hour=00/b' })).to.deep.equal([all[0]]);
  });

  it('lists more than one page', async function () {
    this.timeout(60_000);
    const names = Array.from({ length: 1005 }, (_, i) => `events/n/${String(i).padStart(4, '0')}`);
    for (let start = 0; start < names.length; start += 50) {
      await Promise.all(names.slice(start, start + 50).map((key) => destination.put(key, text(''))));
    }
    expect(await keys('events/n/')).to.deep.equal(names);
    await destination.delete(names);
    expect(await keys('events/')).to.deep.equal([]);
  });

  it('deletes keys, also one that is not there', async () => {
    await destination.put('events/a', text('a'));
    await destination.put('events/b', text('b'));
    await destination.delete(['events/a', 'events/none']);
    expect(await keys('events/')).to.deep.equal(['events/b']);
    await destination.delete([]);
  });

  it('takes a stream of many chunks, of 20 MB', async () => {
    const chunk = randomBytes(64 * 1024);
    const content = streamed(() => chunksOf(chunk, 320));
    const { bytes, crc32 } = await count(content.open());
    await destination.put('events/large.json', { ...content, bytes, crc32 });
    const stored = await destination.read('events/large.json');
    expect(stored?.length).to.equal(bytes);
    expect(zlib.crc32(stored ?? '')).to.equal(crc32);
  });

  for (const [what, announced] of [
    ['longer', 999],
    ['shorter', 1001],
  ] as const) {
    it(`refuses content that is ${what} than announced, and leaves nothing`, async () => {
      const content = streamed(() => chunksOf(Buffer.alloc(500, 'x'), 2));
      const error = await failure(destination.put('events/a.json', { ...content, bytes: announced, crc32: 1 }));
      expect(error).to.be.instanceOf(Miscounted);
      expect(await keys('')).to.deep.equal([]);
    });
  }

  it('passes on what the content throws, and keeps what was there', async () => {
    await destination.put('events/a.json', text('before'));
    const broken = new Error('the archive is broken');
    const content = streamed(async function* () {
      yield Buffer.alloc(100_000, 'x');
      throw broken;
    });
    expect(await failure(destination.put('events/a.json', { ...content, bytes: 200_000, crc32: 1 }))).to.equal(broken);
    if (!dropsHalves) return;
    expect(await read('events/a.json')).to.equal('before');
    expect(await keys('')).to.deep.equal(['events/a.json']);
  });

  it('passes on an error of the content that has a code of the system behind it', async () => {
    const cause = Object.assign(new Error('denied'), { code: 'EACCES' });
    const elsewhere = new JobError('ADOPT_UNREADABLE', 'Another folder cannot be read.', { cause });
    const content = streamed(async function* () {
      yield Buffer.alloc(1000, 'x');
      throw elsewhere;
    });
    const put = destination.put('events/a.json', { ...content, bytes: 2000, crc32: 1 });
    expect(await failure(put)).to.equal(elsewhere);
  });

  it('waits for the end of the content, also when all announced bytes are there', async () => {
    const late = new Error('the last check failed');
    const content = streamed(async function* () {
      yield Buffer.alloc(1000, 'x');
      await pause(50);
      throw late;
    });
    const { crc32 } = contentOf(Buffer.alloc(1000, 'x'));
    expect(await failure(destination.put('events/a.json', { ...content, bytes: 1000, crc32 }))).to.equal(late);
    expect(await keys('')).to.deep.equal([]);
  });

  it('ends a put when the signal aborts, with its reason', async () => {
    const reason = new Error('stop');
    const content = streamed(async function* () {
      yield Buffer.alloc(1000, 'x');
      stopper.abort(reason);
      yield Buffer.alloc(1000, 'x');
      yield Buffer.alloc(1000, 'x');
    });
    expect(await failure(destination.put('events/a.json', { ...content, bytes: 3000, crc32: 1 }))).to.equal(reason);
  });
}

export function streamed(open: Content['open']): Content {
  return { bytes: 0, crc32: 0, open, count: () => count(open()) };
}

async function* chunksOf(chunk: Buffer, times: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < times; i++) yield chunk;
}

/** What a promise rejects with; fails where it does not. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
