import fs, { chmod, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryBudget } from '../../src/archive/memory.ts';
import { openArchive } from '../../src/archive/open.ts';
import { type Spool, type SpoolOptions, spool } from '../../src/archive/spool.ts';
import { failure, NAME, noisyEvent, pieces, write } from '../support/archive/fixtures.ts';

const MB = 2 ** 20;

/** Yields to others between its pieces, as a download does. */
async function* body(whole: Buffer, size = 64 * 1024): AsyncGenerator<Buffer> {
  for (const piece of pieces(whole, size)) {
    await new Promise(setImmediate);
    yield piece;
  }
}

async function contentOf(kept: Spool): Promise<Buffer> {
  if (kept.kind === 'memory') return Buffer.from(kept.buffer);
  const whole = Buffer.alloc(kept.bytes);
  const { bytesRead } = await kept.file.read(whole, 0, kept.bytes, 0);
  return whole.subarray(0, bytesRead);
}

/** What is left to take; takes nothing. */
function free(budget: MemoryBudget): number {
  let least = 0;
  for (let step = 2 ** 32; step >= 1; step /= 2) {
    if (!budget.take(least + step)) continue;
    budget.give(least + step);
    least += step;
  }
  return least;
}

const openFiles = async () => (await readdir('/proc/self/fd')).length;

describe('spool', () => {
  let workDir: string;
  let kept: Spool[];

  beforeEach(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'spool-'));
    kept = [];
  });
  afterEach(async () => {
    await Promise.all(kept.map((each) => each.close()));
    expect(await readdir(workDir)).to.deep.equal([]);
    await rm(workDir, { recursive: true });
  });

  function options(budgetBytes: number, more: Partial<SpoolOptions> = {}): SpoolOptions {
    return { budget: new MemoryBudget(budgetBytes), budgetBytes, workDir, ...more };
  }

  async function keep(chunks: AsyncIterable<Buffer>, how: SpoolOptions): Promise<Spool> {
    const each = await spool(chunks, how);
    kept.push(each);
    return each;
  }

  it('keeps in memory what fits, with and without an announced length', async () => {
    const whole = noisyEvent(3 * MB);
    for (const expectedBytes of [undefined, whole.length, whole.length + 5, 10 * MB]) {
      const each = await keep(body(whole), options(10 * MB, { expectedBytes }));
      expect(each.kind).to.equal('memory');
      expect(each.bytes).to.equal(whole.length);
      expect((await contentOf(each)).equals(whole)).to.equal(true);
    }
  });

  it('moves to a file what outgrows the budget or its announced length, and starts there when it cannot fit', async () => {
    const whole = noisyEvent(3 * MB);
    for (const [budgetBytes, expectedBytes] of [
      [2 * MB, undefined],
      [2 * MB, whole.length],
      [10 * MB, MB],
      [0, undefined],
      [MB - 1, undefined],
    ] as const) {
      const how = options(budgetBytes, { expectedBytes });
      const each = await keep(body(whole), how);
      expect(each.kind).to.equal('file');
      expect(each.bytes).to.equal(whole.length);
      expect((await contentOf(each)).equals(whole)).to.equal(true);
      expect(free(how.budget), 'a file takes no memory').to.equal(budgetBytes);
    }
  });

  it('keeps any body byte for byte, however it is cut, whatever the budget', async () => {
    const source = noisyEvent(3 * MB);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: source.length }),
        fc.integer({ min: 10_000, max: MB }),
        fc.nat({ max: 4 * MB }),
        fc.option(fc.nat({ max: 4 * MB }), { nil: undefined }),
        async (bytes, size, budgetBytes, expectedBytes) => {
          const whole = source.subarray(0, bytes);
          const how = options(budgetBytes, { expectedBytes });
          const each = await spool(body(whole, size), how);
          try {
            expect(each.bytes).to.equal(bytes);
            expect((await contentOf(each)).equals(whole)).to.equal(true);
            expect(free(how.budget)).to.equal(each.kind === 'file' || bytes === 0 ? budgetBytes : free(how.budget));
            if (each.kind === 'memory') expect(budgetBytes - free(how.budget)).to.be.at.least(bytes);
          } finally {
            await each.close();
          }
          expect(free(how.budget)).to.equal(budgetBytes);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps an empty body in memory', async () => {
    const each = await keep(body(Buffer.alloc(0)), options(0));
    expect(each.kind).to.equal('memory');
    expect(each.bytes).to.equal(0);
  });

  it('shares one budget between all that is kept at once', async () => {
    const budgetBytes = 10 * MB;
    const budget = new MemoryBudget(budgetBytes);
    const whole = noisyEvent(3 * MB - 100);
    const how = { budget, budgetBytes, workDir };
    const all: Spool[] = [];
    for (const expected of ['memory', 'memory', 'memory', 'file', 'file']) {
      const each = await keep(body(whole), how);
      expect(each.kind).to.equal(expected);
      all.push(each);
      expect(free(budget)).to.equal(budgetBytes - Math.min(3, all.length) * 3 * MB);
    }
    await all[1]?.close();
    const next = await keep(body(whole), how);
    expect(next.kind, 'once there is room again').to.equal('memory');
    all.splice(1, 1, next);
    for (const each of all) expect((await contentOf(each)).equals(whole)).to.equal(true);

    await Promise.all(all.map((each) => each.close()));
    expect(free(budget)).to.equal(budgetBytes);
    await Promise.all(all.map((each) => each.close()));
    expect(free(budget), 'closed twice').to.equal(budgetBytes);

    const atOnce = await Promise.all(Array.from({ length: 6 }, () => keep(body(whole), how)));
    const inMemory = atOnce.filter(({ kind }) => kind === 'memory').length;
    expect(free(budget)).to.equal(budgetBytes - inMemory * 3 * MB);
    for (const each of atOnce) expect((await contentOf(each)).equals(whole)).to.equal(true);
  });

  it('uses a file without a name', async () => {
    const each = await keep(body(noisyEvent(MB)), options(0));
    if (each.kind !== 'file') return expect.fail('kept in memory');
    expect(await readdir(workDir)).to.deep.equal([]);
    const link = await readlink(`/proc/self/fd/${each.file.fd}`);
    expect(link.startsWith(workDir), link).to.equal(true);
    expect(link).to.match(/ \(deleted\)$/);
    expect((await each.file.stat()).mode & 0o777).to.equal(0o600);
  });

  it('gives everything back when the body fails', async () => {
    const lost = new Error('the connection broke off');
    async function* failing(after: number) {
      yield* body(noisyEvent(after));
      throw lost;
    }
    const before = await openFiles();
    for (const after of [3 * MB, 12 * MB]) {
      const how = options(10 * MB);
      const error = await spool(failing(after), how).catch((thrown: unknown) => thrown);
      expect(error).to.equal(lost);
      expect(free(how.budget)).to.equal(10 * MB);
      expect(await openFiles()).to.equal(before);
      expect(await readdir(workDir)).to.deep.equal([]);
    }
  });

  it('gives everything back with the archive, opened or not', async () => {
    const before = await openFiles();
    const whole = await write([{ name: NAME, data: noisyEvent(MB) }]);
    for (const budgetBytes of [10 * MB, 0]) {
      const how = options(budgetBytes);
      const archive = await openArchive(await spool(body(whole), how));
      await archive.close();
      expect(free(how.budget)).to.equal(budgetBytes);
      await failure(openArchive(await spool(body(whole.subarray(0, -1)), how)).then(String), 'ARCHIVE_BROKEN');
      expect(free(how.budget)).to.equal(budgetBytes);
    }
    expect(await openFiles()).to.equal(before);
  });

  describe('on a disk that refuses', () => {
    const whole = noisyEvent(12 * MB);

    /** What the error says, budget and files being given back. */
    async function refusal(code: Parameters<typeof failure>[1], folder: string): Promise<string> {
      const before = await openFiles();
      let text = '';
      for (const budgetBytes of [0, 10 * MB]) {
        const how = options(budgetBytes, { workDir: folder });
        const error = await failure(
          spool(body(whole), how).then(({ kind }) => kind),
          code,
        );
        expect(error.endsRun, 'every other archive would meet it too').to.equal(true);
        expect(error.hint).to.include('WORK_DIR');
        expect(error.message).to.include(folder);
        expect(free(how.budget)).to.equal(budgetBytes);
        text = error.message;
      }
      expect(await openFiles()).to.equal(before);
      return text;
    }

    /** Replaces `open` of node:fs/promises while `work` goes on. */
    async function withOpen(replacement: typeof fs.open, work: () => Promise<void>): Promise<void> {
      const original = fs.open;
      fs.open = replacement;
      syncBuiltinESMExports();
      try {
        await work();
      } finally {
        fs.open = original;
        syncBuiltinESMExports();
      }
    }

    it('names a WORK_DIR that is missing', async () => {
      expect(await refusal('DESTINATION', join(workDir, 'missing'))).to.include('ENOENT');
    });

    it('names a WORK_DIR that is a file', async () => {
      const file = join(workDir, 'file');
      await writeFile(file, '');
      expect(await refusal('DESTINATION', file)).to.include('ENOTDIR');
      await rm(file);
    });

    // No file without a name can be made in /proc, as on NFS and others, nor one with a name.
    (process.platform === 'linux' ? it : it.skip)('names a WORK_DIR that takes no files', async () => {
      expect(await refusal('DESTINATION', '/proc')).to.include('ENOENT');
    });

    it('names a WORK_DIR that it may not write in', async () => {
      await chmod(workDir, 0o555);
      const isRoot = process.getuid?.() === 0;
      const NOBODY = 65_534;
      if (isRoot) process.seteuid?.(NOBODY);
      try {
        expect(await refusal('ACCESS_DENIED', workDir)).to.include('EACCES');
      } finally {
        if (isRoot) process.seteuid?.(0);
      }
    });

    it('names a WORK_DIR that is full', async () => {
      const { open } = fs;
      await withOpen(
        () => open('/dev/full', 'r+'),
        async () => {
          expect(await refusal('DISK_FULL', workDir)).to.include('ENOSPC');
        },
      );
    });

    it('deletes the name of the file at once where it cannot go without one', async () => {
      const { open } = fs;
      const names: unknown[] = [];
      const without: typeof open = async (path, flags, mode) => {
        if (typeof flags === 'number') throw Object.assign(new Error('not supported'), { code: 'ENOTSUP' });
        names.push(path);
        return open(path, flags, mode);
      };
      await withOpen(without, async () => {
        const each = await keep(body(whole), options(0));
        expect(names).to.have.length(1);
        expect(await readdir(workDir)).to.deep.equal([]);
        expect((await contentOf(each)).equals(whole)).to.equal(true);
        expect(await refusal('DESTINATION', join(workDir, 'missing'))).to.include('ENOENT');
      });
    });
  });
});
