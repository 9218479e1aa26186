import { expect } from 'chai';
import { hourFolder, readHour } from '../../../src/hours.ts';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { countOf, END, EVENTS, HOUR, START } from './hours.ts';
import { type Agreement, Scene, snowflakeUrl } from './scene.ts';

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

  const hourOf = async (hour = HOUR) => (await scene.reconciliation()).find((row) => row.HOUR === hour);

  it('says of an hour whose manifest is newer than its rows that it is stale', async () => {
    await scene.export(START, END);
    await scene.load();
    scene.simulator.faults.push(parseFault(`grown@${HOUR}`));
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    await scene.due('2026-03-0[1-9]');
    expect(await hourOf()).to.include({ STATUS: 'stale', ROWS_LANDED: countOf(HOUR) });
  });

  it('leaves nothing of a load that dies in the middle, and loads the hour with the next run', async () => {
    await scene.export(START, END);
    await scene.load();
    scene.simulator.faults.push(parseFault(`grown@${HOUR}`));
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    const { events } = await scene.manifest(HOUR);
    for (const last of ['COPY INTO', 'INSERT INTO landing', 'INSERT INTO events', 'INSERT INTO loads', 'the COMMIT']) {
      const stop = (sql: string, atEnd: boolean) => (last === 'the COMMIT' ? atEnd : sql.startsWith(last));
      for (const due of await scene.due()) await scene.loadHour(due, stop);
      expect(await hourOf(), last).to.include({
        STATUS: 'load failed',
        ROWS_LANDED: countOf(HOUR),
        ROWS_TYPED: countOf(HOUR),
      });
    }
    expect((await scene.load()).loaded).to.deep.equal([HOUR]);
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: events, ROWS_TYPED: events });
  });

  it('fails an hour whose object is gone, loads the others, and tries it last from then on', async () => {
    const { hours } = await scene.export(START, END);
    const { objects } = await scene.manifest(HOUR);
    await scene.remove(objects[0]?.key ?? '');
    const { loaded, failed } = await scene.load();
    expect([...failed.keys()]).to.deep.equal([HOUR]);
    expect(loaded).to.deep.equal(hours.sealed.filter((hour) => hour !== HOUR && countOf(hour) > 0));
    expect(await hourOf()).to.include({ STATUS: 'load failed', ROWS_LANDED: 0, ROWS_TYPED: 0 });
    await scene.export('2026-03-04T13', '2026-03-04T14');
    expect((await scene.due()).map(({ HOUR: hour }) => hour)).to.deep.equal(['2026-03-04T13', HOUR]);

    // What the page says to do then.
    await scene.repair();
    await scene.load();
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
      const [due] = await scene.due();
      expect(due?.HOUR).to.equal(HOUR);
      const { events } = await replaceWith(newer);
      if (refreshed) await scene.due();
      const failed = due && (await scene.loadHour(due).catch((error: Error) => error));
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

  it('shows rows that were taken away or doubled behind its back', async () => {
    await scene.export(START, END);
    await scene.load();
    await scene.query(`INSERT INTO landing SELECT * FROM landing WHERE hour = '${HOUR}'`);
    expect(await hourOf()).to.include({ STATUS: 'differs', DIFFERENCE: -countOf(HOUR) });
    await scene.query(`DELETE FROM landing WHERE hour = '${HOUR}'`);
    expect(await hourOf()).to.include({ STATUS: 'differs', DIFFERENCE: countOf(HOUR) });
    // What the page says to do then.
    await scene.query(`DELETE FROM loads WHERE hour = '${HOUR}'`);
    expect((await scene.load()).loaded).to.deep.equal([HOUR]);
    expect(await hourOf()).to.include({ STATUS: 'ok', DIFFERENCE: 0 });
    await scene.query(`DELETE FROM events WHERE hour = '${HOUR}'`);
    expect(await hourOf()).to.include({ STATUS: 'differs', DIFFERENCE: 0, ROWS_TYPED: 0 });
  });

  it('loads nothing from a stage on the wrong prefix, and says so', async () => {
    await scene.export(START, END);
    const elsewhere = { schema: 'elsewhere', prefix: 'amplitud' };
    await scene.setUp(elsewhere);
    const session = await scene.session();
    await session.query(`USE SCHEMA ${scene.database}.elsewhere`);
    await session.run('07_refresh_manifests.sql', { dates: '.*' });
    expect(await session.query('SELECT * FROM manifests')).to.deep.equal([]);
    // Only the events are elsewhere: the hour fails.
    const [due] = await scene.due();
    for (const table of ['manifests', 'manifest_objects']) {
      await session.query(`INSERT INTO ${table} SELECT * FROM ${scene.database}.amplitude.${table}`);
    }
    const { HOUR: hour = '', CONTENT: content = '', FILES: files = '' } = due ?? {};
    expect(files).to.include('.json');
    const failed = await session.run('10_load_hour.sql', { hour, content, files }).catch((error: Error) => error);
    expect(failed).to.be.instanceOf(Error);
    await session.close();
    expect(await scene.query(`SELECT * FROM ${scene.database}.elsewhere.landing`)).to.deep.equal([]);
  });
});
