import { Readable } from 'node:stream';
import { buffer as readAll } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import JSZip from 'jszip';
import yauzl from 'yauzl';
import { gzipMember, gzipRepeated } from '../../src/simulator/gzip.ts';
import { type ZipEntry, zip } from '../../src/simulator/zip.ts';
import { unzip, write } from '../support/archive/fixtures.ts';

describe('zip writer', () => {
  const text = Buffer.from('São Paulo '.repeat(500));
  const cases: [string, Partial<ZipEntry>][] = [
    ['stored', { data: text }],
    ['deflated', { data: text, method: 'deflated' }],
    ['with descriptors', { data: text, dataDescriptor: true }],
    ['deflated with descriptors', { data: text, method: 'deflated', dataDescriptor: true }],
    ['zip64', { data: text, zip64: true }],
    ['zip64 with descriptors', { data: text, zip64: true, dataDescriptor: true }],
    ['from a function', { data: () => Promise.resolve(text) }],
    ['streamed', { data: () => [text.subarray(0, 7), text.subarray(7)] }],
    ['streamed and deflated', { data: Readable.from([text]), method: 'deflated' }],
  ];
  for (const [what, entry] of cases) {
    it(`${what}: yauzl and jszip read it back`, async () => {
      const archive = await write([
        { name: 'before', data: Buffer.from('1') },
        { name: '東京/é.txt', data: text, ...entry },
        { name: 'after', data: Buffer.alloc(0) },
      ]);
      const members = await unzip(archive);
      expect(members.map(({ name, crcIsRight }) => [name, crcIsRight])).to.deep.equal([
        ['before', true],
        ['東京/é.txt', true],
        ['after', true],
      ]);
      expect(members[1]?.data.equals(text)).to.equal(true);
      const opened = await JSZip.loadAsync(archive, { checkCRC32: true });
      expect((await opened.file('東京/é.txt')?.async('nodebuffer'))?.equals(text)).to.equal(true);
    });
  }

  it('ends with zip64 records and a comment on demand', async () => {
    const archive = await write([{ name: 'a', data: text }], { zip64: true, comment: 'made by hand' });
    const file = await yauzl.fromBufferPromise(archive);
    expect(file.entryCount).to.equal(1);
    expect(file.comment).to.equal('made by hand');
    expect(archive.includes('PK\x06\x07')).to.equal(true);
    expect((await write([{ name: 'a', data: text }])).includes('PK\x06\x06')).to.equal(false);
  });

  it('announces another checksum than the true one on demand', async () => {
    const [member] = await unzip(await write([{ name: 'a', data: text, crc32: 0x12345678 }]));
    expect(member?.entry.crc32).to.equal(0x12345678);
    expect(member?.crcIsRight).to.equal(false);
  });

  it('lets a name of raw bytes through', async () => {
    const name = Buffer.from([0xff, 0xfe, 0x2e]);
    const file = await yauzl.fromBufferPromise(await write([{ name, data: text }]), { decodeStrings: false });
    for await (const entry of file.eachEntry()) {
      expect(entry.fileNameRaw.equals(name)).to.equal(true);
      expect(entry.generalPurposeBitFlag & (1 << 11)).to.equal(0);
    }
  });

  it('takes up an entry only when its turn comes', async () => {
    const turns: string[] = [];
    const entry = (name: string): ZipEntry => ({
      name,
      data: () => {
        turns.push(name);
        return text;
      },
    });
    const parts = zip([entry('a'), entry('b')]);
    await parts.next();
    await parts.next();
    expect(turns).to.deep.equal(['a']);
    await parts.return(undefined);
    expect(turns).to.deep.equal(['a']);
  });

  it('turns to zip64 above 65,534 entries', async () => {
    const none = Buffer.alloc(0);
    const entries = Array.from({ length: 70_000 }, (_, index) => ({ name: index.toString(), data: none }));
    const file = await yauzl.fromBufferPromise(await write(entries));
    let last = '';
    for await (const entry of file.eachEntry()) last = entry.fileName;
    expect(file.entryCount).to.equal(70_000);
    expect(last).to.equal('69999');
  });

  it('turns to zip64 above 4 GiB, for sizes and for offsets', async function () {
    this.timeout(60_000);
    const block = Buffer.alloc(64 * 2 ** 20, 'x');
    const big = Array.from({ length: 65 }, () => block);
    const chunks: Buffer[] = [];
    // The large chunks are one and the same block, so that the archive takes no room.
    for await (const chunk of zip([
      { name: 'big', data: () => big },
      { name: 'behind', data: text, method: 'deflated' },
    ]))
      chunks.push(chunk);
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    expect(size).to.be.above(2 ** 32);

    class Chunks extends yauzl.RandomAccessReader {
      override _readStreamForRange(start: number, end: number): Readable {
        let offset = 0;
        const wanted = chunks.map((chunk) => {
          const part = chunk.subarray(Math.max(0, start - offset), Math.max(0, end - offset));
          offset += chunk.length;
          return part;
        });
        return Readable.from(wanted.filter(({ length }) => length > 0));
      }
    }
    const file = await yauzl.fromRandomAccessReaderPromise(new Chunks(), size);
    const sizes: Record<string, number> = {};
    for await (const entry of file.eachEntry()) {
      sizes[entry.fileName] = entry.uncompressedSize;
      if (entry.fileName !== 'behind') continue;
      expect(entry.relativeOffsetOfLocalHeader).to.be.above(2 ** 32);
      expect((await readAll(await file.openReadStreamPromise(entry))).equals(text)).to.equal(true);
    }
    expect(sizes).to.deep.equal({ big: 65 * block.length, behind: text.length });
  });
});

describe('gzip writer', () => {
  it('repeats a block inside one stream', () => {
    const block = Buffer.from('{"a":1}\n{"b":"é"}\n');
    const member = Buffer.concat([...gzipRepeated(block, 1000)]);
    expect(gunzipSync(member).toString()).to.equal(block.toString().repeat(1000));
    expect(member.readUInt32LE(member.length - 4)).to.equal(block.length * 1000);
  });

  it('cuts streams at line ends where there are any', () => {
    const json = Buffer.from('{"a":1}\n{"b":2}\n{"c":3}\n');
    const member = gzipMember(json, { streams: 2 });
    expect(gunzipSync(member).equals(json)).to.equal(true);
    expect(member.readUInt32LE(member.length - 4)).to.equal(8);
    expect(gunzipSync(gzipMember(Buffer.from('no line end'), { streams: 3 })).toString()).to.equal('no line end');
  });
});
