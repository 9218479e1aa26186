import { cpSync, rmSync } from 'node:fs';
import { expect } from 'chai';
import { Dbt } from './dbt.ts';

/** What is the same however the tables came to be. A line without a uuid gets a new key with each read. */
const TABLES: Readonly<Record<string, string>> = {
  events:
    "* EXCLUDE (applied_at, event_key) REPLACE (array_to_string(nulled, ',') AS nulled, array_to_string(unseen, ',') AS unseen)",
  sessions: '*',
  events_daily: '*',
  amplitude_ids: '*',
  merged_hours: 'hour, content',
  merged_ids: '* EXCLUDE (applied_at)',
  persons: '*',
  users: '*',
  property_hours: '*',
  event_properties: '*',
  unseen_fields: '*',
  parquet_days: 'date, events',
};

/** Every table as text, row by row. */
export async function tables(of: Dbt): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {};
  for (const [name, columns] of Object.entries(TABLES)) {
    const rows = await of.query(`SELECT ${columns} FROM ${name}`);
    all[name] = rows.map((row) => JSON.stringify(row)).sort();
  }
  return all;
}

/** The law: what a run changes is what a build of everything from nothing would give. Leaves that build in `work`/fresh. */
export async function expectAsFromNothing(dbt: Dbt, landing: string, work: string, vars: object): Promise<void> {
  const fresh = `${work}/fresh`;
  rmSync(fresh, { recursive: true, force: true });
  cpSync(landing, `${fresh}/landing`, { recursive: true, filter: (path) => !path.includes('/tables') });
  const again = await Dbt.open(`${fresh}/landing`, fresh, vars);
  await again.build();
  expect(await tables(dbt)).to.deep.equal(await tables(again));
  const parquet = (root: string) =>
    `SELECT hour, uuid, event_time, amplitude_id, event_properties FROM read_parquet('${root}/tables/events/*/*.parquet') ORDER BY ALL`;
  const days = await dbt.query('SELECT date FROM parquet_days');
  if (days.length === 0) return;
  expect(await dbt.query(parquet(landing))).to.deep.equal(await again.query(parquet(`${fresh}/landing`)));
}
