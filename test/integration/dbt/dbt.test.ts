import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { formatHour, hourFolder, readHour } from '../../../src/hours.ts';
import type { Manifest } from '../../../src/landing/manifest.ts';
import { parseFault, type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { type ExportReport, runProgram } from '../../support/program.ts';
import { Dbt } from './dbt.ts';
import { expectAsFromNothing as asFromNothing, tables } from './law.ts';

const START = '2026-03-02';
const END = '2026-03-04';
const HOUR = '2026-03-03T09';
/** The simulated days are long past. */
const RECENT = { recent_days: 9999 };
describe('the tables of dbt over a landing in a folder', function () {
  this.timeout(300_000);
  let work: string;
  let landing: string;
  let simulator: Simulator;
  let dbt: Dbt;
  let generation = 9;

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'dbt-'));
    landing = `${work}/landing`;
    simulator = await startSimulator({ eventsPerHour: 40, now: () => new Date('2026-03-20T00:00:00Z') });
    dbt = await Dbt.open(landing, work, RECENT);
    await exportHours(START, END);
    await dbt.build();
  });

  after(async () => {
    await simulator?.close();
    await rm(work, { recursive: true, force: true });
  });

  async function exportHours(start: string, end: string, args: readonly string[] = []): Promise<ExportReport> {
    const ended = await runProgram(['export', '--json', '--start', start, '--end', end, ...args], {
      AMPLITUDE_BASE_URL: simulator.url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      DESTINATION: landing,
      EXPORT_BACKOFF_MS: '1',
    });
    return ended.report<ExportReport>();
  }

  /** Asks for the hour again, with this fault of the API. */
  async function replace(hour: string, fault: string, force = '--force'): Promise<void> {
    simulator.faults.splice(0, Infinity, parseFault(`${fault}@${hour}`));
    await exportHours(hour, formatHour(readHour(hour) + 1), [force]);
    simulator.faults.length = 0;
  }

  const fileOf = (hour: string) => `${landing}/manifests/${hourFolder(readHour(hour))}.json`;

  /** Puts an hour of one object in place of what is there. */
  async function land(hour: string, lines: readonly string[]): Promise<void> {
    const manifest = JSON.parse(await readFile(fileOf(hour), 'utf8')) as Manifest;
    const name = `100011471_${hour}_0.${generation++}.0badcafe.json`;
    const key = `events/${hourFolder(readHour(hour))}/${name}`;
    await mkdir(join(landing, key, '..'), { recursive: true });
    await writeFile(`${landing}/${key}`, `${lines.join('\n')}\n`);
    const sealed = {
      ...manifest,
      events: lines.length,
      objects: [{ ...manifest.objects[0], key, events: lines.length }],
    };
    await writeFile(fileOf(hour), JSON.stringify(sealed));
  }

  const expectAsFromNothing = async () => await asFromNothing(dbt, landing, work, RECENT);

  const manifested = async () => (await dbt.query<{ n: number }>('SELECT sum(events)::BIGINT AS n FROM hours'))[0]?.n;

  it('have every event that the manifests count, typed, and each sealed day as Parquet', async () => {
    const [counts] =
      await dbt.query(`SELECT count(*) AS events, count(DISTINCT uuid) AS uuids, count(event_time) AS times,
      count(amplitude_id) AS ids, sum(len(nulled))::BIGINT AS nulled FROM events`);
    const events = await manifested();
    expect(events).to.be.above(0);
    expect(counts).to.deep.equal({ events, uuids: events, times: events, ids: events, nulled: 0 });
    const days = await dbt.query<{ date: string; n: number }>(`SELECT date, count(*) AS n
      FROM read_parquet('${landing}/tables/events/*/*.parquet', hive_partitioning = true) GROUP BY date ORDER BY date`);
    expect(days.map(({ date }) => date)).to.deep.equal(['2026-03-02', '2026-03-03']);
    expect(days.reduce((sum, { n }) => sum + n, 0)).to.equal(events);
    // 19 digits, as Amplitude sent them.
    const [ids] = await dbt.query(`SELECT count(*) AS n FROM events
      WHERE event_type = 'Order Completed' AND NOT regexp_matches(event_properties->>'$.order_id', '^[0-9]{19}$')`);
    expect(ids).to.deep.equal({ n: 0 });
  });

  it('describe every column', async () => {
    const { nodes } = JSON.parse(readFileSync(`${work}/target/manifest.json`, 'utf8')) as {
      nodes: Record<string, { resource_type: string; name: string; columns: Record<string, { description: string }> }>;
    };
    const models = Object.values(nodes).filter(({ resource_type }) => resource_type === 'model');
    expect(models).to.have.length(15);
    for (const { name, columns } of models) {
      const rows = await dbt.query<{ column_name: string }>(`SELECT column_name FROM (DESCRIBE ${name})`);
      const described = Object.entries(columns).flatMap(([column, { description }]) =>
        description === '' ? [] : [column],
      );
      expect(described, name).to.have.members(rows.map(({ column_name }) => column_name));
    }
  });

  it('change nothing where nothing landed', async () => {
    const before = await tables(dbt);
    const runs = 'SELECT DISTINCT applied_at::VARCHAR AS at FROM events';
    const [first] = await dbt.query(runs);
    const parquet = `${landing}/tables/events/date=2026-03-02/events.parquet`;
    const { mtimeMs } = await stat(parquet);
    await dbt.build();
    expect(await tables(dbt)).to.deep.equal(before);
    expect(await dbt.query(runs)).to.deep.equal([first]);
    expect((await stat(parquet)).mtimeMs).to.equal(mtimeMs);
  });

  it('change the rows of an hour that landed again and of no other hour, and the Parquet of its day alone', async () => {
    const other = `${landing}/tables/events/date=2026-03-02/events.parquet`;
    const { mtimeMs } = await stat(other);
    for (const [fault, force] of [['grown'], ['shrunk'], ['empty-hour', '--force=empty']]) {
      await replace(HOUR, fault ?? '', force);
      await dbt.build();
      const touched = await dbt.query(
        `SELECT DISTINCT hour FROM events WHERE applied_at = (SELECT max(read_at) FROM hours)`,
      );
      expect(touched, fault).to.deep.equal(fault === 'empty-hour' ? [] : [{ hour: HOUR }]);
    }
    await replace(HOUR, 'blank-lines');
    await dbt.build();
    expect((await stat(other)).mtimeMs).to.equal(mtimeMs);
    await expectAsFromNothing();
  });

  it('keep one row of a uuid that two hours have, also when either lands again, and every row without one', async () => {
    const later = '2026-03-03T15';
    const event = (uuid: string | null, type: string) =>
      JSON.stringify({
        uuid,
        event_type: type,
        event_time: '2026-03-02 14:00:00.5',
        server_upload_time: '2026-03-02 14:00:01',
      });
    await land(HOUR, [
      event('a', 'first'),
      event(null, 'none'),
      event('b', 'first'),
      event('b', 'first'),
      '{bad json}',
    ]);
    await land(later, [event('a', 'second'), event(null, 'none'), event('b', 'second')]);
    await dbt.build();
    const rows = async () =>
      (
        await dbt.query<{ row: string }>(`SELECT concat_ws(' ', hour, uuid, event_type) AS row FROM events
        WHERE hour IN ('${HOUR}', '${later}') ORDER BY ALL`)
      ).map(({ row }) => row);
    expect(await rows()).to.deep.equal([`${HOUR} a first`, `${HOUR} b first`, `${HOUR} none`, `${later} none`]);
    await expectAsFromNothing();
    await land(HOUR, [event(null, 'none'), event('b', 'first')]);
    const said = await dbt.build();
    expect(await rows()).to.deep.equal([`${HOUR} b first`, `${HOUR} none`, `${later} a second`, `${later} none`]);
    expect(said).not.to.include('every_line_is_json (');
    await expectAsFromNothing();
  });

  it('warn of a line that is no JSON, count it, and read no object that no manifest names', async () => {
    await land(HOUR, [
      '{"uuid":"c","event_type":"x","event_time":"2026-03-02 14:00:00","server_upload_time":"2026-03-02 14:00:00","brand_new":1}',
      '{bad',
    ]);
    const folder = `${landing}/events/${hourFolder(readHour(HOUR))}`;
    await writeFile(`${folder}/100011471_${HOUR}_1.9.0badcafe.json`, '{"uuid":"of a run that was killed"}\n');
    expect(await readdir(folder)).to.include(`100011471_${HOUR}_1.9.0badcafe.json`);
    const said = await dbt.build();
    expect(said).to.match(/WARN 1 every_line_is_json/);
    expect(await dbt.query(`SELECT uuid FROM stg_events WHERE hour = '${HOUR}' ORDER BY ALL`)).to.deep.equal([
      { uuid: 'c' },
      { uuid: null },
    ]);
    expect(await dbt.query('SELECT key, events::INT AS events FROM unseen_fields')).to.deep.equal([
      { key: 'brand_new', events: 1 },
    ]);
  });

  it('go on after a run that died between two of them', async () => {
    await replace(HOUR, 'grown');
    await dbt.build('--select', 'hours', 'stg_events');
    await exportHours('2026-03-04', '2026-03-04T06');
    await dbt.build('--select', 'hours', 'stg_events', 'events', '--exclude', 'parquet_is_current');
    await dbt.build();
    await expectAsFromNothing();
  });

  it('fail where an hour does not have what its manifest counts, and name the test', async () => {
    const manifest = JSON.parse(await readFile(fileOf(HOUR), 'utf8')) as Manifest;
    await writeFile(fileOf(HOUR), JSON.stringify({ ...manifest, events: manifest.events + 1 }));
    const failed = await dbt.build().catch((error: Error) => error);
    expect(failed).to.be.instanceOf(Error);
    expect(String(failed)).to.match(/Failure in test hours_agree/);
    await writeFile(fileOf(HOUR), JSON.stringify(manifest));
    await dbt.build();
  });

  it('refuse a place where nothing has landed, and another landing than theirs', async () => {
    for (const [place, said] of [
      [`${work}/nothing`, /No manifest under .*nothing\/manifests\. Is DESTINATION the one of the export\?/],
      [`${work}/fresh/landing`, /The tables are of another DESTINATION: .*\/landing\./],
    ] as const) {
      const elsewhere = await Dbt.open(place, work, RECENT);
      const failed = await elsewhere.build().catch((error: Error) => error);
      expect(String(failed)).to.match(said);
    }
    expect(await dbt.build()).to.match(/ERROR=0/);
  });

  it('lose the hours whose manifests are gone, warn of an event without a time, and tell sessions of two users apart', async () => {
    const atOnce = (uuid: string, id: number) =>
      JSON.stringify({
        uuid,
        event_type: 'at once',
        event_time: '2026-03-03 09:00:00',
        server_upload_time: '2026-03-03 09:00:00',
        amplitude_id: id,
        session_id: 7,
      });
    const timeless = '{"uuid":"timeless","event_type":"x","server_upload_time":"2026-03-03 09:00:00"}';
    await land(HOUR, [timeless, atOnce('d', 1), atOnce('e', 2), atOnce('f', 2)]);
    for (const hour of [0, 1, 2, 3, 4, 5]) await rm(fileOf(`2026-03-04T0${hour}`));
    expect(await dbt.build()).to.match(/WARN 1 not_null_events_event_time/);
    expect(await dbt.query("SELECT hour FROM events WHERE hour >= '2026-03-04'")).to.deep.equal([]);
    // A session id is a time: two users can have the same.
    const daily = "SELECT events, amplitude_ids, sessions FROM events_daily WHERE event_type = 'at once'";
    expect(await dbt.query(daily)).to.deep.equal([{ events: 3, amplitude_ids: 2, sessions: 2 }]);
    await expectAsFromNothing();
  });

  it('answer five questions as docs/analytics.md shows them', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [resolve(import.meta.dirname, 'demo.ts')]);
    const page = await readFile(resolve(import.meta.dirname, '../../../docs/analytics.md'), 'utf8');
    const answers = [...page.matchAll(/```text\n(.*?)```/gs)].map(([, answer = '']) => answer.trimEnd());
    expect(answers).to.have.length(5);
    for (const answer of answers) expect(stdout).to.include(answer);
    expect(stdout).to.match(/tables agree: \d+ events/);
  });
});
