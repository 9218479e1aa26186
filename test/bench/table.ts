import type { Landed } from './bucket.ts';
import type { Measured } from './measure.ts';

/** One program's runs, in the order of the rounds. */
export interface Row {
  readonly program: string;
  readonly runs: readonly (Measured & { readonly serverCpuS: number | undefined })[];
  readonly landed: Landed;
}

/** The main table: every figure a median of the rounds, ratios of medians to the reference's. */
export function resultTable(rows: readonly Row[], reference: Row | undefined): string {
  const head = [
    'program',
    'wall s (min–max)',
    'CPU s',
    'peak MB',
    'server CPU s',
    'times as fast',
    'share of CPU',
    'objects',
    'bytes',
  ];
  const body = rows.map((row) => {
    const wall = medianOf(row, ({ wallS }) => wallS);
    const cpu = medianOf(row, ({ cpuS }) => cpuS);
    const walls = row.runs.map(({ wallS }) => wallS);
    const compared = reference !== undefined && row !== reference;
    return [
      row.program,
      `${wall.toFixed(1)} (${Math.min(...walls).toFixed(1)}–${Math.max(...walls).toFixed(1)})`,
      cpu.toFixed(1),
      medianOf(row, ({ peakMb }) => peakMb).toFixed(0),
      row.runs.some(({ serverCpuS }) => serverCpuS === undefined)
        ? '–'
        : medianOf(row, (run) => run.serverCpuS ?? 0).toFixed(1),
      compared ? (medianOf(reference, ({ wallS }) => wallS) / wall).toFixed(2) : '–',
      compared ? (cpu / medianOf(reference, (run) => run.cpuS)).toFixed(2) : '–',
      String(row.landed.size),
      String([...row.landed.values()].reduce((sum, bytes) => sum + bytes, 0)),
    ];
  });
  return align([head, ...body]);
}

/** Where our program's time goes, as its own report tells it for the run of median length; empty where it does not. */
export function stageTable(rows: readonly Row[]): string {
  const reported = rows.map((row) => ({ program: row.program, timings: timingsOf(medianRun(row).stdout) }));
  const stages = [...new Set(reported.flatMap(({ timings }) => Object.keys(timings)))];
  if (stages.length === 0) return '';
  const cells = reported
    .filter(({ timings }) => Object.keys(timings).length > 0)
    .map(({ program, timings }) => {
      const whole = Object.values(timings).reduce((sum, ms) => sum + ms, 0);
      const cell = (ms = 0) =>
        `${(ms / 1000).toFixed(1)} s ${whole === 0 ? '' : `${((100 * ms) / whole).toFixed(0)} %`}`;
      return [program, ...stages.map((stage) => cell(timings[stage]))];
    });
  return align([['program', ...stages.map((stage) => stage.replace(/Ms$/, ''))], ...cells]);
}

/** `timings` of our program's JSON report: milliseconds by stage. */
function timingsOf(stdout: string): Record<string, number> {
  try {
    const { timings = {} } = JSON.parse(stdout) as { timings?: Record<string, unknown> };
    const stages = Object.entries(timings).filter(([, value]) => typeof value === 'number');
    return Object.fromEntries(stages) as Record<string, number>;
  } catch {
    return {}; // the reference prints what it likes
  }
}

function medianRun({ runs }: Row): Row['runs'][number] {
  const sorted = runs.toSorted((a, b) => a.wallS - b.wallS);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new RangeError('no runs');
  return middle;
}

function medianOf({ runs }: Row, figure: (run: Row['runs'][number]) => number): number {
  const sorted = runs.map(figure).toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** Columns of equal width, the first to the left and figures to the right. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('   '),
    )
    .join('\n');
}
