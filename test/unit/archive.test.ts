import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Archive, Member } from '../../src/archive/archive.ts';
import { type Examined, examine, inflate } from '../../src/archive/inflate.ts';
import { readMemberName } from '../../src/archive/names.ts';
import { linesOf } from '../../src/simulator/events.ts';
import { gzipMember } from '../../src/simulator/gzip.ts';
import type { ZipEntry, ZipOptions } from '../../src/simulator/zip.ts';
import {
  collect,
  countOf,
  failure,
  NAME,
  namesIn,
  noisyEvent,
  noisyLines,
  openWith,
  READERS,
  streamOf,
  write,
} from '../support/archive/fixtures.ts';

const HOUR = Date.UTC(2026, 10, 20, 5) / 3_600_000;
const JSON_LINES = Buffer.concat([...linesOf({ seed: 1, project: '100011471', hour: HOUR, index: 0, events: 40 })]);
const GZ = gzipMember(JSON_LINES);
const OTHER = '100011471/100011471_2026-11-20_5#1.json.gz';

const lines = (count: number) => Buffer.from('{"event_type":"open"}\n'.repeat(count));
const text = (json: string) => gzipMember(Buffer.from(json));

for (const reader of READERS) {
  describe(`an archive read with ${reader.reader}`, () => {
    let workDir: string;
    let opened: Archive[];

    before(async () => {
      workDir = await mkdtemp(join(tmpdir(), 'archive-'));
    });
    after(() => rm(workDir, { recursive: true }));
    beforeEach(() => {
      opened = [];
    });
    afterEach(async () => {
      for (const archive of opened) await archive.close();
      expect(await readdir(workDir)).to.deep.equal([]);
    });

    async function open(bytes: Buffer): Promise<Archive> {
      const archive = await openWith(reader, bytes, workDir);
      opened.push(archive);
      return archive;
    }
    const openEntries = async (entries: ZipEntry[], options?: ZipOptions) => open(await write(entries, options));

    /** The only member of an archive that holds `data`. */
    async function only(data: Buffer, form: Partial<ZipEntry> = {}): Promise<Member> {
      const { members } = await openEntries([{ name: NAME, data, ...form }]);
      expect(members).to.have.length(1);
      return members[0] as Member;
    }

    /** Opens and inflates everything, as a landing would. */
    async function readAll(bytes: Buffer): Promise<Buffer[]> {
      const contents: Buffer[] = [];
      for (const member of (await open(bytes)).members) contents.push(await collect(inflate(member)));
      return contents;
    }

    describe('whole archives', () => {
      const forms: Record<string, [Partial<ZipEntry>, ZipOptions?]> = {
        'stored members': [{ method: 'stored' }],
        'deflated members': [{ method: 'deflated' }],
        'stored members with data descriptors': [{ method: 'stored', dataDescriptor: true }],
        'deflated members with data descriptors': [{ method: 'deflated', dataDescriptor: true }],
        'zip64 in entries and end': [{ zip64: true }, { zip64: true }],
        'zip64 with deflated members and data descriptors': [
          { zip64: true, method: 'deflated', dataDescriptor: true },
          { zip64: true },
        ],
        'a comment that holds an end record': [{}, { comment: 'made of PK\x01\x02 and more' }],
      };
      for (const [title, [form, options]] of Object.entries(forms)) {
        it(`takes ${title}, byte for byte, as often as asked`, async () => {
          const jsons = [JSON_LINES, noisyLines(3000), Buffer.from('{"a":1}'), Buffer.alloc(0)];
          const entries = jsons.map((json, part) => ({
            ...form,
            name: NAME.replace('#0', `#${part}`),
            data: gzipMember(json),
          }));
          const { members } = await openEntries(entries, options);
          expect(members.map(({ name }) => name)).to.deep.equal(entries.map(({ name }) => name));
          for (const [index, member] of members.entries()) {
            const { data } = entries[index] as { data: Buffer };
            const json = jsons[index] as Buffer;
            expect(member.bytes).to.equal(data.length);
            expect((await collect(member.open())).equals(data), 'before the trailer').to.equal(true);
            expect(await member.trailer()).to.deep.equal(countOf(json));
            expect((await collect(member.open())).equals(data), 'after the trailer').to.equal(true);
            expect((await collect(member.open())).equals(data), 'once more').to.equal(true);
            expect((await collect(inflate(member))).equals(json), 'inflated').to.equal(true);
          }
        });
      }

      it('takes a member of several megabytes, also deflated once more', async () => {
        const json = noisyEvent(6_000_000);
        const data = gzipSync(json, { level: 1 });
        expect(data.length).to.be.above(4 * 2 ** 20);
        for (const method of ['stored', 'deflated'] as const) {
          const member = await only(data, { method });
          expect(await member.trailer()).to.deep.equal(countOf(json));
          expect((await collect(member.open())).equals(data)).to.equal(true);
          expect((await collect(inflate(member))).equals(json)).to.equal(true);
        }
      });

      it('reads members at once and out of order, and one member twice at once', async () => {
        const jsons = Array.from({ length: 6 }, (_, index) => noisyLines(4000, index + 1));
        const { members } = await openEntries(
          jsons.map((json, part) => ({ name: NAME.replace('#0', `#${part}`), data: gzipMember(json) })),
        );
        const order = [5, 0, 3, 3, 1, 4, 2, 0];
        const read = await Promise.all(order.map((index) => collect(inflate(members[index] as Member))));
        for (const [index, content] of read.entries())
          expect(content.equals(jsons[order[index] as number] as Buffer)).to.equal(true);
      });

      it('ignores directories', async () => {
        const { members } = await openEntries([
          { name: '100011471/', data: Buffer.alloc(0), directory: true },
          { name: NAME, data: GZ },
          { name: 'empty/', data: Buffer.alloc(0), directory: true, method: 'deflated' },
        ]);
        expect(members.map(({ name }) => name)).to.deep.equal([NAME]);
      });

      it('reads parts #0 to #11 with their hour', async () => {
        const entries = Array.from({ length: 12 }, (_, part) => ({
          name: NAME.replace('#0', `#${part}`),
          data: text(`{"part":${part}}\n`),
        }));
        const archive = await openEntries(entries);
        expect(namesIn(archive)).to.deep.equal(
          entries.map((_, part) => ({
            project: '100011471',
            hour: HOUR,
            part,
          })),
        );
        for (const [part, member] of archive.members.entries())
          expect((await collect(inflate(member))).toString()).to.equal(`{"part":${part}}\n`);
      });

      it('has no members in an empty zip', async () => {
        expect((await openEntries([])).members).to.deep.equal([]);
      });

      it('reads again after a reader stopped half way', async () => {
        const json = noisyEvent(2_000_000);
        const member = await only(gzipMember(json));
        for (let round = 0; round < 3; round++) {
          for await (const chunk of inflate(member)) {
            expect(chunk.length).to.be.above(0);
            break;
          }
          for await (const chunk of member.open()) {
            expect(chunk.length).to.be.above(0);
            break;
          }
        }
        expect((await collect(inflate(member))).equals(json)).to.equal(true);
      });

      it('keeps its own memory', async () => {
        const member = await only(GZ);
        await collect(inflate(member));
        await member.trailer();
        await collect(inflate(member));
        expect((await collect(member.open())).equals(GZ)).to.equal(true);
      });
    });

    describe('names', () => {
      const hostile: Record<string, RegExp> = {
        '../../evil.json.gz': /leaves its folder/,
        '100011471/../100011471/100011471_2026-11-20_5#0.json.gz': /leaves its folder/,
        '/etc/evil.json.gz': /leaves its folder/,
        '/100011471/100011471_2026-11-20_5#0.json.gz': /leaves its folder/,
        'C:/100011471/100011471_2026-11-20_5#0.json.gz': /leaves its folder/,
        '100011471\\100011471_2026-11-20_5#0.json.gz': /leaves its folder/,
        '..\\evil.json.gz': /leaves its folder/,
        './100011471/100011471_2026-11-20_5#0.json.gz': /cannot be read/,
        '100011471//100011471_2026-11-20_5#0.json.gz': /cannot be read/,
        '100011471/events.json.gz': /cannot be read/,
        '100011471/100011471_2026-11-20_5.json.gz': /cannot be read/,
        '100011471/100011471_2026-11-20_5#0.json': /cannot be read/,
        '100011471/100011471_2026-11-20_5#0.json.gz\n': /cannot be read/,
        '100011471/100011471_2026-11-20_5#\u0661.json.gz': /cannot be read/,
        '100011471/100011471_2026-11-20_24#0.json.gz': /hour that does not exist/,
        '100011471/100011471_2026-02-30_5#0.json.gz': /hour that does not exist/,
        '7/100011471_2026-11-20_5#0.json.gz': /two projects/,
        __proto__: /cannot be read/,
        '': /cannot be read/,
      };
      for (const [name, why] of Object.entries(hostile)) {
        it(`refuses ${JSON.stringify(name)}`, async () => {
          const archive = await openEntries([
            { name: OTHER, data: GZ },
            { name, data: GZ },
          ]);
          const error = await failure(
            Promise.resolve().then(() => namesIn(archive)),
            'ARCHIVE_REFUSED',
          );
          expect(error.message).to.match(why).and.include(JSON.stringify(name));
        });
      }

      it('refuses names that are no UTF-8', async () => {
        const name = Buffer.concat([Buffer.from('100011471/'), Buffer.from([0xff, 0xfe]), Buffer.from('.json.gz')]);
        const bytes = await write([{ name, data: GZ }]);
        await failure(open(bytes).then(namesIn), 'ARCHIVE_REFUSED');
      });

      it('refuses two entries of one name and says which', async () => {
        const bytes = await write([
          { name: NAME, data: GZ },
          { name: OTHER, data: GZ },
          { name: NAME, data: text('{"other":true}\n') },
        ]);
        expect((await failure(open(bytes), 'ARCHIVE_REFUSED')).message).to.include(`"${NAME}"`);
      });

      it('refuses names that are the same once cleaned', async () => {
        for (const name of [`x/../${NAME}`, `./${NAME}`, NAME.replace('/', '//')]) {
          const bytes = await write([
            { name, data: GZ },
            { name: NAME, data: GZ },
          ]);
          await failure(open(bytes).then(namesIn), 'ARCHIVE_REFUSED');
        }
      });

      it('ignores marks of completeness', async () => {
        const archive = await openEntries([
          { name: '100011471/100011471_2026-11-20_5_complete', data: Buffer.alloc(0) },
          { name: NAME, data: GZ },
        ]);
        const [mark, named] = namesIn(archive);
        expect(mark).to.equal(undefined);
        expect(named?.hour).to.equal(HOUR);
      });

      it('refuses an encrypted entry and names it', async () => {
        const bytes = await write([{ name: NAME, data: GZ, method: 'deflated' }]);
        for (const [signature, offset] of [
          ['PK\x03\x04', 6],
          ['PK\x01\x02', 8],
        ] as const) {
          const flags = bytes.indexOf(signature, 0, 'latin1') + offset;
          bytes.writeUInt16LE(bytes.readUInt16LE(flags) | 1, flags);
        }
        expect((await failure(open(bytes), 'ARCHIVE_REFUSED')).message).to.include(`"${NAME}" is encrypted`);
      });
    });

    describe('damage', () => {
      const two: ZipEntry[] = [
        { name: NAME, data: GZ },
        { name: OTHER, data: GZ, method: 'deflated', dataDescriptor: true },
      ];

      it('notices that the archive is cut short, at any byte', async () => {
        const bytes = await write(two, { zip64: true });
        const directory = bytes.indexOf('PK\x01\x02', 0, 'latin1');
        const places = [1, 2, 3, 4, 29, 60, GZ.length, directory - 1, directory, directory + 1, directory + 80];
        const fromEnd = [98, 97, 77, 76, 75, 43, 42, 41, 22, 21, 1].map((left) => bytes.length - left);
        const anywhere = fc.integer({ min: 1, max: bytes.length - 1 });
        await fc.assert(
          fc.asyncProperty(anywhere, async (cut) => {
            await failure(open(bytes.subarray(0, cut)), 'ARCHIVE_BROKEN');
          }),
          { numRuns: 40, examples: [...places, ...fromEnd].map((cut) => [cut]) },
        );
      });

      it('notices missing bytes in the middle', async () => {
        const bytes = await write(two);
        for (const [from, to] of [
          [100, 101],
          [40, 400],
          [GZ.length, GZ.length + 60],
        ])
          await failure(readAll(Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])), 'ARCHIVE_BROKEN');
      });

      it("finds any flipped bit of a stored member by gzip's own check and names the member", async () => {
        const data = gzipMember(Buffer.from('{"event_type":"open","n":1}\n{"event_type":"close","n":22}\n'));
        const json = await collect(inflate(await only(data)));
        const clean = await write([{ name: NAME, data }]);
        const start = clean.indexOf(data);
        // Time, level and system in gzip's header and the bits that fill up the last byte say nothing of the content.
        const silent = [4, 5, 6, 7, 8, 9, data.length - 9];
        for (let offset = 0; offset < data.length; offset++) {
          const bytes = Buffer.from(clean);
          bytes.writeUInt8(bytes.readUInt8(start + offset) ^ (1 << (7 - (offset % 3))), start + offset);
          const { members } = await open(bytes);
          const content = collect(inflate(members[0] as Member));
          if (silent.includes(offset)) expect((await content).equals(json), `byte ${offset}`).to.equal(true);
          else expect((await failure(content, 'ARCHIVE_BROKEN')).message, `byte ${offset}`).to.include(NAME);
        }
      });

      it('finds a flipped byte of a deflated member and names it', async () => {
        const data = gzipMember(noisyLines(2000));
        const clean = await write([{ name: NAME, data, method: 'deflated' }]);
        const bytes = Buffer.from(clean);
        const middle = clean.length >> 1;
        bytes.writeUInt8(bytes.readUInt8(middle) ^ 0x10, middle);
        expect((await failure(readAll(bytes), 'ARCHIVE_BROKEN')).message).to.include(NAME);
        const { members } = await open(bytes);
        const examined = examine(members[0] as Member, { strict: false });
        expect((await failure(examined, 'ARCHIVE_BROKEN')).message).to.include(NAME);
      });

      const damaged: Record<string, Buffer> = {
        'half a gzip stream': gzipMember(JSON_LINES, { half: true }),
        'a gzip stream without its last byte': GZ.subarray(0, -1),
        'a gzip stream without its trailer': GZ.subarray(0, -8),
        'a gzip header alone': GZ.subarray(0, 10),
        'less than a trailer': GZ.subarray(0, 5),
        'no gzip at all': JSON_LINES,
        'a second stream cut short': gzipMember(JSON_LINES, { streams: 2 }).subarray(0, -20),
        'a stream and then garbage': Buffer.concat([GZ, Buffer.from('garbage')]),
        'padding before the stream': Buffer.concat([Buffer.alloc(16), GZ]),
        'a stream, padding and then garbage': Buffer.concat([GZ, Buffer.alloc(16), Buffer.from('garbage')]),
        'a stream, padding and another stream': Buffer.concat([GZ, Buffer.alloc(16), GZ]),
        'a stream, much padding and another stream': Buffer.concat([GZ, Buffer.alloc(200_000), GZ]),
      };
      for (const [what, data] of Object.entries(damaged)) {
        for (const method of ['stored', 'deflated'] as const) {
          it(`finds ${what} in a ${method} member and names it`, async () => {
            const examined = examine(await only(data, { method }), { strict: false });
            expect((await failure(examined, 'ARCHIVE_BROKEN')).message).to.include(NAME);
            const inflated = collect(inflate(await only(data, { method })));
            expect((await failure(inflated, 'ARCHIVE_BROKEN')).message).to.include(NAME);
          });
        }
      }

      it('quotes the beginning of an answer that is no archive', async () => {
        const page = '<!doctype html>\n<html><head><title>We are down for maintenance</title></head></html>\n';
        const error = await failure(open(Buffer.from(page)), 'ARCHIVE_BROKEN');
        expect(error.message).to.include('<!doctype html> <html><head><title>We are down for maintenance');
        expect((await failure(open(Buffer.from('P')), 'ARCHIVE_BROKEN')).message).to.include('"P"');
        await failure(open(Buffer.from('PKZIP is what they call it, but this is only text')), 'ARCHIVE_BROKEN');
      });

      it('names an empty answer', async () => {
        expect((await failure(open(Buffer.alloc(0)), 'ARCHIVE_BROKEN')).message).to.include('the answer was empty');
      });

      describe('sizes that lie', () => {
        const CENTRAL = 'PK\x01\x02';
        /** An archive of one member whose directory says `value` at `offset`. */
        async function lying(method: 'stored' | 'deflated', offset: number, value: (is: number) => number) {
          const bytes = await write([{ name: NAME, data: gzipMember(noisyLines(2000)), method }]);
          const place = bytes.indexOf(CENTRAL, 0, 'latin1') + offset;
          bytes.writeUInt32LE(value(bytes.readUInt32LE(place)), place);
          return bytes;
        }
        const fields = { 'compressed size': 20, 'uncompressed size': 24, place: 42 };
        const lies: Record<string, (is: number) => number> = {
          'too small by one': (is) => (is === 0 ? 1 : is - 1),
          'too large by one': (is) => is + 1,
          tiny: () => 3,
          'of 2 GiB': () => 2 ** 31,
          'of almost 4 GiB': () => 2 ** 32 - 2,
        };
        for (const [field, offset] of Object.entries(fields)) {
          for (const [lie, value] of Object.entries(lies)) {
            it(`notices a ${field} that is ${lie}`, async () => {
              await failure(readAll(await lying('stored', offset, value)), 'ARCHIVE_BROKEN');
              const deflated = readAll(await lying('deflated', offset, value));
              // A deflated stream knows its own end: a byte more changes nothing.
              if (field === 'compressed size' && lie === 'too large by one')
                expect((await deflated)[0]?.equals(noisyLines(2000))).to.equal(true);
              else await failure(deflated, 'ARCHIVE_BROKEN');
            });
          }
        }

        it('notices an end record that counts more entries than there are', async () => {
          const bytes = await write([{ name: NAME, data: GZ }]);
          const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
          bytes.writeUInt16LE(2, end + 8);
          bytes.writeUInt16LE(2, end + 10);
          await failure(open(bytes), 'ARCHIVE_BROKEN');
        });

        it('does not let a member inflate far beyond its size', async () => {
          const bytes = await write([{ name: NAME, data: Buffer.alloc(50 * 2 ** 20), method: 'deflated' }]);
          bytes.writeUInt32LE(1000, bytes.indexOf(CENTRAL, 0, 'latin1') + 24);
          const { members } = await open(bytes);
          let seen = 0;
          const reading = (async () => {
            for await (const chunk of (members[0] as Member).open()) seen += chunk.length;
          })();
          expect((await failure(reading, 'ARCHIVE_BROKEN')).message).to.include(NAME);
          expect(seen).to.be.at.most(1000);
          expect((await failure((members[0] as Member).trailer(), 'ARCHIVE_BROKEN')).message).to.include(NAME);
        });
      });
    });

    describe('what examine finds', () => {
      interface Case {
        readonly data: Buffer;
        readonly json: Buffer;
        readonly events: number;
        readonly bad?: Examined['bad'];
        readonly strict?: true;
      }
      const plain = (json: string | Buffer, events: number, bad: Examined['bad'] = []): Case => ({
        data: gzipMember(Buffer.from(json)),
        json: Buffer.from(json),
        events,
        bad,
      });
      const border = streamOf(65_536);
      const smallBorder = streamOf(16_384);
      const streams = (...jsons: Buffer[]) => Buffer.concat(jsons.map((json) => gzipSync(json)));
      const long = `{"event_type":"long","x":"${'\u00e4'.repeat(500_000)}"}\n`;

      const cases: Record<string, Case> = {
        'plain lines': plain(JSON_LINES, 40),
        'an empty member': plain('', 0),
        'one line without its end': plain('{"a":1}', 1),
        'no last line end': plain('{"a":1}\n{"b":2}', 2),
        'blank lines': plain('\n\n{"a":1}\n \t\n{"b":2}\n\n', 2),
        'nothing but blank lines': plain('\n \n\t\n', 0),
        'CR LF': plain('{"a":1}\r\n\r\n{"b":2}\r\n', 2),
        'white space around events': plain('  {"a":1}\t\n\v{"b":2}\f \r\n', 2),
        'lines of 1 MB': plain(`{"a":1}\n${long}${long}{"b":2}\n`, 4),
        'U+2028, U+2029 and U+0085 in strings': plain('{"s":"a\u2028b\u2029c\u0085d"}\n{"b":2}\n', 2),
        'a byte order mark': plain('\ufeff{"a":1}\n{"b":2}\n', 2),
        'a byte order mark alone': plain('\ufeff', 0),
        'a byte order mark before a blank line': plain('\ufeff\n{"b":2}\n', 1),
        'half a byte order mark': plain(Buffer.from([0xef, 0xbb, ...Buffer.from('{"a":1}\n{"b":2}\n')]), 1, [
          { line: 1, start: 0, end: 10, reason: 'not_an_object' },
        ]),
        'half a byte order mark alone': plain(Buffer.from([0xef, 0xbb]), 0, [
          { line: 1, start: 0, end: 2, reason: 'not_an_object' },
        ]),
        'two byte order marks': plain('\ufeff\ufeff{"a":1}\n{"b":2}\n', 1, [
          { line: 1, start: 0, end: 14, reason: 'not_an_object' },
        ]),
        'a byte order mark later on': plain('{"a":1}\n\ufeff{"b":2}\n', 1, [
          { line: 2, start: 8, end: 19, reason: 'not_an_object' },
        ]),
        'lines that are no objects': plain('{"a":1}\n{"half\n\n[1]\n{"b":2}\n}', 2, [
          { line: 2, start: 8, end: 15, reason: 'not_an_object' },
          { line: 4, start: 16, end: 20, reason: 'not_an_object' },
          { line: 6, start: 28, end: 29, reason: 'not_an_object' },
        ]),
        'lines that only look like objects, not strict': plain('{"a":}\n{}}\n', 2),
        'lines that only look like objects, strict': {
          ...plain('{"a":}\n{"b":2}\n{"c":1}{"d":2}\n{"e":3}', 2, [
            { line: 1, start: 0, end: 7, reason: 'invalid_json' },
            { line: 3, start: 15, end: 30, reason: 'invalid_json' },
          ]),
          strict: true,
        },
        'bytes that are no UTF-8, strict': {
          ...plain(Buffer.from('{"a":"\xff"}\n{"b":2}\n', 'latin1'), 1, [
            { line: 1, start: 0, end: 10, reason: 'invalid_json' },
          ]),
          strict: true,
        },
        'two gzip streams': { data: gzipMember(JSON_LINES, { streams: 2 }), json: JSON_LINES, events: 40 },
        'two gzip streams of one length': { data: streams(lines(3), lines(3)), json: lines(6), events: 6 },
        'an empty stream, then a full one': { data: streams(Buffer.alloc(0), lines(3)), json: lines(3), events: 3 },
        'a full stream, then an empty one': { data: streams(lines(3), Buffer.alloc(0)), json: lines(3), events: 3 },
        'a line that goes on in the next stream': {
          data: streams(Buffer.from('{"a"'), Buffer.from(':1}\n')),
          json: Buffer.from('{"a":1}\n'),
          events: 1,
        },
        'a second stream on the border of 64 KiB': {
          data: Buffer.concat([border.stream, GZ]),
          json: Buffer.concat([border.json, JSON_LINES]),
          events: 240,
        },
        'a second stream on the border of 16 KiB': {
          data: Buffer.concat([smallBorder.stream, GZ]),
          json: Buffer.concat([smallBorder.json, JSON_LINES]),
          events: 240,
        },
        'padding after the stream': { data: gzipMember(JSON_LINES, { padding: 512 }), json: JSON_LINES, events: 40 },
        'one zero after the stream': { data: gzipMember(JSON_LINES, { padding: 1 }), json: JSON_LINES, events: 40 },
        'padding of 300 KB': { data: gzipMember(JSON_LINES, { padding: 300_000 }), json: JSON_LINES, events: 40 },
        'padding of 1 MB': { data: gzipMember(JSON_LINES, { padding: 1_000_000 }), json: JSON_LINES, events: 40 },
        'padding that begins on a border': {
          data: Buffer.concat([border.stream, Buffer.alloc(70_000)]),
          json: border.json,
          events: 200,
        },
        'padding after two streams': {
          data: gzipMember(JSON_LINES, { streams: 2, padding: 100_000 }),
          json: JSON_LINES,
          events: 40,
        },
        'padding after an empty stream': {
          data: gzipMember(Buffer.alloc(0), { padding: 9 }),
          json: Buffer.alloc(0),
          events: 0,
        },
      };
      for (const [what, { data, json, events, bad = [], strict = false }] of Object.entries(cases)) {
        it(`in ${what}`, async () => {
          for (const method of ['stored', 'deflated'] as const) {
            const member = await only(data, { method });
            expect((await collect(inflate(member))).equals(json), 'content').to.equal(true);
            if (events === 0) {
              await failure(examine(member, { strict }), 'NOT_EVENTS');
              continue;
            }
            expect(await examine(member, { strict })).to.deep.equal({
              source: countOf(json),
              file: countOf(data),
              events,
              bad,
            });
          }
        });
      }

      it('refuses a member with more than 100,000 bad lines', async () => {
        const error = await failure(
          examine(await only(text('x\n'.repeat(100_001))), { strict: false }),
          'ARCHIVE_BROKEN',
        );
        expect(error.message).to.include(NAME);
        const { bad } = await examine(await only(text(`${'x\n'.repeat(100_000)}{}`)), { strict: false });
        expect(bad).to.have.length(100_000);
      });
    });
  });
}

describe('a name of a member', () => {
  it('is read without its folder too, and with a padded hour', () => {
    const read = { project: '100011471', hour: HOUR, part: 3 };
    expect(readMemberName('100011471_2026-11-20_5#3.json.gz')).to.deep.equal(read);
    expect(readMemberName('100011471/100011471_2026-11-20_05#3.json.gz')).to.deep.equal(read);
  });
});
