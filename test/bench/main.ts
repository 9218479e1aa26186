// Our program beside a reference pipeline, on the same archive into the same S3 server, in turns.
//   BENCH_ARCHIVE         a zip of members <project>/<project>_<date>_<hour>#<part>.json.gz; else one of 24 members is made
//   BENCH_REFERENCE       command line of the reference, which gets EXPORT_URL and BUCKET as its last two arguments
//   BENCH_ROUNDS          3; the median counts
//   BENCH_SERVER_PID      the S3 server's process, for its CPU time
//   AWS_ENDPOINT_URL_S3   an S3 server, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; else the tests' own is started
// Reads /proc: Linux only.
import { createReadStream, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { makeArchive, readArchiveFacts } from './archive.ts';
import { BenchBucket, type Landed } from './bucket.ts';
import { cpuS, type Measured, measure, startServer } from './measure.ts';
import { type Row, resultTable, stageTable } from './table.ts';

interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

const ROOT = resolve(import.meta.dirname, '../..');
const SERVE = join(import.meta.dirname, 'serve.ts');

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { BENCH_REFERENCE: reference, BENCH_ROUNDS = '3' } = process.env;
  const rounds = Number(BENCH_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`BENCH_ROUNDS is "${BENCH_ROUNDS}", not a number of rounds`);
  const archive = await theArchive();
  const facts = await readArchiveFacts(archive);
  const bucketName = `bench-${process.pid}`;
  const s3 = await theS3Server(bucketName);
  const exporter = await startServer([SERVE, 'archive', archive]);
  const bucket = new BenchBucket(bucketName, s3.url, s3.credentials);
  await bucket.make();
  try {
    // Both are to find the archive in the page cache, and neither to find the other's objects.
    await finished(createReadStream(archive, { highWaterMark: 1 << 20 }).resume());
    await bucket.empty();

    const servers = {
      ...process.env,
      AMPLITUDE_API_KEY: 'bench-key',
      AMPLITUDE_SECRET_KEY: 'bench-secret',
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      AWS_REGION: process.env.AWS_REGION ?? 'us-east-1',
      AWS_DEFAULT_REGION: process.env.AWS_REGION ?? 'us-east-1',
    };
    const ours = (format: string): Program => ({
      name: `amplitude-to-s3 ${format}`,
      command: process.execPath,
      args: [join(ROOT, 'dist/main.js'), 'export', '--json'],
      env: {
        ...servers,
        AMPLITUDE_BASE_URL: exporter.url,
        DESTINATION: `s3://${bucketName}/amplitude`,
        EXPORT_START: facts.start,
        EXPORT_END: facts.end,
        OUTPUT_FORMAT: format,
        LOG_LEVEL: 'warn',
      },
    });
    const programs = [ours('json'), ours('gzip')];
    if (reference !== undefined && reference !== '') {
      const line = `exec ${reference} "$@"`;
      const url = `${exporter.url}/api/2/export?start=${facts.start}&end=${facts.end}`;
      programs.unshift({ name: 'reference', command: 'sh', args: ['-c', line, 'sh', url, bucketName], env: servers });
    }
    const rows = await runInTurns(programs, rounds, bucket, s3.pid);

    const mib = (facts.memberBytes / 2 ** 20).toFixed(0);
    process.stdout.write(`${facts.members} members, ${mib} MiB as Amplitude compresses them; S3 server: ${s3.what}; `);
    process.stdout.write(`median of ${rounds}, ${process.version}\n\n`);
    process.stdout.write(
      `${resultTable(
        rows,
        rows.find(({ program }) => program === 'reference'),
      )}\n`,
    );
    const stages = stageTable(rows);
    if (stages !== '')
      process.stdout.write(`\nTime by stage, of all that run at once, and share of their sum:\n${stages}\n`);
    process.stdout.write(`\n${sameLanded(rows, facts)}\n`);
  } finally {
    await bucket.remove();
    exporter.child.kill();
    s3.stop();
  }
}

async function runInTurns(
  programs: readonly Program[],
  rounds: number,
  bucket: BenchBucket,
  serverPid: number | undefined,
): Promise<Row[]> {
  const rows = programs.map(({ name }) => ({
    program: name,
    runs: [] as (Measured & { serverCpuS: number | undefined })[],
    landed: new Map() as Landed,
  }));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < programs.length; turn++) {
      const index = (round + turn) % programs.length;
      const [program, row] = [programs[index], rows[index]];
      if (program === undefined || row === undefined) continue;
      const serverBefore = serverPid === undefined ? undefined : cpuS(serverPid);
      const measured = await measure(program.command, program.args, program.env);
      const serverCpuS =
        serverBefore === undefined || serverPid === undefined ? undefined : cpuS(serverPid) - serverBefore;
      row.runs.push({ ...measured, serverCpuS });
      row.landed = await bucket.landed();
      await bucket.empty();
      say(
        `round ${round + 1} of ${rounds}: ${program.name} ${measured.wallS.toFixed(1)} s, CPU ${measured.cpuS.toFixed(1)} s`,
      );
    }
  }
  return rows;
}

/** One line that says whether the programs landed the same; throws where they did not. */
function sameLanded(rows: readonly Row[], facts: { members: number; memberBytes: number }): string {
  const sum = ({ landed }: Row) => [...landed.values()].reduce((total, bytes) => total + bytes, 0);
  for (const row of rows) {
    if (row.landed.size !== facts.members) {
      throw new Error(`${row.program} landed ${row.landed.size} objects of ${facts.members} members`);
    }
    if (row.program.endsWith('gzip') && sum(row) !== facts.memberBytes) {
      throw new Error(`${row.program} landed ${sum(row)} bytes of ${facts.memberBytes}`);
    }
  }
  const [first, ...others] = rows.filter(({ program }) => !program.endsWith('gzip'));
  for (const other of others) {
    for (const [name, bytes] of first?.landed ?? []) {
      if (other.landed.get(name) === bytes) continue;
      throw new Error(
        `${name}: ${first?.program} landed ${bytes} bytes, ${other.program} ${other.landed.get(name) ?? 'none'}`,
      );
    }
  }
  const same = others.length > 0 ? 'json is the same as the reference, object by object; ' : '';
  return `Landed: ${same}gzip has every member's bytes (names and sizes by listing).`;
}

async function theArchive(): Promise<string> {
  const { BENCH_ARCHIVE } = process.env;
  if (BENCH_ARCHIVE !== undefined && BENCH_ARCHIVE !== '') return BENCH_ARCHIVE;
  const path = join(tmpdir(), 'amplitude-to-s3-bench', 'day-24-members.zip');
  if (!existsSync(path)) {
    say(`making ${path}`);
    await makeArchive(path);
  }
  return path;
}

async function theS3Server(bucketName: string) {
  const { AWS_ENDPOINT_URL_S3: url, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, BENCH_SERVER_PID } = process.env;
  if (url === undefined || url === '') {
    const server = await startServer([SERVE, 's3', bucketName]);
    const credentials = { accessKeyId: 'bench-key', secretAccessKey: 'bench-secret' };
    return { ...server, credentials, what: "the tests' own", stop: () => void server.child.kill() };
  }
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID ?? '', secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '' };
  const pid = BENCH_SERVER_PID === undefined || BENCH_SERVER_PID === '' ? undefined : Number(BENCH_SERVER_PID);
  if (pid !== undefined && !existsSync(`/proc/${pid}/stat`)) {
    throw new Error(`BENCH_SERVER_PID is "${BENCH_SERVER_PID}", not the number of a process that runs`);
  }
  return { url, pid, credentials, what: url, stop: () => undefined };
}

await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
