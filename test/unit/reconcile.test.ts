import { expect } from 'chai';
import { JobError } from '../../src/errors.ts';
import { readHour } from '../../src/hours.ts';
import { readLocalName } from '../../src/landing/local-name.ts';
import { type LandedObject, type Manifest, makeManifest } from '../../src/landing/manifest.ts';
import { compareContent, findLanded, type LocalContent } from '../../src/reconcile/judge.ts';

const hour = readHour('2026-03-04T06');
const FOLDER = 'events/date=2026-03-04/hour=06/';
const nameOf = (file: string) => readLocalName(file) ?? expect.fail(`${file} is not the name of an export file`);
const name = nameOf('1_2026-03-04_6#0.json');
const json = { bytes: 1000, crc32: '0000000a' };
const object: LandedObject = {
  key: `${FOLDER}k.json`,
  ...json,
  events: 5,
  member: '1/1_2026-03-04_6#0.json.gz',
  source: json,
};
const quarantined = { key: 'quarantine/q.jsonl', bytes: 10, crc32: '0000000b', lines: 1, member: object.member };
const seal = { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '' };

function sealed(changed: Partial<Manifest>): Manifest {
  return {
    ...makeManifest({ hour, generation: 1, project: '1', objects: [object], quarantine: [] }, seal),
    ...changed,
  };
}

describe('reconcile finds what landed of a file', () => {
  const landed = (changed: Partial<LandedObject>, quarantine = [quarantined]) =>
    sealed({ objects: [{ ...object, ...changed }], quarantine });
  const empty = sealed({ objects: [], status: 'empty', project: null });
  const cases: [string, string, Manifest | JobError | undefined, destinationProject?: string][] = [
    ['its object', 'landed', sealed({})],
    ['its object, stored as gzip', 'landed', landed({ key: `${FOLDER}k.json.gz`, bytes: 90, crc32: '0000000c' }, [])],
    ['its object and its quarantine', 'landed', landed({ bytes: 990, crc32: '0000000c' })],
    ['no manifest', 'NOT_LANDED', undefined],
    ['no manifest, but another project', 'ANOTHER_PROJECT', undefined, '2'],
    ['a broken manifest', 'MANIFEST_UNREADABLE', new JobError('MANIFEST_UNREADABLE', 'It is broken.')],
    ['a manifest of another project', 'ANOTHER_PROJECT', sealed({ project: '2' })],
    ['an empty hour', 'SEALED_EMPTY', empty],
    ['an empty hour of another project', 'ANOTHER_PROJECT', empty, '2'],
    ['other files only', 'NOT_IN_MANIFEST', landed({ member: '1/1_2026-03-04_6#1.json.gz' })],
    ['an object without a name', 'NOT_IN_MANIFEST', sealed({ objects: [null as never] })],
    ['two objects of its name', 'MANIFEST_UNREADABLE', sealed({ objects: [object, object] })],
    ['an object in the folder of another hour', 'MANIFEST_UNREADABLE', landed({ key: 'events/k.json' })],
    ['an object without a checksum', 'MANIFEST_UNREADABLE', landed({ crc32: undefined as never })],
    ['an object without a size', 'MANIFEST_UNREADABLE', landed({ bytes: '9' as never })],
    ['an object without a source', 'MANIFEST_UNREADABLE', landed({ source: undefined as never })],
    ['a quarantine without a key', 'MANIFEST_UNREADABLE', landed({}, [{ ...quarantined, key: undefined as never }])],
    ['an object that differs from its source', 'MANIFEST_UNREADABLE', landed({ bytes: 990 }, [])],
  ];
  for (const [what, expected, manifest, project] of cases) {
    it(`${what}: ${expected}`, () => {
      const record =
        manifest instanceof JobError || manifest === undefined
          ? { hour, manifest: undefined, problem: manifest }
          : { hour, manifest, problem: undefined };
      const found = findLanded(name, record, project);
      expect('kind' in found ? found.code : 'landed').to.equal(expected);
    });
  }

  it('by any spelling of its name', () => {
    for (const file of ['1_2026-03-04_06#0.json', 'a/b/1_2026-03-04_6#0.json.gz', '1_2026-03-04_6#00.json']) {
      expect(
        findLanded(nameOf(file), { hour, manifest: sealed({}), problem: undefined }, undefined),
        file,
      ).to.have.property('object');
    }
  });
});

describe('reconcile compares the JSON of a file with what landed', () => {
  const gzip = nameOf('1_2026-03-04_6#0.json.gz');
  const cases: [string, typeof name, LocalContent, string | undefined][] = [
    ['the same', name, { bytes: 1000, crc32: 10 }, undefined],
    ['another checksum', name, { bytes: 1000, crc32: 11 }, 'its JSON has CRC-32 0000000b; what landed has 0000000a'],
    ['shorter', gzip, { bytes: 1, crc32: 10 }, 'its JSON has 1 byte; what landed has 1,000'],
    ['longer', name, { bytes: 1200, crc32: 10 }, 'its JSON has 1,200 bytes; what landed has 1,000'],
    [
      'cut above the size',
      gzip,
      { bytes: 1200, crc32: 10 },
      'its JSON has more than 1,000 bytes; what landed has 1,000',
    ],
    ['unreadable', gzip, { unreadable: 'it cannot be read (EIO)' }, 'it cannot be read (EIO)'],
  ];
  for (const [what, file, content, reason] of cases) {
    it(what, () => {
      expect(compareContent(file, { object, quarantine: [] }, content)?.reason).to.equal(reason);
    });
  }
});
