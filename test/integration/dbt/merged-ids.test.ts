import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { hourFolder, readHour } from '../../../src/hours.ts';
import { Dbt } from './dbt.ts';
import { expectAsFromNothing } from './law.ts';

/** The hours are long past. */
const RECENT = { recent_days: 9999 };
const HOUR = '2026-03-03T09';
/** Above 2^53: a number that loses digits on its way is another id. */
const ID = 9_223_372_036_854_770_000n;

const event = (id: bigint, user: string | null, into: bigint | null = null) =>
  `{"uuid":"u${id}","event_type":"x","event_time":"2026-03-03 09:00:00","server_upload_time":"2026-03-03 09:00:00",` +
  `"amplitude_id":${id},"user_id":${JSON.stringify(user)},"session_id":-1,"data":{"merged_amplitude_id":${into}}}`;

const merge = (id: bigint, into: bigint, at: number) =>
  `{"scope":36958,"merge_time":${at - 500},"merge_server_time":${at},"amplitude_id":${id},"merged_amplitude_id":${into}}`;

describe('merged IDs, beside the landing of the events', function () {
  this.timeout(300_000);
  let work: string;
  let landing: string;
  let merged: string;
  let dbt: Dbt;
  let generation = 1;

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'dbt-'));
    landing = `${work}/landing`;
    merged = `${landing}/merged_ids`;
    dbt = await Dbt.open(landing, work, RECENT);
    await seal(landing, HOUR, [event(ID + 1n, null, ID + 2n), event(ID + 2n, 'ann'), event(ID + 3n, null)]);
  });

  after(async () => await rm(work, { recursive: true, force: true }));

  /** An hour of one object, or of none, as the program lands it. */
  async function seal(root: string, hour: string, lines: readonly string[], gzip = false): Promise<void> {
    const name = `36958_${hour}_0.${generation++}.0badcafe.json${gzip ? '.gz' : ''}`;
    const key = `events/${hourFolder(readHour(hour))}/${name}`;
    const text = `${lines.join('\n')}\n`;
    const [date, of] = hour.split('T');
    const objects = lines.length === 0 ? [] : [{ key, events: lines.length }];
    const manifest = { version: 1, date, hour: of, project: '36958', events: lines.length, objects };
    await put(`${root}/${key}`, gzip ? gzipSync(text) : text);
    await put(
      `${root}/manifests/${hourFolder(readHour(hour))}.json`,
      JSON.stringify({ ...manifest, sealedAt: '2026-03-20T00:00:00Z' }),
    );
  }

  async function put(path: string, body: string | Buffer): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, body);
  }

  /** Each person, by the last digit of the ids: `3: 1 2 3 ann`. */
  async function persons(): Promise<string[]> {
    const rows = await dbt.query<{ text: string }>(`SELECT
      u.amplitude_id - ${ID} || ': ' || string_agg(p.amplitude_id - ${ID}, ' ' ORDER BY p.amplitude_id) || coalesce(' ' || u.user_id, '')
      AS text FROM users AS u JOIN persons AS p ON u.amplitude_id = p.person
      GROUP BY u.amplitude_id, u.user_id, u.amplitude_ids HAVING count(*) = u.amplitude_ids`);
    return rows.map(({ text }) => text).sort();
  }

  async function expectPersons(...expected: readonly string[]): Promise<void> {
    await dbt.build();
    expect(await persons()).to.deep.equal(expected);
    await expectAsFromNothing(dbt, landing, work, RECENT);
  }

  it('are not needed: without them, events say what was merged', async () => {
    await expectPersons('2: 1 2 ann', '3: 3');
  });

  it('make one person of ids whose events say nothing, from the first file on', async () => {
    await seal(merged, HOUR, [merge(ID + 2n, ID + 3n, 1000), merge(ID + 77n, ID + 78n, 1000)]);
    await put(
      `${merged}/events/${hourFolder(readHour(HOUR))}/36958_${HOUR}_1.1.0badcafe.json`,
      merge(ID + 3n, ID, 9000),
    );
    await expectPersons('3: 1 2 3 ann');
  });

  it('count more than what events say, and the latest merge of an id counts, whenever it lands', async () => {
    await seal(merged, '2026-03-03T11', [merge(ID + 1n, ID + 9n, 3000)], true);
    await expectPersons('3: 2 3 ann', '9: 1');
    await seal(merged, '2026-03-03T12', [merge(ID + 1n, ID + 8n, 2000), merge(ID + 9n, ID + 7n, 100)], true);
    await expectPersons('3: 2 3 ann', '7: 1');
  });

  it('go with an hour that lands again, one that becomes empty, and one whose events are new', async () => {
    await seal(merged, '2026-03-03T11', [merge(ID + 3n, ID + 1n, 3000)]);
    await seal(merged, '2026-03-03T12', []);
    await seal(landing, '2026-03-04T00', [event(ID + 9n, 'bob')]);
    await expectPersons('1: 1 2 3 ann', '9: 9 bob');
  });

  it('let the query of docs/analytics.md count persons', async () => {
    const page = await readFile(resolve(import.meta.dirname, '../../../docs/analytics.md'), 'utf8');
    const [, sql = ''] = /^## Who is one person\n.*?```sql\n(.*?)```/ms.exec(page) ?? [];
    expect(await dbt.query(sql)).to.deep.equal([{ event_date: '2026-03-03', ids: 4, persons: 2 }]);
  });

  it('warn of a line that names no two ids, and fail where an hour does not have what its manifest counts', async () => {
    await seal(merged, '2026-03-04T00', ['{bad', `{"amplitude_id":${ID + 9n}}`]);
    const said = await dbt.build();
    expect(said).to.match(/WARN 1 not_null_merged_ids_amplitude_id/);
    expect(said).to.match(/WARN 2 not_null_merged_ids_merged_amplitude_id/);
    const [key] = await dbt.query<{ key: string }>(
      "SELECT objects[1] AS key FROM merged_hours WHERE hour >= '2026-03-04'",
    );
    await put(`${merged}/${key?.key}`, `${merge(ID + 9n, ID, 1)}\n`);
    const failed = await dbt.build('--full-refresh').catch((error: Error) => error);
    expect(String(failed)).to.match(/Failure in test merged_hours_agree/);
  });

  it('are gone with their manifests', async () => {
    await rm(merged, { recursive: true });
    await expectPersons('2: 1 2 ann', '3: 3', '9: 9 bob');
  });
});
