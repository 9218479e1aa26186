import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { readKey } from '../../../src/landing/keys.ts';
import { crcHex, hourOfManifestKey, type Manifest, readManifest } from '../../../src/landing/manifest.ts';
import type { Lying } from './places.ts';

export function manifestsIn(lying: Lying): Manifest[] {
  return [...lying].flatMap(([key, bytes]) => {
    const hour = hourOfManifestKey(key);
    return hour === undefined ? [] : [readManifest(bytes, hour)];
  });
}

/** What a manifest names and is not there as it says. A sealed hour is whole at every moment. */
export function brokenSeals(lying: Lying): string[] {
  return manifestsIn(lying).flatMap(({ date, hour, objects, quarantine }) =>
    [...objects, ...quarantine].flatMap(({ key, bytes, crc32: crc }) => {
      const there = lying.get(key);
      if (there === undefined) return [`${date}T${hour} names ${key}, which is not there`];
      return there.length === bytes && crcHex(crc32(there)) === crc
        ? []
        : [`${date}T${hour} names other bytes of ${key}`];
    }),
  );
}

/** What lies there and no manifest names. */
export function strays(lying: Lying): string[] {
  const named = manifestsIn(lying).flatMap(({ objects, quarantine }) => [...objects, ...quarantine]);
  const keys = new Set(named.map(({ key }) => key));
  return [...lying.keys()].filter((key) => !keys.has(key) && hourOfManifestKey(key) === undefined);
}

/** What an hour holds, whatever its generations; and what no run may leave behind once one has ended well. */
function essence(lying: Lying): Map<string, string> {
  const stored = ({ key, ...rest }: { readonly key: string }) => ({ ...rest, name: readKey(key)?.part });
  return new Map(
    [...lying].flatMap(([key, bytes]): [string, string][] => {
      if (hourOfManifestKey(key) === undefined) return readKey(key) === undefined ? [[key, 'is left behind']] : [];
      const { status, events, quarantined, objects, quarantine, shrunk } = JSON.parse(bytes.toString()) as Manifest;
      const lists = { objects: objects.map(stored), quarantine: quarantine.map(stored) };
      return [[key, JSON.stringify({ status, events, quarantined, ...lists, shrunk: shrunk?.events })]];
    }),
  );
}

/** The same hours, each whole. Objects that no manifest names may lie there, from a run that was killed. */
export function expectAlike(lying: Lying, undisturbed: Lying, when: string): void {
  expect(brokenSeals(lying), when).to.deep.equal([]);
  const [is, should] = [essence(lying), essence(undisturbed)];
  const differs = [...new Set([...is.keys(), ...should.keys()])].filter((key) => is.get(key) !== should.get(key));
  const told = differs.map(
    (key) => `${key}: is ${is.get(key) ?? 'missing'}, should be ${should.get(key) ?? 'missing'}`,
  );
  expect(told, when).to.deep.equal([]);
}
