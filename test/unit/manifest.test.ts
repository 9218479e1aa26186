import { expect } from 'chai';
import { readHour } from '../../src/hours.ts';
import { type Manifest, makeManifest, readManifest, writeManifest } from '../../src/landing/manifest.ts';

describe('a manifest as it is written', () => {
  const hour = readHour('2026-11-20T05');
  const request = { start: '2026-11-20T05', end: '2026-11-20T06', at: '2026-11-21T03:10:04Z' };
  const seal = { request, sealedAt: '2026-11-21T03:10:09Z', tool: 'tests' };
  const objects = (count: number) =>
    Array.from({ length: count }, (_, part) => {
      const stored = { key: `events/ü "${part}"`, bytes: part, crc32: '9f1c22ab', events: 1, member: `${part}\n` };
      return { ...stored, source: { bytes: part, crc32: '9f1c22ab' } };
    });

  for (const count of [0, 1, 2, 1000]) {
    it(`is one line of JSON, with ${count} objects`, () => {
      const named = objects(count);
      const quarantine = named.map(({ source: _, events: lines, ...stored }) => ({ ...stored, lines }));
      const landing = { hour, generation: 1, project: count === 0 ? null : '1', objects: named, quarantine };
      const manifest: Manifest = Object.assign(makeManifest(landing, seal), { shrunk: undefined });
      const written = writeManifest(manifest);
      expect(written.toString()).to.equal(`${JSON.stringify(manifest)}\n`);
      expect(readManifest(written, hour).objects).to.deep.equal(named);
    });
  }
});
