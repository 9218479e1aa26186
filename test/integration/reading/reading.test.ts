import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { hasJava, install, PACKAGES, type Read, read, SPARK } from './python.ts';
import { DAYS, DRIFT, driftId, driftTime, Scene } from './scene.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../../docs/reading.md'), 'utf8');
const ENGINES = ['duckdb', 'polars', 'pandas', 'clickhouse', 'spark'];

/** The block of the page that begins with the comment `run: NAME`. */
function findBlock(name: string): string | undefined {
  return new RegExp(`\`\`\`(?:sql|python)\\n(?:--|#) run: ${name}\\n(.*?)\`\`\``, 's').exec(PAGE)?.[1];
}

function block(name: string): string {
  const found = findBlock(name);
  if (found === undefined) throw new Error(`docs/reading.md has no block "run: ${name}"`);
  return found;
}

const setUp = (engine: string) => [findBlock(`${engine} setup`) ?? []].flat();

/** A file a day, as the dbt project writes them. */
const parquetOf = (day: string) => `COPY (
  SELECT strftime(date, '%Y-%m-%d') || 'T' || hour AS hour, * EXCLUDE (date, hour)
    REPLACE (event_properties::VARCHAR AS event_properties) FROM events WHERE date = '${day}'
) TO 'data/tables/events/date=${day}/events.parquet' (FORMAT parquet, COMPRESSION zstd)`;

describe('reading the landing, by the blocks of docs/reading.md', function () {
  this.timeout(600_000);
  let scene: Scene;

  before(async () => {
    await install();
    scene = await Scene.open();
    expect(scene.leftOver).to.be.greaterThan(0);
    await read('duckdb', [...setUp('duckdb'), block('duckdb json gated'), ...DAYS.map(parquetOf)], scene.folder);
  });
  after(() => scene?.close());

  /** Every event of the type Drift is there, with its id, its time and its properties as they were sent. */
  function expectDrift({ drifting }: Read, expected = DRIFT): void {
    const found = drifting.map(([id, time, properties]) => [id, time, JSON.parse(properties)]);
    expect(found).to.deep.equal(
      expected.map((properties, nth) => [driftId(nth), driftTime(nth), JSON.parse(properties)]),
    );
  }

  for (const pinned of [...PACKAGES, SPARK]) {
    const [name = '', version = ''] = pinned.split('==');
    it(`names the version that runs: ${name}`, () => expect(PAGE).to.include(` ${version}`));
  }

  for (const engine of ENGINES) {
    describe(engine, () => {
      before(function () {
        if (engine !== 'spark' || hasJava) return;
        process.stderr.write('    SKIPPED: java is not in PATH\n');
        this.skip();
      });

      const by = (way: string) => read(engine, [...setUp(engine), block(`${engine} ${way}`)], scene.folder);

      it('reads what the manifests name, and nothing else', async () => {
        const found = await by('json gated');
        expect(found.rows).to.equal(await scene.events());
        expectDrift(found);
      });

      it('reads every object by a glob, those of a killed run too', async () => {
        const found = await by('json plain');
        expect(found.rows).to.equal((await scene.events()) + scene.leftOver);
        expectDrift(found);
      });

      it('reads the Parquet of whole days', async () => {
        const found = await by('parquet');
        expect(found.rows).to.equal(await scene.events());
        expectDrift(found);
      });
    });
  }

  // In a suite of its own, so that it comes last: it changes the landing.
  describe('iceberg', () => {
    it('fills a table, and replaces only the hours that changed', async () => {
      const load = () => read('iceberg', [block('iceberg')], scene.folder);
      const first = await load();
      expect(first.rows).to.equal(await scene.events());
      expectDrift(first);
      expect((await load()).commits).to.equal(first.commits);

      const changed = [...DRIFT.slice(0, 3), '{"price":5}', '{"onlySecond":{"b":2}}'];
      await scene.landDrift(changed);
      const second = await load();
      expect(second.rows).to.equal(first.rows + 1);
      expect(second.rows).to.equal(await scene.events());
      expectDrift(second, changed);
    });
  });
});
