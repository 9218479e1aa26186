import zlib from 'node:zlib';
import { expect } from 'chai';
import { type Decision, decide, type Mode } from '../../src/export/decide.ts';
import type { ExaminedMember } from '../../src/export/member.ts';
import { crcHex, type Manifest } from '../../src/landing/manifest.ts';

/** A member by its part: its events, its content, its bad lines. */
type Part = readonly [part: number, events: number, content?: string, badLines?: number];

const nameOf = (part: number) => `7/7_2026-11-20_5#${part}.json.gz`;
const sourceOf = (part: number, events: number, content = 'a') => ({
  bytes: events * 10,
  crc32: zlib.crc32(`${content}${part}`),
});

function manifest(parts: readonly Part[], { ending = '.json', events }: { ending?: string; events?: number } = {}) {
  return {
    events: events ?? parts.reduce((sum, [, count]) => sum + count, 0),
    objects: parts.map(([part, count, content]) => ({
      key: `events/${part}${ending}`,
      events: count,
      member: nameOf(part),
      source: inManifest(sourceOf(part, count, content)),
    })),
    quarantine: parts.flatMap(([part, , , lines = 0]) => (lines > 0 ? [{ member: nameOf(part), lines }] : [])),
  } as unknown as Manifest;
}

const inManifest = ({ bytes, crc32 }: ReturnType<typeof sourceOf>) => ({ bytes, crc32: crcHex(crc32) });

const answer = (parts: readonly Part[]) =>
  parts.map(([part, events, content, badLines = 0]) => ({
    member: { name: nameOf(part) },
    examined: { source: sourceOf(part, events, content), events, bad: Array(badLines) },
  })) as unknown as ExaminedMember[];

/** `land 0 1`: it lands, and the objects of parts 0 and 1 stay as they are. */
function told(decision: Decision): string {
  if (decision.kind === 'shrunk') return `shrunk to ${decision.events}`;
  if (decision.kind !== 'land') return decision.kind;
  return ['land', ...[...decision.kept.keys()].map((name) => name.replace(/.*#(\d+)\..*/, '$1'))].join(' ');
}

const SMALL: readonly Part[] = [
  [0, 3],
  [1, 2],
];
const CASES: readonly [string, Manifest | undefined, readonly Part[], Outcomes][] = [
  ['a gap', undefined, SMALL, all('land')],
  ['a gap, no data', undefined, [], all('land')],
  ['the same', manifest(SMALL), SMALL, { ...all('unchanged'), repair: 'land' }],
  ['no data again', manifest([]), [], { ...all('unchanged'), repair: 'land' }],
  ['a member more', manifest(SMALL), [...SMALL, [2, 1]], { ...all('land 0 1'), repair: 'land' }],
  ['events where none were', manifest([]), SMALL, all('land')],
  [
    'a member that grew',
    manifest(SMALL),
    [
      [0, 3],
      [1, 4],
    ],
    { ...all('land 0'), repair: 'land' },
  ],
  [
    'as many events, other bytes',
    manifest(SMALL),
    [
      [0, 3, 'b'],
      [1, 2],
    ],
    { ...all('land 1'), repair: 'land' },
  ],
  [
    'a bad line more',
    manifest(SMALL),
    [
      [0, 3, 'a', 1],
      [1, 2],
    ],
    { ...all('land 1'), repair: 'land' },
  ],
  ['the other format', manifest(SMALL, { ending: '.json.gz' }), SMALL, all('land')],
  [
    'fewer events',
    manifest(SMALL),
    [
      [0, 3],
      [1, 1],
    ],
    smaller('shrunk to 4', 'land 0'),
  ],
  ['a member less', manifest(SMALL), [[0, 3]], smaller('shrunk to 3', 'land 0')],
  ['a member less, more events', manifest(SMALL), [[0, 9]], smaller('shrunk to 9', 'land')],
  ['no data', manifest(SMALL), [], { ...smaller('shrunk to 0', 'land'), force: 'shrunk to 0' }],
  // The manifest counts too many events, and the answer has all its members.
  [
    'all of it, counted as less',
    manifest(SMALL, { events: 7 }),
    SMALL,
    { ...smaller('shrunk to 5', 'unchanged'), repair: 'land' },
  ],
];

type Outcomes = Record<Exclude<Mode, 'adopt'>, string>;

function all(outcome: string): Outcomes {
  return { export: outcome, force: outcome, 'force-empty': outcome, repair: outcome };
}

function smaller(stays: string, forced: string): Outcomes {
  return { export: stays, force: forced, 'force-empty': forced, repair: 'refuse' };
}

/** Where files to adopt are what has landed already. */
const SAME = ['the same', 'no data again', 'a bad line more', 'the other format', 'all of it, counted as less'];

describe('decide: what becomes of an hour', () => {
  for (const [what, old, parts, outcomes] of CASES) {
    it(`with ${what}`, () => {
      for (const [mode, outcome] of Object.entries(outcomes)) {
        const decision = decide(old, answer(parts), { mode: mode as Mode, format: 'json' });
        expect(told(decision), mode).to.equal(outcome);
      }
      const adopted = told(decide(old, answer(parts), { mode: 'adopt', format: 'json' }));
      const same = SAME.includes(what) ? 'unchanged' : 'refuse';
      expect(adopted, 'adopt').to.equal(old === undefined ? 'land' : same);
    });
  }

  it('counts only events where the hour was adopted: its files may be cut otherwise', () => {
    const adopted = { ...manifest(SMALL), source: { kind: 'adopted', from: '/old', proof: 'none' } } as Manifest;
    const asked = (parts: readonly Part[]) => told(decide(adopted, answer(parts), { mode: 'export', format: 'json' }));
    expect(asked([[0, 5, 'b']])).to.equal('land');
    expect(asked([[0, 4, 'b']])).to.equal('shrunk to 4');
    expect(asked(SMALL)).to.equal('unchanged');
  });
});
