import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { contentOf, type Destination } from '../../src/destination/destination.ts';
import { openDestination } from '../../src/destination/open.ts';
import { formatHour, type Hour, hourFolder, readHour } from '../../src/hours.ts';
import { eventsKey } from '../../src/landing/keys.ts';
import { crcHex, type Landing, makeManifest, manifestKey, writeManifest } from '../../src/landing/manifest.ts';
import { compareObject, type Seen } from '../../src/landing/stored.ts';
import { compareListing, type Difference, repairable, unnamedDifferences } from '../../src/verify/difference.ts';
import { verify } from '../../src/verify/verify.ts';
import { hearingLog, s3Settings } from '../support/settings.ts';

const START = readHour('2026-11-20T00');
const NOW = new Date('2026-12-01T00:00:00Z');
const seal = { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '' };
const lines = (events: number) => contentOf(Buffer.from('{"a":1}\n'.repeat(events)));

const keyOf = (hour: Hour, part: number, generation = 1, crc32 = '00000000') =>
  eventsKey({ project: '1', hour, part, generation, crc32 }, 'json');

/** Lands an hour of parts with so many events each; without parts, an empty hour. */
async function land(destination: Destination, hour: Hour, parts: readonly number[]): Promise<Landing> {
  const objects = parts.map((events, part) => {
    const { bytes, crc32 } = lines(events);
    const content = { bytes, crc32: crcHex(crc32) };
    return {
      key: keyOf(hour, part, 1, content.crc32),
      ...content,
      events,
      member: `1/1_${formatHour(hour).replace(/T0?/, '_')}#${part}.json.gz`,
      source: content,
    };
  });
  for (const { key, events } of objects) await destination.put(key, lines(events));
  const landing = { hour, generation: 1, project: parts.length > 0 ? '1' : null, objects, quarantine: [] };
  await destination.put(manifestKey(hour), contentOf(writeManifest(makeManifest(landing, seal))));
  return landing;
}

/** The ways to damage an hour that has objects. */
const DAMAGES = {
  gone: (destination: Destination, { objects }: Landing) => destination.delete([objects[0]?.key ?? '']),
  shorter: (destination: Destination, { objects }: Landing) => destination.put(objects[0]?.key ?? '', lines(0)),
  foreign: (destination: Destination, { hour }: Landing) =>
    destination.put(`events/${hourFolder(hour)}/stray.json`, lines(1)),
  unnamed: (destination: Destination, { hour }: Landing) => destination.put(keyOf(hour, 7), lines(1)),
  garbled: (destination: Destination, { hour }: Landing) =>
    destination.put(manifestKey(hour), contentOf(Buffer.from('{'))),
  altered: (destination: Destination, { objects: [object] }: Landing) =>
    destination.put(object?.key ?? '', contentOf(Buffer.alloc(object?.bytes ?? 0, 'x'))),
} as const;
type Damage = keyof typeof DAMAGES;

describe('verify', () => {
  it('finds exactly the damaged hours, whatever the damage', async function () {
    this.timeout(60_000);
    const damage = fc.constantFrom<Damage | undefined>(undefined, undefined, ...(Object.keys(DAMAGES) as Damage[]));
    const anyHour = fc.record({ parts: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }), damage });
    await fc.assert(
      fc.asyncProperty(fc.array(anyHour, { minLength: 1, maxLength: 30 }), async (hours) => {
        const folder = await mkdtemp(join(tmpdir(), 'verify-'));
        const options = { s3: s3Settings(''), signal: new AbortController().signal, log: hearingLog() };
        const destination = openDestination({ kind: 'file', folder }, options);
        const damaged = new Map<Hour, Damage>();
        for (const [offset, { parts, damage: kind }] of hours.entries()) {
          const landing = await land(destination, START + offset, parts);
          if (kind === undefined || parts.length === 0) continue;
          await DAMAGES[kind](destination, landing);
          damaged.set(START + offset, kind);
        }
        for (const depth of ['listing', 'checksums', 'deep'] as const) {
          const found = await verify({ destination, range: undefined, depth, now: NOW });
          const visible = [...damaged].filter(([, kind]) => depth !== 'listing' || kind !== 'altered');
          const differing = new Set(found.differences.map(({ hour }) => hour));
          expect(differing).to.deep.equal(new Set(visible.map(([hour]) => hour)));
          const mendable = visible.filter(([, kind]) => kind !== 'foreign' && kind !== 'unnamed');
          expect(repairable(found.differences)).to.deep.equal(new Set(mendable.map(([hour]) => hour)));
          expect(found.checked.hours).to.equal(hours.length);
        }
        await rm(folder, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });

  describe('compares an object with its manifest:', () => {
    const named = { key: 'events/k', bytes: 10, crc32: 'aaaaaaaa', lines: 2 };
    const cases: [string, Seen | undefined, Difference['kind'] | undefined, hint?: string][] = [
      ['no object', undefined, 'missing'],
      ['the same size', { bytes: 10 }, undefined],
      ['another size', { bytes: 9, crc32: 'bbbbbbbb' }, 'size'],
      ['the same checksum', { bytes: 10, crc32: 'aaaaaaaa' }, undefined],
      ['another checksum', { bytes: 10, crc32: 'bbbbbbbb', lines: 3 }, 'checksum'],
      ['a store without a checksum', { bytes: 10, crc32: null }, 'checksum', '--deep'],
      ['the same lines', { bytes: 10, crc32: 'aaaaaaaa', lines: 2 }, undefined],
      ['another number of lines', { bytes: 10, crc32: 'aaaaaaaa', lines: 3 }, 'events'],
      ['a broken object', { bytes: 4, damage: 'it does not inflate.' }, 'content'],
    ];
    for (const [name, seen, kind, hint] of cases) {
      it(`${name}: ${kind ?? 'no difference'}`, () => {
        const found = compareObject(named, seen);
        expect(found?.kind).to.equal(kind);
        if (hint === undefined) expect(found?.hint).to.equal(undefined);
        else expect(found?.hint).to.include(hint);
      });
    }
  });

  it('compares the sums and the status of a manifest with its own list', () => {
    const object = { key: 'k', bytes: 8, crc32: '', events: 1, member: 'm', source: { bytes: 8, crc32: '' } };
    const landing = { hour: START, generation: 1, project: '1', objects: [object], quarantine: [] };
    const right = makeManifest(landing, seal);
    const stored = [{ key: 'k', bytes: 8, modifiedAt: NOW }];
    expect(compareListing(START, right, stored)).to.deep.equal([]);
    for (const wrong of [{ events: 2 }, { bytes: 9 }, { quarantined: 1 }, { status: 'empty' as const }]) {
      const [found, ...others] = compareListing(START, { ...right, ...wrong }, stored);
      expect([found?.kind, others], Object.keys(wrong).join()).to.deep.equal(['counts', []]);
      expect(found?.message).to.include(`${Object.keys(wrong)[0]}: ${Object.values(wrong)[0]};`);
    }
  });

  describe('takes an object without a manifest', () => {
    const HOUR_MS = 3_600_000;
    const manifest = makeManifest({ hour: START, generation: 2, project: '1', objects: [], quarantine: [] }, seal);
    const cases: [string, string, number, typeof manifest | undefined, boolean][] = [
      ['of a later generation, just written, for a landing', keyOf(START, 0, 3), 0, manifest, false],
      ['of a later generation, an hour old, for a landing', keyOf(START, 0, 3), HOUR_MS, manifest, false],
      ['of a later generation, older than that, for a difference', keyOf(START, 0, 3), HOUR_MS + 1, manifest, true],
      ['of this generation for a difference', keyOf(START, 0, 2), 0, manifest, true],
      ['of an hour that is not sealed, just written, for a landing', keyOf(START, 0), 0, undefined, false],
      ['of another program for a difference', 'events/notes.txt', 0, undefined, true],
    ];
    for (const [name, key, age, sealed, differs] of cases) {
      it(name, () => {
        const modifiedAt = new Date(NOW.getTime() - age);
        const found = unnamedDifferences([{ key, bytes: 1, modifiedAt }], { manifest: sealed, now: NOW });
        expect(found.length).to.equal(differs ? 1 : 0);
      });
    }
  });

  it('repairs no hour whose manifest it must not replace', () => {
    const difference = (kind: Difference['kind'], hour: Hour | undefined, hint?: string): Difference => {
      return { kind, hour, key: 'k', message: '', hint };
    };
    const found = [
      difference('missing', 1),
      difference('unsealed', 2, 'Sweep.'),
      difference('manifest', 3),
      difference('manifest', 4, 'Use the newer program.'),
      difference('missing', 4),
      difference('nothing', undefined),
    ];
    expect([...repairable(found)]).to.deep.equal([1, 3]);
  });
});
