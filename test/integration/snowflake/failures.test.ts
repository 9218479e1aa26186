import { expect } from 'chai';
import { hourFolder, readHour } from '../../../src/hours.ts';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { countOf, END, EVENTS, HOUR, START } from './hours.ts';
import { type Agreement, type Batch, Scene, snowflakeUrl } from './scene.ts';

const statuses = (rows: readonly Agreement[]) =>
  Object.fromEntries(rows.map(({ HOUR: hour, STATUS }) => [hour, STATUS]));

describe(`what fails in the Snowflake at ${process.env.SNOWFLAKE_URL ?? 'SNOWFLAKE_URL'}`, function () {
  this.timeout(180_000);
  let scene: Scene;
  let url: string;

  before(function () {
    url = snowflakeUrl(this);
  });
  beforeEach(async () => {
    scene = await Scene.open(url, EVENTS);
  });
  afterEach(async () => {
    await scene?.close();
  });

  const dedupe = async () => await scene.query('SELECT uuid, loaded_at FROM events_deduplicated ORDER BY uuid');
  async function batch(): Promise<Batch> {
    const next = await scene.nextBatch();
    if (next === undefined) throw new Error('nothing is due');
    return next;
  }
  const hourOf = async (hour = HOUR) => (await scene.reconciliation()).find((row) => row.HOUR === hour);

  it('says of an hour whose manifest is newer than its rows that it is stale', async () => {
    await scene.export(START, END);
    await scene.load();
    scene.simulator.faults.push(parseFault(`grown@${HOUR}`));
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    await scene.refresh('2026-03-0[1-9]');
    expect(await hourOf()).to.include({ STATUS: 'stale', ROWS_LANDED: countOf(HOUR) });
  });

  it('leaves nothing of a load that dies in the middle, and loads the hour with the next run', async () => {
    await scene.export(START, END);
    await scene.load();
    scene.simulator.faults.push(parseFault(`grown@${HOUR}`));
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    const { events } = await scene.manifest(HOUR);
    await scene.refresh();
    const whole = await dedupe();
    for (const last of [
      'COPY INTO',
      'INSERT INTO landing',
      'INSERT INTO events_d',
      'INSERT INTO loads',
      'the COMMIT',
    ]) {
      const stop = (sql: string, atEnd: boolean) => (last === 'the COMMIT' ? atEnd : sql.startsWith(last));
      await scene.loadBatch(await batch(), last, stop);
      expect(await dedupe(), last).to.deep.equal(whole);
      expect(await hourOf(), last).to.include({
        STATUS: 'load failed',
        ROWS_LANDED: countOf(HOUR),
        ROWS_TYPED: countOf(HOUR),
      });
    }
    expect((await scene.load()).loaded).to.deep.equal([HOUR]);
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: events, ROWS_TYPED: events });
  });

  it('halves a batch that fails, down to the hour whose object is gone, and tries that one last and once a run', async () => {
    const { hours } = await scene.export(START, END);
    const { objects } = await scene.manifest(HOUR);
    await scene.remove(objects[0]?.key ?? '');
    const { loaded, failed, batches } = await scene.load();
    expect([failed, batches]).to.deep.equal([[HOUR], [6, 3, 3, 2, 1, 1, 1]]);
    expect(loaded).to.deep.equal(hours.sealed.filter((hour) => hour !== HOUR));
    expect(await hourOf()).to.include({ STATUS: 'load failed', ROWS_LANDED: 0, ROWS_TYPED: 0 });
    await scene.export('2026-03-04T13', '2026-03-04T14');
    expect(await scene.load()).to.deep.equal({ loaded: ['2026-03-04T13'], failed: [HOUR], batches: [1, 1] });

    // What the page says to do then.
    await scene.repair();
    expect(await scene.load()).to.deep.equal({ loaded: [HOUR], failed: [], batches: [1] });
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: countOf(HOUR) });
  });

  it('fails an hour that is replaced while it is loaded, keeps its rows, and loads the new landing next', async () => {
    await scene.export(START, END);
    await scene.load();
    const replaceWith = async (...faults: readonly string[]) => {
      scene.simulator.faults.splice(0, Infinity, ...faults.map((fault) => parseFault(`${fault}@${HOUR}`)));
      await scene.export(HOUR, '2026-03-04T10', ['--force']);
      return await scene.manifest(HOUR);
    };
    // An object that the older manifest names is gone; or all are there, and the newer one names one more.
    for (const [older, newer, refreshed] of [
      [['shrunk'], 'missing-member', false],
      [[], 'grown', true],
    ] as const) {
      const before = (await hourOf())?.ROWS_LANDED;
      await replaceWith(...older);
      expect(await scene.due()).to.deep.equal([HOUR]);
      const due = await batch();
      const { events } = await replaceWith(newer);
      if (refreshed) await scene.refresh();
      const failed = await scene.loadBatch(due).catch((error: Error) => error);
      expect(failed, newer).to.be.instanceOf(Error);
      expect(await hourOf(), newer).to.include({ STATUS: 'load failed', ROWS_LANDED: before, ROWS_TYPED: before });
      expect((await scene.load()).loaded).to.deep.equal([HOUR]);
      expect(await hourOf(), newer).to.include({ STATUS: 'ok', ROWS_LANDED: events, ROWS_TYPED: events });
    }
  });

  it('loads nothing where a manifest does not describe the hour that its key is of', async () => {
    await scene.export(START, END);
    await scene.load();
    const { date: _, ...undated } = await scene.manifest(HOUR);
    const before = await scene.reconciliation();
    for (const wrong of [undated, await scene.manifest('2026-03-04T10')]) {
      await scene.put(`manifests/${hourFolder(readHour(HOUR))}.json`, JSON.stringify(wrong));
      expect(await scene.load().catch((error: Error) => error.message)).to.be.a('string');
      expect(await scene.reconciliation()).to.deep.equal(before);
    }
  });

  it('shows an hour whose manifest is gone, within the dates that are refreshed', async () => {
    await scene.export(START, END);
    await scene.load();
    await scene.remove(`manifests/${hourFolder(readHour(HOUR))}.json`);
    await scene.load('2026-03-05');
    expect(await hourOf()).to.include({ STATUS: 'ok' });
    await scene.load('2026-03-04|2026-03-05');
    expect(await hourOf()).to.include({ STATUS: 'manifest gone', ROWS_LANDED: countOf(HOUR) });
    // However old the hour: what does not agree is always in the table.
    expect(statuses(await scene.reconciliation('2026-04-01T00'))).to.deep.equal({ [HOUR]: 'manifest gone' });
  });

  it('counts the tables again, and shows rows that were taken away or doubled behind its back', async () => {
    await scene.export(START, END);
    await scene.load();
    expect(await scene.recount()).to.deep.equal([]);
    const rows = countOf(HOUR);
    const changed = (table: string, present: number) => [
      { HOUR, TABLE_NAME: table, ROWS_LOADED: rows, ROWS_PRESENT: present },
    ];
    await scene.query(`INSERT INTO landing SELECT * FROM landing WHERE hour = '${HOUR}'`);
    expect(await scene.recount()).to.deep.equal(changed('landing', 2 * rows));
    expect(await scene.recount('2026-03-04T10')).to.deep.equal([]);
    expect(await scene.recount('2026-03-04T00', HOUR)).to.deep.equal([]);
    // What the page says to do then.
    await scene.query(`DELETE FROM loads WHERE hour = '${HOUR}'`);
    expect((await scene.load()).loaded).to.deep.equal([HOUR]);
    await scene.query(`DELETE FROM events WHERE hour = '${HOUR}'`);
    expect(await scene.recount()).to.deep.equal(changed('events', 0));
    // The check of each run reads a row an hour, never these tables.
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_TYPED: rows });
  });

  it('says of an hour that differs by how much, where an object has other events than its manifest counts', async () => {
    await scene.export(START, END);
    const manifest = await scene.manifest(HOUR);
    const more = JSON.stringify({ ...manifest, events: manifest.events + 1 });
    await scene.put(`manifests/${hourFolder(readHour(HOUR))}.json`, more);
    await scene.load();
    expect(await hourOf()).to.include({ STATUS: 'differs', DIFFERENCE: 1 });
  });

  it('loads nothing from a stage on the wrong prefix, and says so', async () => {
    await scene.export(START, END);
    await scene.setUp({ name: 'elsewhere', prefix: 'amplitud' });
    const session = await scene.session('elsewhere');
    await session.run('08_refresh_manifests.sql', { dates: '.*' });
    expect(await session.query('SELECT * FROM manifests')).to.deep.equal([]);
    // Only the events are elsewhere: the batch fails.
    await scene.refresh();
    for (const table of ['manifests', 'manifest_objects']) {
      await session.query(`INSERT INTO ${table} SELECT * FROM ${scene.database}.amplitude.${table}`);
    }
    const { HOURS: hours, FILES: files, CONTENTS: contents } = await batch();
    const values = { run: 'a run', hours, files, contents };
    const failed = await session.run('10_load_batch.sql', values).catch((error: Error) => error);
    expect(failed).to.be.instanceOf(Error);
    await session.close();
    expect(await scene.query(`SELECT * FROM ${scene.database}.elsewhere.landing`)).to.deep.equal([]);
  });

  it('reads all manifests in the first run of a day, and those of the last days afterwards', async () => {
    const dates = async () =>
      (await scene.snowflake.run<{ DATES: string }>('07_dates.sql', { dates: '2026-03-0[1-9]' }))[0]?.DATES;
    await scene.export(START, END);
    expect(await dates()).to.equal('.*');
    await scene.refresh();
    expect(await dates()).to.equal('2026-03-0[1-9]');
    await scene.query("UPDATE manifests SET refreshed_at = DATEADD('DAY', -1, refreshed_at)");
    expect(await dates()).to.equal('.*');
  });

  it('tears down the schema, and nothing of another project in the same database', async () => {
    await scene.setUp({ name: 'second' });
    await scene.snowflake.run('90_teardown.sql', { name: 'second', database: scene.database });
    expect(await scene.query(`SELECT * FROM ${scene.database}.amplitude.loads`)).to.deep.equal([]);
    const gone = await scene.query(`SELECT * FROM ${scene.database}.second.loads`).catch((error: Error) => error);
    expect(gone).to.be.instanceOf(Error);
  });
});
