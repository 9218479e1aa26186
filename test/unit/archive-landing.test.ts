import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import type { Archive, Count, Member } from '../../src/archive/archive.ts';
import { readMemberName } from '../../src/archive/names.ts';
import type { OutputFormat } from '../../src/config/settings.ts';
import { type Content, type Destination, Miscounted } from '../../src/destination/destination.ts';
import { landAnswer } from '../../src/export/answer.ts';
import { type LandedMember, landMember } from '../../src/export/member.ts';
import type { Tally } from '../../src/export/tally.ts';
import { crcHex } from '../../src/landing/manifest.ts';
import { PrefixProject } from '../../src/landing/project.ts';
import { gzipMember } from '../../src/simulator/gzip.ts';
import {
  collect,
  countOf,
  failure,
  memberOf,
  NAME,
  noisyLines,
  openWith,
  READERS,
  streamOf,
  write,
} from '../support/archive/fixtures.ts';

/** As strict as S3: refuses content of another length or checksum than announced, and releases what it has read. */
function strictStore() {
  const objects = new Map<string, Buffer>();
  const stored = { puts: 0, objects };
  const destination: Destination = {
    name: 'memory',
    async *list() {},
    requests: { listings: 0, reads: 0, looks: 0 },
    lacks: new Set(),
    read: async (key) => objects.get(key),
    look: async () => undefined,
    stream: async () => undefined,
    tail: async () => undefined,
    copy: async () => false,
    async put(key: string, content: Content) {
      stored.puts++;
      const whole = await collect(content.open());
      const counted = countOf(whole);
      if (counted.bytes !== content.bytes || counted.crc32 !== content.crc32) {
        expect(await content.count()).to.deep.equal(counted);
        throw new Miscounted();
      }
      objects.set(key, whole);
    },
    async delete() {},
    async sweep() {},
    async lock() {},
    standing: async () => undefined,
    swap: async () => 'lost',
    async close() {},
  };
  return { destination, stored };
}

/** A key says what is stored under it. */
const keyOf = (top: string, content: Buffer, ending: string) =>
  `${top}/date=2026-11-20/hour=05/100011471_2026-11-20T05_0.3.${crcHex(countOf(content).crc32)}.${ending}`;
const ENDINGS = { json: 'json', gzip: 'json.gz' } as const;
const HEX = ({ bytes, crc32 }: Count) => ({ bytes, crc32: crcHex(crc32) });

interface Case {
  readonly data: Buffer;
  readonly json: Buffer;
  readonly events: number;
  /** Bad lines with their number and reason; the rest of `json` lands. */
  readonly bad?: readonly (readonly [line: number, reason: string, content: string])[];
  readonly strict?: true;
}

const JSON_LINES = noisyLines(4000);
const border = streamOf(65_536);
const cases: Record<string, Case> = {
  'a plain member': { data: gzipMember(JSON_LINES), json: JSON_LINES, events: 4000 },
  'two gzip streams': { data: gzipMember(JSON_LINES, { streams: 2 }), json: JSON_LINES, events: 4000 },
  'two gzip streams with the same trailer length': {
    data: Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"b":2}\n')]),
    json: Buffer.from('{"a":1}\n{"b":2}\n'),
    events: 2,
  },
  'a second stream on a chunk border': {
    data: Buffer.concat([border.stream, gzipSync(JSON_LINES)]),
    json: Buffer.concat([border.json, JSON_LINES]),
    events: 4200,
  },
  'a little padding': { data: gzipMember(JSON_LINES, { padding: 8 }), json: JSON_LINES, events: 4000 },
  'padding over several chunks': { data: gzipMember(JSON_LINES, { padding: 300_000 }), json: JSON_LINES, events: 4000 },
  'a bad line first': {
    data: gzipMember(Buffer.concat([Buffer.from('half}\n'), JSON_LINES])),
    json: Buffer.concat([Buffer.from('half}\n'), JSON_LINES]),
    events: 4000,
    bad: [[1, 'not_an_object', 'half}\n']],
  },
  'bad lines first and last, in two padded streams': {
    data: gzipMember(Buffer.concat([Buffer.from('x\n'), JSON_LINES, Buffer.from('{"cut')]), { streams: 2, padding: 9 }),
    json: Buffer.concat([Buffer.from('x\n'), JSON_LINES, Buffer.from('{"cut')]),
    events: 4000,
    bad: [
      [1, 'not_an_object', 'x\n'],
      [4002, 'not_an_object', '{"cut'],
    ],
  },
  'a line that does not parse, strict': {
    data: gzipMember(Buffer.from('{"a":1}\n{"a":}\n\n{"b":2}\n')),
    json: Buffer.from('{"a":1}\n{"a":}\n\n{"b":2}\n'),
    events: 2,
    bad: [[2, 'invalid_json', '{"a":}\n']],
    strict: true,
  },
};

/** Members that hold not one event: no hour of zero events comes of them. */
const NOT_EVENTS: Record<string, Buffer> = {
  'an empty file': Buffer.alloc(0),
  'a gzip file of nothing': gzipMember(Buffer.alloc(0)),
  'blank lines': gzipSync('\n \n'),
  'nothing but bad lines': gzipMember(Buffer.from('a\nb')),
  'a JSON array': gzipSync('[{"a":1},{"b":2}]\n'),
  'in UTF-16': gzipSync(Buffer.from('{"a":1}\n{"b":2}\n', 'utf16le')),
  'gzip in gzip': gzipSync(gzipSync(JSON_LINES)),
};

for (const reader of READERS) {
  for (const format of ['json', 'gzip'] as const) {
    describe(`a member landed as ${format}, read with ${reader.reader}`, () => {
      let workDir: string;
      before(async () => {
        workDir = await mkdtemp(join(tmpdir(), 'landing-'));
      });
      after(() => rm(workDir, { recursive: true }));

      async function land(data: Buffer, strict: boolean) {
        const archive = await openWith(reader, await write([{ name: NAME, data }]), workDir);
        const { destination, stored } = strictStore();
        try {
          const member = archive.members[0] as Member;
          return { stored, landed: await landNamed(member, { destination, format, strict }) };
        } finally {
          await archive.close();
        }
      }

      for (const [what, { data, json, events, bad = [], strict = false }] of Object.entries(cases)) {
        it(`is ${what}`, async () => {
          const { landed, stored } = await land(data, strict);
          const content = stored.objects.get(landed.object.key) ?? expect.fail('nothing landed');
          const key = keyOf('events', content, ENDINGS[format]);
          const kept = bad.reduce((text, [, , line]) => text.replace(line, ''), json.toString('latin1'));
          const good = Buffer.from(kept, 'latin1');

          if (format === 'json') expect(content.equals(good)).to.equal(true);
          else if (bad.length === 0) expect(content.equals(data), 'the member as it came').to.equal(true);
          else expect(gunzipSync(content).equals(good)).to.equal(true);
          expect(landed.object).to.deep.equal({
            key,
            ...HEX(countOf(content)),
            events,
            member: NAME,
            source: HEX(countOf(json)),
          });

          const quarantine = stored.objects.get(landed.quarantine?.key ?? '');
          expect([...stored.objects.keys()]).to.have.members([
            key,
            ...(landed.quarantine ? [landed.quarantine.key] : []),
          ]);
          expect(landed.quarantine === undefined).to.equal(bad.length === 0);
          if (quarantine === undefined) return expect(landed.quarantine).to.equal(undefined);
          const lines = quarantine.toString().trimEnd().split('\n');
          expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal(
            bad.map(([line, reason, text]) => ({ line, reason, base64: Buffer.from(text).toString('base64') })),
          );
          return expect(landed.quarantine).to.deep.equal({
            key: keyOf('quarantine', quarantine, 'jsonl'),
            ...HEX(countOf(quarantine)),
            lines: bad.length,
            member: NAME,
          });
        });
      }

      it('is the same bytes each time, also compressed again without its bad lines', async () => {
        const { data } = cases['a bad line first'] as Case;
        const [first, second] = [await land(data, false), await land(data, false)];
        expect(second.stored.objects).to.deep.equal(first.stored.objects);
        expect(second.landed).to.deep.equal(first.landed);
      });

      for (const [what, data] of Object.entries(NOT_EVENTS)) {
        it(`is a broken answer: ${what}`, async () => {
          const { destination, stored } = strictStore();
          const archive = await openWith(reader, await write([{ name: NAME, data }]), workDir);
          const landing = landNamed(archive.members[0] as Member, { destination, format, strict: false });
          expect((await failure(landing, 'NOT_EVENTS')).message).to.include(NAME);
          expect([...stored.objects]).to.deep.equal([]);
          await archive.close();
        });
      }

      it('does not land when it is damaged', async () => {
        const { destination, stored } = strictStore();
        for (const data of [gzipMember(JSON_LINES, { flipped: true }), gzipMember(JSON_LINES, { half: true })]) {
          const archive = await openWith(reader, await write([{ name: NAME, data }]), workDir);
          const landing = landNamed(archive.members[0] as Member, { destination, format, strict: false });
          expect((await failure(landing, 'ARCHIVE_BROKEN')).message).to.include(NAME);
          await archive.close();
        }
        expect([...stored.objects]).to.deep.equal([]);
      });
    });
  }
}

function landNamed(
  member: Member,
  options: { destination: Destination; format: OutputFormat; strict: boolean },
): Promise<LandedMember> {
  const timings = { downloadMs: 0, inflateMs: 0, uploadMs: 0 };
  const name = readMemberName(member.name) ?? expect.fail('no name of a member');
  return landMember({ member, name }, { ...options, timings, generation: 3 });
}

describe('a member in the json format', () => {
  it('is sent once when its trailer is right, twice when it is not', async () => {
    const puts = async (data: Buffer) => {
      const { destination, stored } = strictStore();
      await landNamed(memberOf([data]), { destination, format: 'json', strict: false });
      return stored.puts;
    };
    expect(await puts(gzipMember(JSON_LINES))).to.equal(1);
    expect(await puts(gzipMember(JSON_LINES, { streams: 2 }))).to.equal(2);
    expect(await puts(gzipMember(JSON_LINES, { padding: 9 }))).to.equal(2);
  });
});

describe('two members of one part', () => {
  it('are refused before anything is written', async () => {
    const bare = NAME.replace(/^.*\//, '');
    const hour = readMemberName(NAME)?.hour ?? Number.NaN;
    for (const reader of READERS) {
      const workDir = await mkdtemp(join(tmpdir(), 'landing-'));
      const bytes = await write([NAME, bare].map((name) => ({ name, data: gzipMember(JSON_LINES) })));
      const archive: Archive = await openWith(reader, bytes, workDir);
      const untouched = new Proxy({} as Destination, {
        get: (_, method) => expect.fail(`the destination was asked for ${String(method)}`),
      });
      const landing = landAnswer({ start: hour, end: hour + 1 }, archive, new Date(), {
        destination: untouched,
        format: 'json',
        project: new PrefixProject(),
        tally: {} as Tally,
      } as unknown as Parameters<typeof landAnswer>[3]);
      expect((await failure(landing, 'ARCHIVE_REFUSED')).message).to.include(`"${bare}"`);
      await archive.close();
      await rm(workDir, { recursive: true });
    }
  });
});
