import { parseFault } from '../../../src/simulator/simulator.ts';
import { startS3Server } from '../../support/s3-server/server.ts';
import { type Agreement, hourText, Scene } from './scene.ts';
import { startStandIn } from './stand-in.ts';

/** The whole path on stand-ins, as a person would walk it: simulator, export, S3, set-up, load, reconciliation. */
const START = '2026-03-04T06';
const HOURS = 12;
const END = hourText(START, HOURS);
const REPLACED = hourText(START, 3);

const print = (line = '') => void process.stdout.write(`${line}\n`);

function table(rows: readonly Agreement[]): void {
  const columns = Object.keys(rows[0] ?? {}) as (keyof Agreement)[];
  const text = (row: Agreement, column: keyof Agreement) => String(row[column]);
  const width = (column: keyof Agreement) => Math.max(column.length, ...rows.map((row) => text(row, column).length));
  print(columns.map((column) => column.toLowerCase().padEnd(width(column))).join('  '));
  for (const row of rows) {
    const pad = (column: keyof Agreement) =>
      typeof row[column] === 'number'
        ? text(row, column).padStart(width(column))
        : text(row, column).padEnd(width(column));
    print(columns.map(pad).join('  '));
  }
}

async function walk(scene: Scene): Promise<number> {
  print(`Set up: ${scene.database}.amplitude, from s3://${scene.bucket}/amplitude`);
  scene.simulator.faults.push(
    parseFault(`too-large@${hourText(START, 5)}`),
    parseFault(`bad-line@${hourText(START, 1)}`),
    parseFault(`bad-json@${hourText(START, 2)}`),
  );
  const first = await scene.export(START, END);
  print(
    `Exported: ${first.hours.sealed.length} hours, ${first.events} events, ${first.quarantined} line in quarantine`,
  );
  print(
    `Loaded: ${(await scene.load()).loaded.length} hours with events; a gap: ${first.hours.failed.map(({ hour }) => hour)}`,
  );
  scene.simulator.faults.length = 0;
  const second = await scene.export(START, END, [], { OUTPUT_FORMAT: 'gzip' });
  print(`Exported: the gap, ${second.events} events, as gzip`);
  print(`Loaded: ${(await scene.load()).loaded.join(', ')}`);
  scene.simulator.faults.push(parseFault(`grown@${REPLACED}`));
  await scene.export(REPLACED, hourText(REPLACED, 1), ['--force']);
  print(`Replaced: ${REPLACED}, one object more`);
  print(`Loaded: ${(await scene.load()).loaded.join(', ')}`);
  print(`Loaded: ${(await scene.load()).loaded.length} hours, for nothing is due any more`);
  print();
  const rows = await scene.reconciliation();
  table(rows);
  print();
  const differences = rows.filter(({ STATUS, DIFFERENCE }) => STATUS !== 'ok' || DIFFERENCE !== 0).length;
  print(
    `${rows.length} hours, ${rows.reduce((sum, row) => sum + row.MANIFEST_EVENTS, 0)} events, ${differences} differences`,
  );
  return differences === 0 && rows.length === HOURS ? 0 : 1;
}

/** In the Snowflake and S3 that the environment names; where it names none, in stand-ins that end with this program. */
async function places(): Promise<{ url: string; bucket?: string; close(): Promise<void> }> {
  if (process.env.SNOWFLAKE_URL) {
    return { url: process.env.SNOWFLAKE_URL, close: async () => undefined };
  }
  const bucket = 'snowflake-demo';
  const s3 = await startS3Server({ buckets: [bucket] });
  const keys = { AWS_ENDPOINT_URL_S3: s3.url, AWS_ACCESS_KEY_ID: 'testak', AWS_SECRET_ACCESS_KEY: 'testsecret' };
  Object.assign(process.env, keys);
  const standIn = await startStandIn(keys);
  return {
    url: standIn.url,
    bucket,
    async close() {
      standIn.close();
      await s3.close();
    },
  };
}

const { url, bucket, close } = await places();
try {
  const now = () => new Date('2026-03-20T00:00:00Z');
  const scene = await Scene.open(url, { eventsPerHour: 200, now, ...(bucket === undefined ? {} : { bucket }) });
  process.exitCode = await walk(scene).finally(() => scene.close());
} finally {
  await close();
}
