import { crc32, gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { formatHour, type Hour } from '../../../src/hours.ts';
import { hourOfKey, readKey } from '../../../src/landing/keys.ts';
import { crcHex, hourOfManifestKey, type Manifest, manifestKey } from '../../../src/landing/manifest.ts';
import { brokenSeals, strays } from '../../integration/kill/landed.ts';
import type { Files } from './source.ts';

export const markKey = (hour: Hour) => `unproved/date=${formatHour(hour).replace('T', '/hour=')}`;

export function manifestOf(landed: Files, hour: Hour): Manifest & { readonly source?: Adoption } {
  const content = landed.get(manifestKey(hour));
  if (content === undefined) throw new Error(`${formatHour(hour)} has no manifest`);
  return JSON.parse(content.toString());
}

export interface Adoption {
  readonly kind: 'adopted';
  readonly from: string;
  readonly proof: 'mark' | 'manifest' | 'trust' | 'none';
}

/** The hour holds these members and nothing else, each byte for byte, and its manifest says where they came from. */
export function expectAdopted(
  landed: Files,
  hour: Hour,
  members: readonly { readonly name: string; readonly json: Buffer }[],
  { from, proof, format = 'json' }: { from: string; proof: Adoption['proof']; format?: string },
): void {
  const name = formatHour(hour);
  const manifest = manifestOf(landed, hour);
  expect(manifest.source, name).to.deep.equal({ kind: 'adopted', from, proof });
  expect(manifest, name).not.to.have.property('request');
  expect(manifest.status, name).to.equal(members.length > 0 ? 'complete' : 'empty');
  expect(
    manifest.objects.map(({ member }) => member),
    name,
  ).to.deep.equal(members.map((member) => member.name));
  for (const [part, { json }] of members.entries()) {
    const object = manifest.objects[part];
    const stored = landed.get(object?.key ?? '') ?? Buffer.alloc(0);
    const content = format === 'gzip' ? gunzipSync(stored) : stored;
    expect(content.equals(json), `${name}#${part}`).to.equal(true);
    expect(object, name).to.deep.include({
      bytes: stored.length,
      crc32: crcHex(crc32(stored)),
      events: json.toString().trimEnd().split('\n').length,
      source: { bytes: json.length, crc32: crcHex(crc32(json)) },
    });
    expect(readKey(object?.key ?? ''), name).to.include({ hour, generation: 1 });
    expect(object?.key.endsWith(format === 'gzip' ? '.json.gz' : '.json'), name).to.equal(true);
  }
  expect(landed.has(markKey(hour)), `${name} is marked as not proved`).to.equal(proof === 'none');
}

/**
 * Every manifest names what is there, and nothing else is there but marks of hours that are not proved, and what was
 * written of hours in `failed` before they did.
 */
export function expectWhole(landed: Files, failed: readonly Hour[] = []): void {
  expect(brokenSeals(landed)).to.deep.equal([]);
  const isLeft = (key: string) => key.startsWith('unproved/') || failed.includes(hourOfKey(key) ?? -1);
  expect(strays(landed).filter((key) => !isLeft(key))).to.deep.equal([]);
}

/** What a reader gets, whoever landed it and when: stored content by key, manifests without their origin and times. */
export function essenceOf(landed: Files): Map<string, string> {
  return new Map(
    [...landed].flatMap(([key, bytes]): [string, string][] => {
      if (key.startsWith('.')) return [];
      if (hourOfManifestKey(key) === undefined) return [[key, crcHex(crc32(bytes))]];
      const { request: _, source: __, sealedAt: ___, project, ...rest } = JSON.parse(bytes.toString());
      // A mark names the project of an hour without data; an answer does not.
      return [[key, JSON.stringify({ ...rest, project: rest.status === 'empty' ? null : project })]];
    }),
  );
}

/** What lies below a folder, by keys relative to it. */
export function below(files: Files, folder: string): Files {
  return new Map(
    [...files].flatMap(([key, bytes]) => (key.startsWith(folder) ? [[key.slice(folder.length), bytes] as const] : [])),
  );
}

/** Checksums by key, the keys in order: quick to compare, and short where they differ. */
export function checksumsOf(files: Iterable<readonly [string, Buffer]>): [string, string][] {
  const sums = [...files].map(([key, bytes]): [string, string] => [key, crcHex(crc32(bytes))]);
  return sums.sort(([a], [b]) => (a < b ? -1 : 1));
}
