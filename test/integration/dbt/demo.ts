import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { startSimulator } from '../../../src/simulator/simulator.ts';
import { type ExportReport, runProgram } from '../../support/program.ts';
import { Dbt } from './dbt.ts';

/** Three simulated days, from the export to answers. They are always the same, so docs/analytics.md shows what comes out. */
const NOW = '2026-03-20T00:00:00Z';
const [START, END] = ['2026-03-02', '2026-03-05'];
const FOLDER = resolve('data/analytics');

/** The questions of docs/analytics.md, by their headings there. */
const QUESTIONS = {
  'Events by day and type': `SELECT event_date, event_type, events, amplitude_ids AS users FROM events_daily
    WHERE event_date BETWEEN '2026-03-02' AND '2026-03-04' ORDER BY event_date, events DESC LIMIT 12`,
  Sessions: `SELECT CAST(started_at AS DATE) AS day, count(*) AS sessions, round(avg(events), 2) AS events_each,
    round(median(seconds) / 60, 1) AS median_minutes FROM sessions GROUP BY day ORDER BY day`,
  'The ten commonest properties': `SELECT key, string_agg(DISTINCT type, ', ' ORDER BY type) AS types, sum(events)::BIGINT AS events,
    round(100 * sum(share), 1) AS percent FROM event_properties WHERE place = 'event_properties'
    GROUP BY key ORDER BY events DESC, key LIMIT 10`,
  'Counts that agree': `SELECT h.date, sum(h.events)::BIGINT AS in_manifests, sum(s.events)::BIGINT AS staged,
    any_value(p.events) AS in_parquet FROM hours AS h
    LEFT JOIN (SELECT hour, count(*) AS events FROM stg_events GROUP BY hour) AS s ON h.hour = s.hour
    LEFT JOIN parquet_days AS p ON h.date = p.date GROUP BY h.date ORDER BY h.date`,
};

const print = (line = '') => void process.stdout.write(`${line}\n`);

await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
const simulator = await startSimulator({ eventsPerHour: 200, now: () => new Date(NOW) });
const exported = await runProgram(['export', '--json', '--start', START, '--end', END], {
  AMPLITUDE_BASE_URL: simulator.url,
  AMPLITUDE_API_KEY: 'simulator-key',
  AMPLITUDE_SECRET_KEY: 'simulator-secret',
  DESTINATION: `${FOLDER}/landing`,
}).finally(() => simulator.close());
const { hours, events } = exported.report<ExportReport>();
print(`Exported: ${hours.sealed.length + hours.empty.length} hours, ${events} events, to ${FOLDER}/landing`);

const dbt = await Dbt.open(`${FOLDER}/landing`, FOLDER);
const said = await dbt.build();
print(
  `dbt: ${said
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^.*Done\. /, '')}`,
);
for (const [title, sql] of Object.entries(QUESTIONS)) {
  print(`\n${title}`);
  print((await dbt.show(sql)).trimEnd());
}
const [counts] = await dbt.query<{ manifests: number; events: number }>(
  'SELECT (SELECT sum(events)::BIGINT FROM hours) AS manifests, (SELECT count(*) FROM stg_events) AS events',
);
const agree = counts !== undefined && counts.manifests === events && counts.events === events;
print(`\nThe export, the manifests and the tables ${agree ? `agree: ${events} events` : 'do not agree'}.`);
print(`The tables are in ${FOLDER}/analytics.duckdb, Parquet in ${FOLDER}/landing/tables/events.`);
process.exitCode = agree ? 0 : 1;
