import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { readKey } from '../../../src/landing/keys.ts';
import { crcHex, hourOfManifestKey, type Manifest, readManifest } from '../../../src/landing/manifest.ts';
import type { Contents } from './places.ts';

export function manifestsIn(contents: Contents): Manifest[] {
  return [...contents].flatMap(([key, bytes]) => {
    const hour = hourOfManifestKey(key);
    return hour === undefined ? [] : [readManifest(bytes, hour)];
  });
}

/** What a manifest names and is not there as it says. A sealed hour is whole at every moment. */
export function brokenSeals(contents: Contents): string[] {
  return manifestsIn(contents).flatMap(({ date, hour, objects, quarantine }) =>
    [...objects, ...quarantine].flatMap(({ key, bytes, crc32: crc }) => {
      const there = contents.get(key);
      if (there === undefined) return [`${date}T${hour} names ${key}, which is not there`];
      return there.length === bytes && crcHex(crc32(there)) === crc
        ? []
        : [`${date}T${hour} names other bytes of ${key}`];
    }),
  );
}

/** What is there and no manifest names. */
export function strays(contents: Contents): string[] {
  const named = manifestsIn(contents).flatMap(({ objects, quarantine }) => [...objects, ...quarantine]);
  const keys = new Set(named.map(({ key }) => key));
  return [...contents.keys()].filter((key) => !keys.has(key) && hourOfManifestKey(key) === undefined);
}

/** What an hour holds, whatever its generations; and what no run may leave behind once one has ended well. */
function essence(contents: Contents): Map<string, string> {
  const stored = ({ key, ...rest }: { readonly key: string }) => ({ ...rest, name: readKey(key)?.part });
  return new Map(
    [...contents].flatMap(([key, bytes]): [string, string][] => {
      if (hourOfManifestKey(key) === undefined) return readKey(key) === undefined ? [[key, 'is left behind']] : [];
      const { status, events, quarantined, objects, quarantine, shrunk } = JSON.parse(bytes.toString()) as Manifest;
      const lists = { objects: objects.map(stored), quarantine: quarantine.map(stored) };
      return [[key, JSON.stringify({ status, events, quarantined, ...lists, shrunk: shrunk?.events })]];
    }),
  );
}

/** The same hours, each whole. Objects that no manifest names may lie there, from a run that was killed. */
export function expectAlike(contents: Contents, undisturbed: Contents, when: string): void {
  expect(brokenSeals(contents), when).to.deep.equal([]);
  const [is, should] = [essence(contents), essence(undisturbed)];
  const differs = [...new Set([...is.keys(), ...should.keys()])].filter((key) => is.get(key) !== should.get(key));
  const told = differs.map(
    (key) => `${key}: is ${is.get(key) ?? 'missing'}, should be ${should.get(key) ?? 'missing'}`,
  );
  expect(told, when).to.deep.equal([]);
}
