import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { unlinkSync } from 'node:fs';
import {
  appendFile,
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import zlib from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { loadSettings } from '../../src/config/settings.ts';
import { count, number } from '../../src/format.ts';
import { formatHour, hourFolder } from '../../src/hours.ts';
import { type Manifest, manifestKey } from '../../src/landing/manifest.ts';
import { FailedUploads } from '../../src/reconcile/failed-uploads.ts';
import { runReconcile } from '../../src/reconcile/reconcile.ts';
import type { ReconcileReport } from '../../src/reconcile/report.ts';
import { MAIN, runProgram, STARTED } from '../support/program.ts';
import {
  DAY,
  given,
  hourAt,
  inTwoStreams,
  Local,
  landedPlaces,
  onlyOf,
  type Place,
  QUARANTINED,
  QUIET,
} from '../support/reconcile/scene.ts';
import { hearingLog } from '../support/settings.ts';

const LANDED = ['06', '07', '08', '10', '11'].map(hourAt);
/** The key that its manifest gives for a member. */
async function keyOf(place: Place, name: string, hour: number, list: 'objects' | 'quarantine' = 'objects') {
  const manifest = JSON.parse((await place.read(manifestKey(hour)))?.toString() ?? '{}') as Manifest;
  return manifest[list].find(({ member }) => member.endsWith(`/${name}.gz`))?.key ?? '';
}
const codes = ({ moved }: ReconcileReport) => Object.fromEntries(moved.map(({ file, code }) => [file, code]));

for (const format of ['json', 'gzip'] as const) {
  describe(`reconcile with hours that landed as ${format}`, function () {
    this.timeout(60_000);
    let places: Place[] = [];
    let local: Local;

    before(async () => {
      places = await landedPlaces(format);
    });
    after(() => Promise.all(places.map((place) => place.close())));
    beforeEach(async () => {
      local = await Local.make();
    });
    afterEach(async () => {
      await local.close();
      for (const place of places) await place.restore();
    });

    for (const [which, where] of ['a folder', 'S3'].entries()) {
      it(`deletes what ${where} has, in every spelling, packing and layout`, async () => {
        const place = places[which] as Place;
        const shapes: ((name: string, hour: number, json: Buffer) => [string, Buffer])[] = [
          (name, _, json) => [name, json],
          (name, _, json) => [`100011471/${name}.gz`, zlib.gzipSync(json)],
          (name, hour, json) => [`deep/er/events/${hourFolder(hour)}/${name}.gz`, inTwoStreams(json)],
          (name, _, json) => [`padded/${name.replace(/_(\d)#/, '_0$1#')}`, json],
          (name, _, json) => [`zeros/${name}.gz`, Buffer.concat([zlib.gzipSync(json), Buffer.alloc(600)])],
        ];
        const files: string[] = [];
        for (const hour of LANDED) {
          for (const [name, json] of given(hour)) {
            for (const shape of shapes) {
              const [file, bytes] = shape(name, hour, json);
              await local.put(file, bytes);
              files.push(file);
            }
          }
        }
        const before = await place.all();
        const { code, said, stderr } = await local.run(place);
        expect(said.deleted.map(({ file }) => file)).to.have.members(files);
        expect([code, said.moved, said.kept, said.gaps]).to.deep.equal([0, [], [], []]);
        expect(await readdir(local.top), stderr).to.deep.equal(['exports']);
        expect(await readdir(local.dir)).to.deep.equal([]);
        expect(await place.all()).to.deep.equal(before);
        for (const { key, bytes } of said.deleted) expect((await place.read(key))?.length).to.equal(bytes);
      });

      it(`moves a file whose stored object or quarantine is missing from ${where} or differs`, async () => {
        const place = places[which] as Place;
        const cases: [number, string, (key: string) => Promise<void>][] = [
          [hourAt('06'), 'STORED_MISSING', (key) => place.remove(key)],
          [hourAt('08'), 'STORED_DIFFERS', async (key) => place.write(key, flipped(await place.read(key)))],
          [
            hourAt('10'),
            'STORED_DIFFERS',
            async (key) => place.write(key, (await place.read(key))?.subarray(1) as Buffer),
          ],
        ];
        const expected: Record<string, string> = {};
        for (const [hour, code, harm] of cases) {
          const { name, json } = onlyOf(hour);
          await local.put(name, json);
          await harm(await keyOf(place, name, hour));
          expected[name] = code;
        }
        const { name, json } = onlyOf(QUARANTINED);
        await local.put(name, json);
        await place.remove(await keyOf(place, name, QUARANTINED, 'quarantine'));
        expected[name] = 'STORED_MISSING';
        const before = await local.files();
        const { code, said } = await local.run(place);
        expect([code, said.deleted, codes(said)]).to.deep.equal([3, [], expected]);
        expect(await local.movedFiles()).to.deep.equal(before);
      });
    }
  });
}

function flipped(bytes: Buffer | undefined): Buffer {
  const copy = Buffer.from(bytes ?? '');
  copy[5] = (copy[5] ?? 0) ^ 1;
  return copy;
}

describe('reconcile', function () {
  this.timeout(60_000);
  let places: Place[] = [];
  let local: Local;
  let folder: Place;
  let s3: Place;

  before(async () => {
    places = await landedPlaces();
    [folder, s3] = places as [Place, Place];
  });
  after(() => Promise.all(places.map((place) => place.close())));
  beforeEach(async () => {
    local = await Local.make();
  });
  afterEach(async () => {
    await local.close();
    for (const place of places) await place.restore();
  });

  /** One file for each reason. */
  async function oneOfEach(place: Place): Promise<Record<string, string>> {
    const { name, json } = onlyOf(hourAt('06'));
    const stem = `100011471_${DAY}_`;
    await local.put(`differs/${name}`, flipped(json));
    await local.put(`longer/${name}`, Buffer.concat([json, json]));
    await local.put(`longer/${name}.gz`, zlib.gzipSync(Buffer.concat([json, json])));
    await local.put(`shorter/${name}.gz`, zlib.gzipSync(json.subarray(1)));
    await local.put(`cut/${name}.gz`, zlib.gzipSync(json).subarray(0, 90));
    await local.put(`crc/${name}.gz`, flippedTrailer(zlib.gzipSync(json)));
    await local.put(`more/${name}.gz`, Buffer.concat([zlib.gzipSync(json), Buffer.alloc(9), Buffer.from('more')]));
    await local.put(`empty/${name}.gz`, '');
    await local.put(`plain/${name}.gz`, json);
    await local.put(`${stem}3#0.json`, '{}\n');
    await local.put(`${stem}9#0.json`, '{}\n');
    await local.put(`${stem}6#77.json`, json);
    await local.put(`999_${DAY}_6#0.json`, json);
    await local.put(`999_${DAY}_4#0.json`, json);
    await local.put(`${stem}10#0.json`, onlyOf(hourAt('10')).json);
    await place.write(manifestKey(hourAt('10')), Buffer.from('{"version": 1, "hour"'));
    await local.put(`${stem}11#0.json`, onlyOf(hourAt('11')).json);
    await place.write(manifestKey(hourAt('11')), Buffer.from('{"version": 2}'));
    for (const other of [
      '.DS_Store',
      `${stem}6_complete`,
      `${stem}25#0.json`,
      'notes.txt',
      'events.json',
      `${name} `,
    ]) {
      await local.put(other, '');
    }
    return {
      [`differs/${name}`]: 'CONTENT_DIFFERS',
      [`longer/${name}`]: 'CONTENT_DIFFERS',
      [`longer/${name}.gz`]: 'CONTENT_DIFFERS',
      [`shorter/${name}.gz`]: 'CONTENT_DIFFERS',
      [`cut/${name}.gz`]: 'UNREADABLE',
      [`crc/${name}.gz`]: 'UNREADABLE',
      [`more/${name}.gz`]: 'UNREADABLE',
      [`empty/${name}.gz`]: 'UNREADABLE',
      [`plain/${name}.gz`]: 'UNREADABLE',
      [`${stem}3#0.json`]: 'NOT_LANDED',
      [`${stem}9#0.json`]: 'SEALED_EMPTY',
      [`${stem}6#77.json`]: 'NOT_IN_MANIFEST',
      [`999_${DAY}_6#0.json`]: 'ANOTHER_PROJECT',
      [`999_${DAY}_4#0.json`]: 'ANOTHER_PROJECT',
      [`${stem}10#0.json`]: 'MANIFEST_UNREADABLE',
      [`${stem}11#0.json`]: 'MANIFEST_UNREADABLE',
      '.DS_Store': 'NOT_AN_EXPORT_FILE',
      [`${stem}6_complete`]: 'NOT_AN_EXPORT_FILE',
      [`${stem}25#0.json`]: 'NOT_AN_EXPORT_FILE',
      'notes.txt': 'NOT_AN_EXPORT_FILE',
      'events.json': 'NOT_AN_EXPORT_FILE',
      [`${name} `]: 'NOT_AN_EXPORT_FILE',
    };
  }

  const flippedTrailer = (gzip: Buffer) => {
    const copy = Buffer.from(gzip);
    copy.writeUInt32LE((copy.readUInt32LE(copy.length - 8) ^ 1) >>> 0, copy.length - 8);
    return copy;
  };

  for (const [which, where] of ['a folder', 'S3'].entries()) {
    it(`moves everything else, with a reason: ${where}`, async () => {
      const place = places[which] as Place;
      const expected = await oneOfEach(place);
      const [before, stored] = [await local.files(), await place.all()];
      const { code, said } = await local.run(place);
      expect([code, said.exitCode]).to.deep.equal([3, 3]);
      expect(codes(said)).to.deep.equal(expected);
      expect([said.deleted, said.kept]).to.deep.equal([[], []]);
      expect(await local.movedFiles()).to.deep.equal(before);
      expect(await readdir(local.dir)).to.deep.equal([]);
      expect(await place.all()).to.deep.equal(stored);
      const reasons = await local.reasons();
      expect(Object.fromEntries(reasons.map(({ file, code }) => [file, code]))).to.deep.equal(expected);
      for (const { file, to, hour, code, reason } of said.moved) {
        expect(to).to.equal(file);
        expect(reasons.find((line) => line.file === file)).to.deep.include({ to, hour, code, reason });
      }
      const why = (file: string) => said.moved.find((each) => each.file === file)?.reason;
      const { name, json } = onlyOf(hourAt('06'));
      expect(why(`differs/${name}`)).to.match(/^its JSON has CRC-32 [0-9a-f]{8}; what landed has [0-9a-f]{8}$/);
      expect(why(`longer/${name}`)).to.equal(
        `its JSON has ${count(json.length * 2, 'byte')}; what landed has ${number(json.length)}`,
      );
      expect(why(`cut/${name}.gz`)).to.equal('it is not a complete gzip file (unexpected end of file)');
      expect(said.gaps).to.deep.equal([
        {
          start: `${DAY}T03`,
          end: `${DAY}T04`,
          hours: 1,
          command: `${STARTED} export --start ${DAY}T03 --end ${DAY}T04`,
        },
      ]);
    });

    it(`says the same with --dry-run, touches nothing and exits 0: ${where}`, async () => {
      const place = places[which] as Place;
      const expected = await oneOfEach(place);
      const { name, json } = onlyOf(hourAt('08'));
      await local.put(name, json);
      const look = async () => ({
        local: await local.files(),
        failed: await local.movedFiles(),
        stored: await place.all(),
        times: (await stat(local.dir)).mtimeMs,
      });
      const before = await look();
      const { code, said } = await local.run(place, ['--dry-run']);
      expect([code, said.dryRun, codes(said)]).to.deep.equal([0, true, expected]);
      expect(said.deleted.map(({ file }) => file)).to.deep.equal([name]);
      expect(await look()).to.deep.equal(before);
      expect(await readdir(local.top)).to.deep.equal(['exports']);
      const real = await local.run(place);
      expect({ ...real.said, dryRun: true, exitCode: 0 }).to.deep.equal(said);
      expect((await local.run(place, ['-n'])).said).to.deep.include({ deleted: [], moved: [], kept: [], exitCode: 0 });
    });
  }

  it('joins missing hours into gaps, without those that Amplitude does not serve yet', async () => {
    for (const hh of ['0', '1', '2', '4', '23']) await local.put(`100011471_2026-03-01_${hh}#0.json`, '');
    await local.put('100011471_2026-03-01_1#1.json.gz', '');
    await local.put('100011471_2999-01-01_0#0.json', '');
    const { said } = await local.run(folder, ['-n']);
    expect(said.gaps.map(({ start, end, hours }) => [start.slice(5), end.slice(5), hours])).to.deep.equal([
      ['03-01T00', '03-01T03', 3],
      ['03-01T04', '03-01T05', 1],
      ['03-01T23', '03-02T00', 1],
    ]);
    expect(said.pending).to.deep.equal(['2999-01-01T00']);
  });

  it('prints for people what went where, why, and what to do next', async () => {
    await oneOfEach(folder);
    const { name, json } = onlyOf(hourAt('08'));
    await local.put(name, json);
    await folder.remove(await keyOf(folder, onlyOf(hourAt('06')).name, hourAt('06')));
    await local.put(`gone/${onlyOf(hourAt('06')).name}`, onlyOf(hourAt('06')).json);
    const dry = await runProgram(['reconcile', local.dir, '-n'], folder.env);
    expect(dry.code).to.equal(0);
    expect(dry.stdout).to.include('to be deleted: 1 file').and.include('Nothing was deleted or moved.');
    const { code, stdout } = await runProgram(['reconcile', local.dir], folder.env);
    expect(code).to.equal(3);
    expect(stdout).to.include('  deleted: 1 file ').and.include(`moved: 23 files, to ${local.failed}`);
    expect(stdout).to.include('the content differs from what landed: 4 files').and.include('and 1 more; --json lists');
    expect(stdout).to.include(`1 missing hour; to land it:\n    ${STARTED} export --start ${DAY}T03 --end`);
    expect(stdout).to.include(`to land this hour again: ${STARTED} verify --repair --start ${DAY}T06 --end ${DAY}T07`);
    expect(stdout).not.to.include('\u001b');
  });

  it('writes its report to REPORT_FILE, and needs no Amplitude keys', async () => {
    const file = join(local.top, 'report.json');
    const { said } = await local.run(folder, [], { REPORT_FILE: file });
    expect(JSON.parse(await readFile(file, 'utf8'))).to.deep.equal(said);
    const kestra = await runProgram(['reconcile', local.dir], { ...folder.env, LOG_FORMAT: 'kestra' });
    expect(kestra.code).to.equal(0);
    for (const line of kestra.stdout.trim().split('\n')) expect(line).to.match(/^::\{.*}::$/);
  });

  describe('failed_uploads/', () => {
    const NAME = `100011471_${DAY}_3#0.json`;

    it('never overwrites a file', async () => {
      await mkdir(join(local.failed, 'sub'), { recursive: true });
      await writeFile(join(local.failed, NAME), 'theirs');
      await writeFile(join(local.failed, `sub/${NAME}.gz`), 'theirs');
      await mkdir(join(local.failed, 'README'));
      for (const file of [NAME, `sub/${NAME}.gz`, 'README', 'reasons.jsonl', '.DS_Store']) await local.put(file, file);
      const { code, said } = await local.run(folder);
      expect(code).to.equal(3);
      const [stem] = NAME.split('.json');
      const second = {
        [NAME]: `${stem} (2).json`,
        [`sub/${NAME}.gz`]: `sub/${stem} (2).json.gz`,
        README: 'README (2)',
        'reasons.jsonl': 'reasons (2).jsonl',
        '.DS_Store': '.DS_Store',
      };
      expect(Object.fromEntries(said.moved.map(({ file, to }) => [file, to]))).to.deep.equal(second);
      const files = await local.movedFiles();
      for (const [file, to] of Object.entries(second)) expect(files.get(to)?.toString()).to.equal(file);
      expect(files.get(NAME)?.toString()).to.equal('theirs');
      await local.put(NAME, 'again');
      expect((await local.run(folder)).said.moved[0]?.to).to.equal(`${stem} (3).json`);
    });

    it('continues reasons.jsonl after half a line', async () => {
      await mkdir(local.failed);
      await writeFile(join(local.failed, 'reasons.jsonl'), '{"file":"ha');
      await local.put(NAME, '');
      await local.run(folder);
      const lines = (await readFile(join(local.failed, 'reasons.jsonl'), 'utf8')).split('\n');
      expect([lines.length, lines[0], JSON.parse(lines[1] ?? '').file]).to.deep.equal([3, '{"file":"ha', NAME]);
    });

    it('completes a move that a killed run left with both names', async () => {
      await local.put(NAME, 'content');
      await mkdir(local.failed);
      await link(join(local.dir, NAME), join(local.failed, NAME));
      const { said } = await local.run(folder);
      expect(said.moved.map(({ to }) => to)).to.deep.equal([NAME]);
      expect([[...(await local.files())], [...(await local.movedFiles()).keys()]]).to.deep.equal([[], [NAME]]);
    });

    it('keeps a file that another run removes from DIR first', async () => {
      await local.put(NAME, 'content');
      const signal = new AbortController().signal;
      // Called after the file has its new name and before its old one is removed.
      const now = () => {
        unlinkSync(join(local.dir, NAME));
        return new Date();
      };
      const failedUploads = new FailedUploads(local.failed, { signal, now });
      expect(await failedUploads.move(local.dir, NAME, { hour: null, code: 'X', reason: '' })).to.equal(NAME);
      await failedUploads.close();
      expect((await local.movedFiles()).get(NAME)?.toString()).to.equal('content');
    });

    it('may be on another disk', async function () {
      const other = await mkdtemp('/dev/shm/reconcile-').catch(() => undefined);
      if (other === undefined || (await stat(other)).dev === (await stat(local.dir)).dev) return this.skip();
      try {
        await symlink(other, local.failed);
        await local.put(`sub/${NAME}`, 'content');
        await writeFile(join(other, 'x'), 'theirs');
        await local.put('x', 'ours');
        expect((await local.run(folder)).code).to.equal(3);
        expect((await readdir(other, { recursive: true })).sort()).to.deep.equal(
          ['reasons.jsonl', 'sub', `sub/${NAME}`, 'x', 'x (2)'].sort(),
        );
        expect(await readFile(join(other, 'x (2)'), 'utf8')).to.equal('ours');
        expect((await stat(join(other, 'sub', NAME))).mtime).to.deep.equal(new Date('2026-03-05'));
        expect(await readdir(local.dir)).to.deep.equal([]);
      } finally {
        await rm(other, { recursive: true });
      }
    });

    it('leaves a file in place that it cannot take, and the run fails', async () => {
      await local.put(`sub/${NAME}`, 'content');
      await mkdir(local.failed);
      await writeFile(join(local.failed, 'sub'), 'a file where a folder should be');
      const { code, said } = await local.run(folder);
      expect([code, said.kept.map(({ code }) => code)]).to.deep.equal([1, ['LOCAL']]);
      expect([...(await local.files()).keys()]).to.deep.equal([`sub/${NAME}`]);
    });
  });

  describe('touches nothing and refuses', () => {
    async function refused(dir: string, words: string, env = folder.env): Promise<void> {
      const before = await readdir(local.top, { recursive: true });
      const { code, stderr } = await runProgram(['reconcile', dir], env);
      expect(code, stderr).to.equal(2);
      expect(stderr).to.include(words);
      expect(await readdir(local.top, { recursive: true })).to.deep.equal(before);
    }

    it('no folder, two folders, a missing one or a file', async () => {
      await local.put('file', '');
      await refused(join(local.top, 'nowhere'), 'ENOENT');
      await refused(join(local.dir, 'file'), 'is not a folder');
      for (const args of [['reconcile'], ['reconcile', ''], ['reconcile', 'a', 'b'], ['reconcile', '--force', 'a']]) {
        expect((await runProgram(args, folder.env)).code, args.join(' ')).to.equal(2);
      }
    });

    it('failed_uploads/ itself, inside the folder, or as a file', async () => {
      await local.put('failed_uploads/x.json', '');
      await refused(join(local.dir, 'failed_uploads'), 'is the folder that reconcile moves files to');
      await refused(local.dir, 'holds files that an earlier run moved');
      await refused(local.top, 'holds files that an earlier run moved');
      await rm(join(local.dir, 'failed_uploads'), { recursive: true });
      await local.put('x', '');
      await writeFile(local.failed, '');
      await refused(local.dir, 'which is not a folder');
      await rm(local.failed);
      await symlink(local.dir, local.failed);
      await refused(local.dir, 'are the same folder, or one contains the other');
    });

    it('the destination, a folder above it or inside it, also through a link', async () => {
      await local.put('x', '');
      const env = (destination: string) => ({ DESTINATION: destination });
      await refused(local.dir, 'share files', env(local.dir));
      await refused(local.dir, 'share files', env(`${local.dir}/not/there/yet`));
      await refused(local.dir, 'share files', env(local.top));
      await symlink(local.dir, join(local.top, 'link'));
      await refused(local.dir, 'share files', env(join(local.top, 'link')));
      await refused(join(local.top, 'link'), 'share files', env(local.dir));
      await refused(local.dir, 'would move files into the destination', env(local.failed));
      await mkdir(join(local.top, 'data'));
      await symlink(local.dir, join(local.top, 'data', 'events'));
      await refused(local.dir, 'share files', env(join(local.top, 'data')));
    });

    it('a missing DESTINATION', async () => {
      await refused(local.dir, 'DESTINATION', {} as typeof folder.env);
    });
  });

  it('leaves links, partial files and empty folders alone', async () => {
    const { name, json } = onlyOf(hourAt('06'));
    await local.put(`sub/${name}`, json);
    await local.put(`sub/.${name}.abcdef.partial`, json);
    await local.put(`gone/deep/${name}`, json);
    await mkdir(join(local.dir, 'empty/below'), { recursive: true });
    const outside = join(local.top, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, name), json);
    await symlink(outside, join(local.dir, 'linked-folder'));
    await symlink(join(outside, name), join(local.dir, name));
    await symlink('nowhere', join(local.dir, 'dangling.json'));
    const { code, said } = await local.run(folder);
    expect(code).to.equal(0);
    expect(said.deleted.map(({ file }) => file)).to.deep.equal([`gone/deep/${name}`, `sub/${name}`]);
    expect(Object.fromEntries(said.kept.map(({ file, code }) => [file, code]))).to.deep.equal({
      'linked-folder': 'LINK',
      [name]: 'LINK',
      'dangling.json': 'LINK',
      [`sub/.${name}.abcdef.partial`]: 'PARTIAL',
    });
    const left = (await readdir(local.dir, { recursive: true })).filter((path) => !path.startsWith('linked-folder/'));
    expect(left.sort()).to.deep.equal(
      [name, 'dangling.json', 'empty', 'empty/below', 'linked-folder', 'sub', `sub/.${name}.abcdef.partial`].sort(),
    );
    expect(await readdir(outside)).to.deep.equal([name]);
  });

  it('does not delete a file that is the stored object itself', async () => {
    const { name, json } = onlyOf(hourAt('06'));
    const stored = join(folder.env.DESTINATION ?? '', await keyOf(folder, name, hourAt('06')));
    await link(stored, join(local.dir, name));
    const first = await local.run(folder);
    expect(first.said.kept.map(({ code }) => code)).to.deep.equal(['STORED_ITSELF']);
    await unlink(join(local.dir, name));
    await local.put(name, json);
    await unlink(stored);
    await symlink(join(local.dir, name), stored);
    const { code, said } = await local.run(folder);
    expect([code, said.deleted, said.kept.map(({ code }) => code)]).to.deep.equal([3, [], ['STORED_ITSELF']]);
    expect((await local.files()).get(name)?.equals(json)).to.equal(true);
  });

  it('handles hostile names', async () => {
    const { name, json } = onlyOf(hourAt('06'));
    const folders = [
      '-rf',
      '--',
      'new\nline',
      `"quoted" 'folder' $(x) \`y\``,
      'ünï 🦄',
      '\u001b[31mred',
      ' ',
      '\u202eabc',
    ];
    const files = folders.map((hostile) => `${hostile}/${name}`);
    const others = [
      '\n',
      '\u001b[32mgreen',
      '\u202e',
      '-n',
      '--json',
      'a\nb.json',
      '{"a":"b"}',
      'x\u2028y',
      '..json',
      '...',
      '~',
      '*',
    ];
    for (const file of files) await local.put(file, json);
    for (const file of others) await local.put(file, 'other');
    const before = await local.files();
    const dry = await runProgram(['reconcile', local.dir, '-n'], folder.env);
    expect(dry.stdout).to.include('\\u{a}').and.include('\\u{1b}[32mgreen');
    for (const character of ['\u001b', '\u202e', '\u2028']) expect(dry.stdout).not.to.include(character);
    const { said } = await local.run(folder);
    expect(said.deleted.map(({ file }) => file)).to.have.members(files);
    expect(said.moved.map(({ file }) => file)).to.have.members(others);
    for (const file of files) before.delete(file);
    expect(await local.movedFiles()).to.deep.equal(before);
    expect((await local.reasons()).map(({ file }) => file)).to.have.members(others);
  });

  it('leaves a file alone whose name is not UTF-8', async function () {
    const bytes = Buffer.concat([Buffer.from(`${local.dir}/`), Buffer.from([0xff, 0xfe, 0x41])]);
    await writeFile(bytes, 'content').catch(() => this.skip());
    const { said } = await local.run(folder);
    expect(said.kept.map(({ code }) => code)).to.deep.equal(['NAME']);
    expect((await readFile(bytes)).toString()).to.equal('content');
  });

  it('reads objects back from a store without checksums', async () => {
    for (const [key, { headers, ...object }] of s3.s3?.objects ?? []) {
      const kept = Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-checksum-'));
      s3.s3?.objects.set(key, { ...object, headers: Object.fromEntries(kept) });
    }
    const [good, bad] = [onlyOf(hourAt('06')), onlyOf(hourAt('08'))];
    for (const { name, json } of [good, bad]) await local.put(name, json);
    const key = `bucket/amplitude/${await keyOf(s3, bad.name, hourAt('08'))}`;
    const object = s3.s3?.objects.get(key);
    if (object !== undefined) s3.s3?.objects.set(key, { ...object, body: flipped(object.body) });
    const { said } = await local.run(s3);
    expect(said.deleted.map(({ file }) => file)).to.deep.equal([good.name]);
    expect(codes(said)).to.deep.equal({ [bad.name]: 'STORED_DIFFERS' });
  });

  describe('loses nothing when', () => {
    async function many(): Promise<Map<string, Buffer>> {
      for (const hour of LANDED) {
        for (const [name, json] of given(hour)) {
          for (let copy = 0; copy < 12; copy++) await local.put(`${copy}/${name}`, json);
        }
      }
      for (let n = 0; n < 40; n++) await local.put(`other/${n}.txt`, `${n}`);
      return await local.files();
    }

    /** Each file is in place or moved, or it was an export file whose content is stored. */
    async function nothingLost(before: ReadonlyMap<string, Buffer>): Promise<void> {
      const [inPlace, moved] = [await local.files(), await local.movedFiles()];
      for (const [file, content] of before) {
        const left = inPlace.get(file) ?? moved.get(file);
        if (left === undefined) expect(file).to.match(/^\d+\/100011471_/);
        else expect(left.equals(content), file).to.equal(true);
      }
    }

    it('one look at the destination fails: that file stays, the others continue', async () => {
      const before = await many();
      const { name } = onlyOf(hourAt('08'));
      s3.s3?.faults.push({ operation: 'HeadObject', key: /T08_0\./, times: 2, fault: 'internal-error' });
      const { code, said, stderr } = await local.run(s3, [], { UPLOAD_MAX_ATTEMPTS: '1', UPLOAD_CONCURRENCY: '2' });
      expect([code, said.kept.length, said.error?.code]).to.deep.equal([1, 2, 'DESTINATION_UNREACHABLE']);
      expect(said.kept.every(({ file }) => file.endsWith(name))).to.equal(true);
      expect(stderr).to.include('HeadObject');
      await nothingLost(before);
      expect([...(await local.files()).keys()]).to.have.members(said.kept.map(({ file }) => file));
      const again = await local.run(s3);
      expect([again.code, again.said.deleted.length, again.said.kept]).to.deep.equal([0, 2, []]);
    });

    for (const fault of ['access-denied', 'reset'] as const) {
      it(`the destination stops answering (${fault}): the other files stay`, async () => {
        const before = await many();
        const poll = setInterval(() => {
          const looks = s3.s3?.requests.filter(({ operation }) => operation === 'HeadObject') ?? [];
          if (looks.length < 20) return;
          s3.s3?.faults.push({ operation: 'HeadObject', fault });
          clearInterval(poll);
        }, 0);
        const { code, said } = await local.run(s3, [], { UPLOAD_MAX_ATTEMPTS: '1' });
        clearInterval(poll);
        expect(code).to.equal(1);
        expect(said.kept.some(({ code }) => code === 'NOT_ATTEMPTED')).to.equal(true);
        expect(said.kept.length + said.moved.length + said.deleted.length).to.equal(before.size);
        expect(said.deleted.length).to.be.greaterThan(0);
        await nothingLost(before);
        await s3.restore();
        expect((await local.run(s3)).said.kept).to.deep.equal([]);
        await nothingLost(before);
      });
    }

    it('the destination cannot be listed: nothing is touched', async () => {
      const before = await many();
      const { code } = await runProgram(['reconcile', local.dir], { ...s3.env, DESTINATION: 's3://no-such-bucket' });
      expect(code).to.equal(1);
      expect(await local.files()).to.deep.equal(before);
    });

    it('a run replaces an hour: its files stay', async () => {
      const { name, json } = onlyOf(hourAt('08'));
      await local.put(name, json);
      const key = `bucket/amplitude/${manifestKey(hourAt('08'))}`;
      const [object] = [s3.s3?.objects.get(key)];
      // The manifest vanishes after it was read and before the object is.
      const poll = setInterval(() => {
        if (s3.s3?.requests.some(({ operation }) => operation === 'HeadObject')) s3.s3.objects.delete(key);
      }, 0);
      s3.s3?.faults.push({ operation: 'HeadObject', times: 1, fault: 'internal-error' });
      try {
        const { code, said } = await local.run(s3);
        expect([code, said.kept.map(({ code }) => code)]).to.deep.equal([3, ['HOUR_CHANGED']]);
      } finally {
        clearInterval(poll);
      }
      expect(object).not.to.equal(undefined);
      expect((await local.files()).get(name)?.equals(json)).to.equal(true);
    });

    it('a file changes while it is read: it stays', async () => {
      const { name, json } = onlyOf(hourAt('08'));
      const other = `100011471_${DAY}_8#66.json`;
      await local.put(name, json);
      await local.put(other, json);
      s3.s3?.faults.push({ operation: 'HeadObject', times: 1, fault: 'slow-down' });
      s3.s3?.faults.push({ operation: 'GetObject', key: /hour=08\.json$/, times: 2, fault: 'slow-down' });
      const poll = setInterval(() => {
        if (s3.s3?.requests.some(({ operation, key }) => operation === 'GetObject' && key.endsWith('hour=08.json'))) {
          void appendFile(join(local.dir, name), '{}\n');
          void appendFile(join(local.dir, other), '{}\n');
          clearInterval(poll);
        }
      }, 0);
      const { code, said } = await local.run(s3);
      clearInterval(poll);
      expect([code, said.deleted, said.moved]).to.deep.equal([3, [], []]);
      expect(said.kept.map(({ code }) => code)).to.deep.equal(['CHANGED', 'CHANGED']);
      expect([...(await local.files()).keys()]).to.have.members([name, other]);
    });

    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      it(`it is stopped at any time (${signal}): the next run completes it`, async () => {
        const before = await many();
        const reads = (s3.s3?.requests.length ?? 0) + 30;
        const child = spawn(process.execPath, [MAIN, 'reconcile', local.dir, '--json'], {
          env: s3.env,
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        let stdout = '';
        child.stdout.on('data', (data) => {
          stdout += data;
        });
        const closed = once(child, 'close');
        while ((s3.s3?.requests.length ?? 0) < reads && child.exitCode === null) await pause(1);
        child.kill(signal);
        const [code] = await closed;
        expect(code).to.equal(signal === 'SIGKILL' ? null : 143);
        await nothingLost(before);
        if (signal === 'SIGTERM') {
          const said = JSON.parse(stdout) as ReconcileReport;
          expect(said.deleted.length + said.moved.length + said.kept.length).to.equal(before.size);
          expect(said.error?.code).to.equal('INTERRUPTED');
        }
        const again = await local.run(s3);
        expect(again.said.kept).to.deep.equal([]);
        await nothingLost(before);
        // A killed run may leave empty folders.
        expect((await local.files()).size).to.equal(0);
        expect((await local.movedFiles()).size).to.equal(40);
        expect(new Set((await local.reasons()).map(({ file }) => file)).size).to.equal(40);
      });
    }

    it('two runs work at once', async () => {
      const before = await many();
      const runs = await Promise.all([local.run(folder), local.run(folder)]);
      for (const { stderr } of runs) expect(stderr).not.to.include('INTERNAL');
      await nothingLost(before);
      expect(await readdir(local.dir)).to.deep.equal([]);
      expect((await local.movedFiles()).size).to.equal(40);
    });

    it('a folder cannot be written to', async function () {
      if (process.getuid?.() === 0) return this.skip();
      const { name, json } = onlyOf(hourAt('08'));
      await local.put(`sub/${name}`, json);
      await chmod(join(local.dir, 'sub'), 0o555);
      const { code, said } = await local.run(folder);
      await chmod(join(local.dir, 'sub'), 0o755);
      expect([code, said.kept.map(({ code }) => code)]).to.deep.equal([1, ['LOCAL']]);
      expect([...(await local.files()).keys()]).to.deep.equal([`sub/${name}`]);
    });
  });

  it('every file is deleted, moved or kept, and deleted means stored', async () => {
    const hours = ['03', '06', '07', '08', '09', '10'].map(hourAt);
    const content = (hour: number) => onlyOf(hour).json;
    const file = fc.record({
      folder: fc.constantFrom('', 'a/', 'a/b/', '100011471/', 'events/date=2026-03-04/hour=06/', '-x/'),
      project: fc.constantFrom('100011471', '100011471', '999'),
      hour: fc.constantFrom(...hours),
      part: fc.constantFrom('0', '0', '1', '2'),
      end: fc.constantFrom('.json', '.json.gz', '.json.gz', '.jsonl', '_complete', '.partial'),
      padded: fc.boolean(),
      from: fc.constantFrom('itself', 'itself', 'itself', 'another', 'flipped', 'cut', 'empty'),
    });
    const settings = loadSettings(folder.env, { amplitude: false });
    const stored = await folder.all();
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 25 }), fc.boolean(), async (files, dryRun) => {
        await rm(local.dir, { recursive: true, force: true });
        await rm(local.failed, { recursive: true, force: true });
        await mkdir(local.dir);
        const jsonOf = new Map<string, Buffer>();
        for (const { folder: subfolder, project, hour, part, end, padded, from } of files) {
          const hh = new Date(hour * 3_600_000).getUTCHours();
          const stem = `${project}_${DAY}_${padded ? String(hh).padStart(2, '0') : hh}`;
          const path = `${subfolder}${stem}#${part}${end}`;
          const itself =
            [...given(hour)].find(([name]) => name.endsWith(`#${part}.json`))?.[1] ?? content(hours[1] ?? 0);
          const json = from === 'another' ? content(hours[3] ?? 0) : from === 'flipped' ? flipped(itself) : itself;
          const whole = end.endsWith('.gz') ? zlib.gzipSync(json) : json;
          await local.put(path, from === 'cut' ? whole.subarray(0, -3) : from === 'empty' ? '' : whole);
          jsonOf.set(path, from === 'cut' || from === 'empty' ? Buffer.alloc(0) : json);
        }
        const before = await local.files();
        const result = await runReconcile({
          settings,
          flags: { dir: local.dir, dryRun },
          log: hearingLog(),
          now: () => new Date(),
          signal: new AbortController().signal,
        });
        const ended = [...result.deleted, ...result.moved, ...result.kept].map((each) => each.file);
        expect(ended).to.have.members([...before.keys()]);
        expect(new Set(ended).size).to.equal(before.size);
        expect(await folder.all()).to.deep.equal(stored);
        for (const { file: path, hour, key } of result.deleted) {
          // The object lacks the bad line that Amplitude sent.
          const original =
            hour === formatHour(QUARANTINED) && key.includes('_0.1.') ? onlyOf(QUARANTINED).json : stored.get(key);
          expect(original?.equals(jsonOf.get(path) ?? Buffer.alloc(0)), path).to.equal(true);
          expect(hour).not.to.equal(formatHour(QUIET));
        }
        // A file whose content is stored is never moved.
        for (const { file: path } of result.moved) {
          const name = path
            .slice(path.lastIndexOf('/') + 1)
            .replace(/_0(?=\d#)/, '_')
            .replace(/\.gz$/, '');
          const same = LANDED.some((hour) =>
            given(hour)
              .get(name)
              ?.equals(jsonOf.get(path) ?? Buffer.alloc(0)),
          );
          expect(same, path).to.equal(false);
        }
        if (dryRun) expect(await local.files()).to.deep.equal(before);
        else {
          const left = await local.files();
          const moved = await local.movedFiles();
          expect([...left.keys()]).to.have.members(result.kept.map((each) => each.file));
          expect([...moved.keys()]).to.have.members(result.moved.map(({ to }) => to));
          for (const { file: path, to } of result.moved) expect(moved.get(to)).to.deep.equal(before.get(path));
          for (const { file: path } of result.kept) expect(left.get(path)).to.deep.equal(before.get(path));
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('reconcile of a large file', function () {
  this.timeout(120_000);

  it('needs little memory', async () => {
    const local = await Local.make();
    const [place, s3] = await landedPlaces();
    try {
      const { name, json } = onlyOf(hourAt('06'));
      // Half a gigabyte of JSON in half a megabyte of gzip, and a manifest that says so.
      const bomb = join(local.dir, `${name}.gz`);
      for (let n = 0; n < 2; n++) await appendFile(bomb, zlib.gzipSync(Buffer.alloc(256 * 2 ** 20, 0x20)));
      const manifest = JSON.parse((await place?.read(manifestKey(hourAt('06'))))?.toString() ?? '{}');
      const source = { bytes: 2 ** 29, crc32: '00000000' };
      const objects = manifest.objects.map((object: object, n: number) =>
        n > 0 ? object : { ...object, key: `${manifest.objects[0].key}.gz`, source },
      );
      await place?.write(manifestKey(hourAt('06')), Buffer.from(JSON.stringify({ ...manifest, objects })));
      const before = process.memoryUsage().rss;
      let peak = before;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 10);
      const result = await runReconcile({
        settings: loadSettings(place?.env ?? {}, { amplitude: false }),
        flags: { dir: local.dir, dryRun: true },
        log: hearingLog(),
        now: () => new Date(),
        signal: new AbortController().signal,
      });
      clearInterval(watch);
      expect(result.moved[0]?.reason).to.match(/^its JSON has CRC-32 /);
      expect(json.length).to.be.lessThan(2 ** 29);
      expect(peak - before).to.be.lessThan(100 * 2 ** 20);
    } finally {
      await local.close();
      await place?.close();
      await s3?.close();
    }
  });
});
