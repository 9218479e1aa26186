import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve, sep } from 'node:path';
import { expect } from 'chai';

const SRC = resolve(import.meta.dirname, '../../src');

/** From top to bottom. A file imports from its own room and from the layers below; rooms of one layer are strangers. */
const LAYERS = [
  ['main'],
  ['commands'],
  ['cli'],
  ['export', 'status', 'verify', 'reconcile', 'adopt', 'doctor', 'simulator'],
  ['landing'],
  ['amplitude'],
  ['archive'],
  ['destination'],
  ['config'],
  ['ground'],
];

/** The files beside main.ts are the ground. */
function roomOf(file: string): string {
  const [room = '', ...rest] = file.split(sep);
  if (rest.length > 0) return room;
  return file === 'main.ts' ? 'main' : 'ground';
}

const layerOf = (room: string) => LAYERS.findIndex((rooms) => rooms.includes(room));

const files = globSync('**/*.ts', { cwd: SRC });
const imports = files.flatMap((file) =>
  [...readFileSync(join(SRC, file), 'utf8').matchAll(/(?:\bfrom|\bimport\(|\bimport) ?'(\.[^']+)'/g)].map(
    ([, path = '']) => ({ file, to: normalize(join(dirname(file), path)) }),
  ),
);

describe('the layout', () => {
  it('has a layer for each room', () => {
    expect(files.map(roomOf).filter((room) => layerOf(room) < 0)).to.deep.equal([]);
    expect(imports.length).to.be.above(files.length);
  });

  it('imports downward only', () => {
    const upward = imports.filter(({ file, to }) => {
      const [from, below] = [roomOf(file), roomOf(to)];
      return from !== below && layerOf(from) >= layerOf(below);
    });
    expect(upward.map(({ file, to }) => `${file} imports ${to}`)).to.deep.equal([]);
  });

  it('keeps no file beside a folder of its name, but for the two of S3', () => {
    const beside = files.filter((file) => files.some((other) => other.startsWith(`${file.slice(0, -3)}${sep}`)));
    expect(beside).to.deep.equal([join('destination', 's3.ts')]);
  });
});
