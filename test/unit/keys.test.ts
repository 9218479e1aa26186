import { expect } from 'chai';
import fc from 'fast-check';
import { readHour } from '../../src/hours.ts';
import { eventsKey, hourOfKey, quarantineKey, readKey } from '../../src/landing/keys.ts';

const name = { project: '100011471', hour: readHour('2026-11-20T05'), part: 0, generation: 1, crc32: '9f1c22ab' };
const FOLDER = 'date=2026-11-20/hour=05';

describe('keys', () => {
  it('have the documented form', () => {
    expect(eventsKey(name, 'json')).to.equal(`events/${FOLDER}/100011471_2026-11-20T05_0.1.9f1c22ab.json`);
    expect(eventsKey(name, 'gzip')).to.equal(`events/${FOLDER}/100011471_2026-11-20T05_0.1.9f1c22ab.json.gz`);
    expect(quarantineKey(name)).to.equal(`quarantine/${FOLDER}/100011471_2026-11-20T05_0.1.9f1c22ab.jsonl`);
  });

  it('give back all that they were made of, and never look alike', () => {
    const names = fc.record({
      project: fc.integer({ min: 1, max: 2 ** 31 }).map(String),
      hour: fc.integer({ min: 0, max: 1_000_000 }),
      part: fc.integer({ min: 0, max: 999_999 }),
      generation: fc.integer({ min: 1, max: 1_000_000 }),
      crc32: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((crc) => crc.toString(16).padStart(8, '0')),
    });
    fc.assert(
      fc.property(names, fc.constantFrom('json', 'gzip'), (given, format) => {
        for (const key of [eventsKey(given, format), quarantineKey(given)]) {
          expect(readKey(key)).to.deep.equal(given);
          expect(hourOfKey(key)).to.equal(given.hour);
          expect(key).to.match(/^[\w=/.-]+$/);
        }
      }),
    );
  });

  it('of other programs are not taken for ours', () => {
    for (const key of [
      'events/',
      'events/.DS_Store',
      `events/${FOLDER}/`,
      `events/${FOLDER}/100011471_2026-11-20_5#0.json`,
      `events/${FOLDER}/100011471_2026-11-20T06_0.1.9f1c22ab.json`,
      `events/${FOLDER}/copy/100011471_2026-11-20T05_0.1.9f1c22ab.json`,
      `events/${FOLDER}/100011471_2026-11-20T05_0.1.9f1c22ab.json.partial`,
      `other/${FOLDER}/100011471_2026-11-20T05_0.1.9f1c22ab.json`,
      'events/date=2026-02-30/hour=05/100011471_2026-02-30T05_0.1.9f1c22ab.json',
    ]) {
      expect(readKey(key), key).to.equal(undefined);
    }
  });
});
