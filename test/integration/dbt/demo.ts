import { mkdir, readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { startSimulator } from '../../../src/simulator/simulator.ts';
import { type ExportReport, runProgram } from '../../support/program.ts';
import { Dbt } from './dbt.ts';

/** Three simulated days, from the export to the answers of docs/analytics.md, which shows the same. */
const NOW = '2026-03-20T00:00:00Z';
const [START, END] = ['2026-03-02', '2026-03-05'];
const FOLDER = resolve('data/analytics');
const PAGE = resolve(import.meta.dirname, '../../../docs/analytics.md');

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
const page = await readFile(PAGE, 'utf8');
for (const [, question = '', sql = ''] of page.matchAll(/^### ([^\n]*)\n\n```sql\n(.*?)```$/gms)) {
  print(`\n${question}\n`);
  print((await dbt.show(sql)).trimEnd());
}
const [counts] = await dbt.query<{ manifests: number; events: number }>(
  'SELECT (SELECT sum(events)::BIGINT FROM hours) AS manifests, (SELECT count(*) FROM stg_events) AS events',
);
const agree = counts !== undefined && counts.manifests === events && counts.events === events;
print(`\nThe export, the manifests and the tables ${agree ? `agree: ${events} events` : 'do not agree'}.`);
print(`The tables are in ${FOLDER}/analytics.duckdb, Parquet in ${FOLDER}/landing/tables/events.`);
process.exitCode = agree ? 0 : 1;
