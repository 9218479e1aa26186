import { expect } from 'chai';
import { hourFolder, readHour } from '../../../src/hours.ts';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { countOf, END, EVENTS, HOUR, linesOf, START } from './hours.ts';
import { Scene, snowflakeUrl } from './scene.ts';

/** `2026-11-20 05:12:01.123456`, UTC, as a number. */
const microseconds = (time: string) => Date.parse(`${time.slice(0, 23)}Z`) * 1000 + Number(time.slice(23));

describe(`load into the Snowflake at ${process.env.SNOWFLAKE_URL ?? 'SNOWFLAKE_URL'}`, function () {
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
  const folder = `events/${hourFolder(readHour(HOUR))}`;

  /** Every hour agrees, and holds so many events. */
  async function expectAgreement(events: number): Promise<void> {
    const rows = await scene.reconciliation();
    expect(new Set(rows.map(({ STATUS }) => STATUS))).to.deep.equal(new Set(['ok']));
    for (const row of rows) {
      expect(row, row.HOUR).to.include({ DIFFERENCE: 0, ROWS_TYPED: row.ROWS_LANDED });
      expect(row.ROWS_LANDED + row.ROWS_REJECTED, row.HOUR).to.equal(row.MANIFEST_EVENTS);
    }
    expect(rows.reduce((sum, row) => sum + row.ROWS_LANDED + row.ROWS_REJECTED, 0)).to.equal(events);
  }

  for (const format of ['json', 'gzip']) {
    it(`loads what was exported as ${format}, hour by hour, and then finds nothing due`, async () => {
      const { events, hours } = await scene.export(START, END, [], { OUTPUT_FORMAT: format });
      expect(events).to.be.above(0);
      const { loaded, failed } = await scene.load();
      expect([loaded, [...failed]]).to.deep.equal([hours.sealed.filter((hour) => countOf(hour) > 0), []]);
      await expectAgreement(events);
      expect(await scene.reconciliation()).to.have.length(6);

      expect((await scene.load()).loaded).to.deep.equal([]);
      await scene.setUp();
      await expectAgreement(events);
    });
  }

  it('keeps every value, also integers of 19 digits and times of microseconds', async () => {
    await scene.export(START, END);
    await scene.load();
    const field = (line: string, pattern: RegExp) => pattern.exec(line)?.[1] ?? null;
    const expected = linesOf(HOUR).map((line) => ({
      UUID: field(line, /"uuid":"([^"]+)"/),
      AMPLITUDE_ID: field(line, /"amplitude_id":(\d+)/),
      INSERT_ID: field(line, /"\$insert_id":"([^"]+)"/),
      ORDER_ID: field(line, /"order_id":(\d+)/),
      TITLE: field(line, /"title":"([^"]+)"/),
      HAPPENED: microseconds(field(line, /"event_time":"([^"]+)"/) ?? ''),
      FILE: `amplitude/${folder}`,
    }));
    expect(expected.some(({ ORDER_ID }) => (ORDER_ID?.length ?? 0) === 19)).to.equal(true);
    const rows = await scene.query(`
      SELECT uuid, amplitude_id::VARCHAR AS amplitude_id, insert_id, event_properties:order_id::VARCHAR AS order_id,
        event_properties:title::VARCHAR AS title, DATEDIFF(MICROSECOND, '1970-01-01'::TIMESTAMP_NTZ, event_time) AS happened,
        LEFT(file_name, ${`amplitude/${folder}`.length}) AS file
      FROM events WHERE hour = '${HOUR}'`);
    expect(rows).to.have.deep.members(expected);
    const numbers = await scene.query<{
      FILE_NAME: string;
      ROWS_OF: number;
      FIRST: number;
      LAST: number;
      CRC: string;
    }>(`
      SELECT file_name, COUNT(DISTINCT row_number) AS rows_of, MIN(row_number) AS first, MAX(row_number) AS last,
        MAX(file_content) AS crc FROM landing WHERE hour = '${HOUR}' GROUP BY file_name`);
    const { objects } = await scene.manifest(HOUR);
    expect(numbers).to.have.deep.members(
      objects.map(({ key, events, crc32 }) => ({
        FILE_NAME: `amplitude/${key}`,
        ROWS_OF: events,
        FIRST: 1,
        LAST: events,
        CRC: crc32,
      })),
    );
  });

  it('replaces an hour that landed again with fewer events and parts, and with more', async () => {
    const { events } = await scene.export(START, END);
    await scene.load();
    const before = countOf(HOUR);
    for (const fault of ['missing-member', 'shrunk', 'grown'] as const) {
      scene.simulator.faults.splice(0, Infinity, parseFault(`${fault}@${HOUR}`));
      await scene.export(HOUR, '2026-03-04T10', ['--force']);
      const { events: now } = await scene.manifest(HOUR);
      expect(now, fault).to.be[fault === 'grown' ? 'above' : 'below'](before);
      expect(await hourOf(), fault).to.include({ STATUS: 'ok' });
      expect((await scene.load()).loaded).to.deep.equal([HOUR]);
      expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: now, ROWS_TYPED: now });
      await expectAgreement(events - before + now);
    }
  });

  it('loads all objects of a replaced hour, those that it keeps too, and what no manifest names not', async () => {
    await scene.export(START, END);
    await scene.load();
    const first = await scene.manifest(HOUR);
    scene.simulator.faults.push(parseFault(`grown@${HOUR}`));
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    const second = await scene.manifest(HOUR);
    expect([first.generation, second.generation]).to.deep.equal([1, 2]);
    const before = new Set(first.objects.map(({ key }) => key));
    expect(second.objects.filter(({ key }) => before.has(key))).not.to.have.length(0);
    expect(second.objects.filter(({ key }) => !before.has(key))).not.to.have.length(0);
    await scene.put(`${folder}/100011471_2026-03-04T09_0.3.0badcafe.json`, '{"uuid":"of a run that was killed"}\n');
    expect((await scene.load()).loaded).to.deep.equal([HOUR]);
    const files = await scene.query(
      `SELECT file_name, COUNT(*) AS events FROM landing WHERE hour = '${HOUR}' GROUP BY file_name`,
    );
    expect(files).to.have.deep.members(
      second.objects.map(({ key, events }) => ({ FILE_NAME: `amplitude/${key}`, EVENTS: events })),
    );
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: second.events, ROWS_TYPED: second.events });
    expect(await scene.query(`SELECT generation FROM manifests WHERE hour = '${HOUR}'`)).to.deep.equal([
      { GENERATION: 2 },
    ]);
  });

  it('loads an hour again by the same manifest, and doubles nothing', async () => {
    const { events } = await scene.export(START, END);
    const [due] = await scene.due();
    if (due === undefined) throw new Error('nothing is due');
    for (const _ of [1, 2]) await scene.loadHour(due);
    expect((await scene.load()).loaded).not.to.include(due.HOUR);
    await scene.query('DELETE FROM loads');
    expect((await scene.load()).loaded).to.include(due.HOUR);
    await expectAgreement(events);
  });

  it('leaves an hour alone that was sealed again unchanged', async () => {
    await scene.export(START, END);
    await scene.load();
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    expect((await scene.manifest(HOUR)).generation).to.equal(2);
    expect((await scene.load()).loaded).to.deep.equal([]);
    expect(await hourOf()).to.include({ STATUS: 'ok' });
  });

  it('never loads what is in quarantine', async () => {
    scene.simulator.faults.push(parseFault(`bad-line@${HOUR}`));
    const { events, quarantined } = await scene.export(START, END);
    expect(quarantined).to.equal(1);
    await scene.load();
    await expectAgreement(events);
    expect(await hourOf()).to.include({ QUARANTINED: 1, ROWS_LANDED: countOf(HOUR), ROWS_REJECTED: 0 });
  });

  it('keeps a line of invalid JSON word by word among the rejects, and loads the rest', async () => {
    scene.simulator.faults.push(parseFault(`bad-json@${HOUR}`));
    const { events } = await scene.export(START, END);
    const { failed } = await scene.load();
    expect([...failed]).to.deep.equal([]);
    await expectAgreement(events);
    expect(await hourOf()).to.include({ ROWS_LANDED: countOf(HOUR), ROWS_REJECTED: 1, DIFFERENCE: 0 });
    const [reject] = await scene.query<{ LINE: string; FILE_NAME: string }>('SELECT line, file_name FROM rejects');
    expect(reject?.LINE).to.match(/^\{.*\}$/);
    expect(() => JSON.parse(reject?.LINE ?? '{}')).to.throw(SyntaxError);
    expect(reject?.FILE_NAME).to.include(folder);

    scene.simulator.faults.length = 0;
    await scene.export(HOUR, '2026-03-04T10', ['--force']);
    await scene.load();
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: countOf(HOUR), ROWS_REJECTED: 0 });
  });

  it('takes blank lines, Windows line ends, byte order marks and lines of a megabyte for what they are', async () => {
    for (const [at, fault] of [
      'blank-lines',
      'crlf',
      'bom',
      'long-line',
      'line-separator',
      'no-last-newline',
    ].entries()) {
      scene.simulator.faults.push(parseFault(`${fault}@2026-03-04T${String(6 + at).padStart(2, '0')}`));
    }
    const { events } = await scene.export(START, END);
    await scene.load();
    await expectAgreement(events);
    expect((await scene.reconciliation()).map(({ ROWS_REJECTED }) => ROWS_REJECTED)).to.deep.equal([0, 0, 0, 0, 0, 0]);
  });

  it('loads a gap once it is filled', async () => {
    scene.simulator.faults.push(parseFault(`too-large@${HOUR}`));
    await scene.export(START, END);
    await scene.load();
    expect(await scene.reconciliation()).to.have.length(5);
    expect(await hourOf()).to.equal(undefined);
    scene.simulator.faults.length = 0;
    await scene.export(START, END);
    expect((await scene.load()).loaded).to.deep.equal([HOUR]);
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: countOf(HOUR) });
  });

  it('empties an hour that is empty now', async () => {
    await scene.export(START, END);
    await scene.load();
    scene.simulator.faults.push(parseFault(`empty-hour@${HOUR}`));
    await scene.export(HOUR, '2026-03-04T10', ['--force=empty']);
    await scene.load();
    expect(await hourOf()).to.include({ STATUS: 'ok', MANIFEST_EVENTS: 0, ROWS_LANDED: 0, ROWS_TYPED: 0 });
  });

  it('shows analysts one row for each uuid, the newest, and every row without one', async () => {
    await scene.export(START, END);
    const key = `${folder}/100011471_2026-03-04T09_0.2.0badcafe.json`;
    const lines = ['{"uuid":"a","event_type":"old"}', '{"uuid":null}', '{"event_type":"none"}', '{"uuid":"b"}'];
    await land(key, [...lines, '{"uuid":"b"}']);
    await scene.load();
    const later = 'events/date=2026-03-04/hour=11/100011471_2026-03-04T11_0.2.0badcafe.json';
    await land(later, ['{"uuid":"a","event_type":"new"}', '{}'], '2026-03-04T11');
    await scene.load();
    const rows = await scene.query(
      `SELECT uuid, event_type FROM events_deduplicated WHERE hour IN ('${HOUR}', '2026-03-04T11')`,
    );
    const row = (UUID: string | null, EVENT_TYPE: string | null = null) => ({ UUID, EVENT_TYPE });
    expect(rows).to.have.deep.members([row('a', 'new'), row(null), row(null, 'none'), row('b'), row(null)]);
    expect(await hourOf()).to.include({ STATUS: 'ok', ROWS_LANDED: 5, DISTINCT_UUIDS: 2 });
  });

  /** Puts an hour of one object in place of what is there. */
  async function land(key: string, lines: readonly string[], hour = HOUR): Promise<void> {
    const manifest = await scene.manifest(hour);
    const object = { ...manifest.objects[0], key, events: lines.length, crc32: '0badcafe' };
    await scene.put(key, `${lines.join('\n')}\n`);
    const sealed = { ...manifest, events: lines.length, objects: [object] };
    await scene.put(`manifests/${hourFolder(readHour(hour))}.json`, JSON.stringify(sealed));
  }
});
