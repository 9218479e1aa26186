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
import { repairable } from '../../src/verify/difference.ts';
import { verify } from '../../src/verify/verify.ts';
import { hearingLog, s3Settings } from '../support/settings.ts';

const START = readHour('2026-11-20T00');
const NOW = new Date('2026-12-01T00:00:00Z');
const seal = { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '' };
const lines = (events: number) => contentOf(Buffer.from('{"a":1}\n'.repeat(events)));

/** Lands an hour of parts with so many events each; none: an empty hour. */
async function land(destination: Destination, hour: Hour, parts: readonly number[]): Promise<Landing> {
  const objects = parts.map((events, part) => {
    const { bytes, crc32 } = lines(events);
    const content = { bytes, crc32: crcHex(crc32) };
    const key = eventsKey({ project: '1', hour, part, generation: 1, crc32: content.crc32 }, 'json');
    return {
      key,
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

/** What can befall an hour with objects, and the quickest look that finds it. */
const DAMAGES = {
  gone: (at: Destination, { objects }: Landing) => at.delete([objects[0]?.key ?? '']),
  shorter: (at: Destination, { objects }: Landing) => at.put(objects[0]?.key ?? '', lines(0)),
  foreign: (at: Destination, { hour }: Landing) => at.put(`events/${hourFolder(hour)}/stray.json`, lines(1)),
  unnamed: (at: Destination, { hour }: Landing) =>
    at.put(eventsKey({ project: '1', hour, part: 7, generation: 1, crc32: '00000000' }, 'json'), lines(1)),
  garbled: (at: Destination, { hour }: Landing) => at.put(manifestKey(hour), contentOf(Buffer.from('{'))),
  altered: (at: Destination, { objects: [object] }: Landing) =>
    at.put(object?.key ?? '', contentOf(Buffer.alloc(object?.bytes ?? 0, 'x'))),
} as const;
type Damage = keyof typeof DAMAGES;

describe('verify', () => {
  it('finds exactly the hours that were damaged, whatever befell them', async function () {
    this.timeout(60_000);
    const damage = fc.constantFrom<Damage | undefined>(undefined, undefined, ...(Object.keys(DAMAGES) as Damage[]));
    const hour = fc.record({ parts: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }), damage });
    await fc.assert(
      fc.asyncProperty(fc.array(hour, { minLength: 1, maxLength: 30 }), async (hours) => {
        const folder = await mkdtemp(join(tmpdir(), 'verify-'));
        const options = { s3: s3Settings(''), signal: new AbortController().signal, log: hearingLog() };
        const destination = openDestination({ kind: 'file', folder }, options);
        const damaged = new Map<Hour, Damage>();
        for (const [at, { parts, damage: kind }] of hours.entries()) {
          const landing = await land(destination, START + at, parts);
          if (kind === undefined || parts.length === 0) continue;
          await DAMAGES[kind](destination, landing);
          damaged.set(START + at, kind);
        }
        for (const depth of ['listing', 'checksums', 'deep'] as const) {
          const found = await verify({ destination, range: undefined, depth, now: NOW });
          const seen = [...damaged].filter(([, kind]) => depth !== 'listing' || kind !== 'altered');
          expect([...new Set(found.differences.map(({ hour: of }) => of))].sort()).to.deep.equal(
            seen.map(([of]) => of).sort(),
          );
          const mended = seen.filter(([, kind]) => kind !== 'foreign' && kind !== 'unnamed');
          expect(repairable(found.differences)).to.deep.equal(new Set(mended.map(([of]) => of)));
          expect(found.checked.hours).to.equal(hours.length);
        }
        await rm(folder, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });
});
