import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseFault } from '../../../src/simulator/simulator.ts';
import { needs } from '../../support/needs.ts';
import { Scene, snowflakeUrl } from '../snowflake/scene.ts';
import { Dbt, onSnowflake } from './dbt.ts';

const START = '2026-03-03';
const END = '2026-03-04';

describe('the tables of dbt over a bucket, and on Snowflake', function () {
  this.timeout(300_000);
  let work: string;
  let scene: Scene;
  let events: number;

  before(async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    work = await mkdtemp(join(tmpdir(), 'dbt-'));
    scene = await Scene.open(snowflakeUrl(this), { eventsPerHour: 40 });
    ({ events } = await scene.export(START, END));
    await scene.load();
  });

  after(async () => {
    await scene?.close();
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  it('are the same on both engines, also after a change and a run that died; the sealed day lies in the bucket as Parquet', async () => {
    const duckdb = await Dbt.open(`s3://${scene.bucket}/amplitude`, work, { recent_days: 9999 });
    expect(await duckdb.build()).to.match(/ERROR=0/);
    expect(await duckdb.query('SELECT date, events FROM parquet_days')).to.deep.equal([{ date: START, events }]);

    const { hostname: host, port } = new URL(scene.url);
    const output = {
      type: 'snowflake',
      account: 'fakesnow',
      user: 'any',
      password: 'any',
      host,
      port: Number(port),
      protocol: 'http',
    };
    const place = { role: 'any', warehouse: 'any', database: scene.database, schema: 'analytics', threads: 1 };
    const profiles = { amplitude: { target: 'snowflake', outputs: { snowflake: { ...output, ...place } } } };
    await writeFile(`${work}/profiles.yml`, JSON.stringify(profiles));
    const env = {
      SNOWFLAKE_DATABASE: scene.database,
      DBT_TARGET_PATH: `${work}/snowflake`,
      DBT_LOG_PATH: `${work}/logs`,
    };
    // The stand-in takes the text '$insert_id' for a path.
    const build = async () => await onSnowflake(work, env, 'build', '--exclude', 'property_hours+');
    expect(await build()).to.match(/ERROR=0/);
    await expectSame(duckdb);

    // An hour lands again. The first run after that dies when it has deleted rows: on Snowflake no transaction brings them back.
    const hour = '2026-03-03T09';
    scene.simulator.faults.push(parseFault(`grown@${hour}`));
    await scene.export(hour, '2026-03-03T10', ['--force']);
    await scene.load();
    const tables = `${scene.database}.analytics`;
    await scene.query(
      `CREATE TABLE ${tables}.events_touched AS SELECT event_key FROM ${tables}.events WHERE hour >= '${hour}'`,
    );
    await scene.query(
      `DELETE FROM ${tables}.events WHERE event_key IN (SELECT event_key FROM ${tables}.events_touched)`,
    );
    expect(await build()).to.match(/ERROR=0/);
    await duckdb.build();
    await expectSame(duckdb);

    // Merged IDs beside the events: DuckDB reads them, the load leaves them.
    const [ann, bob] = await duckdb.query<{ id: string }>(
      'SELECT amplitude_id::VARCHAR AS id FROM persons WHERE person = amplitude_id ORDER BY amplitude_id LIMIT 2',
    );
    const key = 'events/date=2026-03-03/hour=09/36958_2026-03-03T09_0.1.0badcafe.json';
    await scene.put(`merged_ids/${key}`, `{"amplitude_id":${ann?.id},"merged_amplitude_id":${bob?.id}}\n`);
    const manifest = {
      date: '2026-03-03',
      hour: '09',
      events: 1,
      objects: [{ key }],
      sealedAt: '2026-03-20T00:00:00Z',
    };
    await scene.put('merged_ids/manifests/date=2026-03-03/hour=09.json', JSON.stringify(manifest));
    await duckdb.build();
    const person = `SELECT person::VARCHAR AS id FROM persons WHERE amplitude_id = ${ann?.id}`;
    expect(await duckdb.query(person)).to.deep.equal([{ id: bob?.id }]);
  });

  async function expectSame(duckdb: Dbt): Promise<void> {
    for (const [name, columns] of Object.entries({
      events:
        'hour, uuid, event_type, event_time::VARCHAR AS at, amplitude_id::VARCHAR AS id, session_id::VARCHAR AS session',
      events_daily: 'event_date::VARCHAR AS day, event_type, events, amplitude_ids, sessions, first_hour, last_hour',
      sessions: 'amplitude_id::VARCHAR AS id, session_id::VARCHAR AS session, seconds, events, first_hour, last_hour',
      persons: 'amplitude_id::VARCHAR AS id, person::VARCHAR AS person',
      users: 'amplitude_id::VARCHAR AS id, user_id, amplitude_ids, events::INTEGER AS events',
      event_compat: 'unique_event_id, session_event_number, user_event_number, events_per_session, user_session_number',
    })) {
      const text = (rows: readonly object[]) => rows.map((row) => JSON.stringify(Object.values(row))).sort();
      const there = await scene.query<object>(`SELECT ${columns} FROM ${scene.database}.analytics.${name}`);
      expect(there, name).not.to.have.length(0);
      expect(text(await duckdb.query<object>(`SELECT ${columns} FROM ${name}`)), name).to.deep.equal(text(there));
    }
  }

  it('are valid for Snowflake by the profile of the project', async () => {
    const env = { SNOWFLAKE_ACCOUNT: 'org-account', DBT_TARGET_PATH: `${work}/parsed`, DBT_LOG_PATH: `${work}/logs` };
    expect(await onSnowflake('', env, 'parse')).not.to.match(/error/i);
  });
});
