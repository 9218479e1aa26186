import type { DryRunReport, ExportReport } from '../export/report.ts';
import { readHour, readyEnd, startOf } from '../hours.ts';
import type { StatusReport } from '../status/report.ts';
import { STATES } from '../status/state.ts';

/** A run that has ended, as metrics tell it. */
export interface RunEnd {
  readonly command: string;
  readonly destination: string;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly exitCode: number;
  /** The document of `--json`; undefined where the run failed before there was one. */
  readonly report: object | undefined;
}

/** What is read of the report of `adopt`. */
interface AdoptReport {
  readonly command: 'adopt';
  readonly lastLanded?: string | null;
}

const PREFIX = 'amplitude_to_s3_';

/**
 * All metrics are gauges: OpenMetrics and the text format of Prometheus write these alike, and counters not. What is `kept`
 * holds beyond a run, until one knows better. The rest is about the last run. `landings` are hours: Prometheus takes a
 * name with `hours` for a time.
 */
const METRICS = {
  last_run_timestamp_seconds: { help: 'When the last run ended.' },
  last_success_timestamp_seconds: { help: 'When the last run with exit code 0 ended. 0: none has.', kept: true },
  last_run_exit_code: { help: 'The exit code of the last run.' },
  last_run_duration_seconds: { help: 'How long the last run took.' },
  last_run_landings: { help: 'Hours of the last export, by what became of them. skipped: sealed before.' },
  last_run_events: { help: 'Events that the last export landed.' },
  last_run_bytes: { help: 'Bytes that the last export stored.' },
  last_run_requests: { help: 'Requests of the last export to Amplitude.' },
  last_run_retries: { help: 'Requests of the last export that it had to repeat.' },
  newest_hour_timestamp_seconds: { help: 'Start of the newest hour that has landed.', kept: true },
  landings: { help: 'Hours that the last status looked at, by state.', kept: true },
  oldest_missing_hour_timestamp_seconds: { help: 'Start of the oldest missing hour. Absent: none.', kept: true },
  landed_events: { help: 'Events in the hours that the last status looked at.', kept: true },
  landed_bytes: { help: 'Bytes in the hours that the last status looked at.', kept: true },
  dropped_landings: { help: 'Hours with far fewer events than usual, by the last status --alert-on-drop.', kept: true },
} as const satisfies Record<string, { help: string; kept?: true }>;

type Metric = keyof typeof METRICS;

export const METRIC_NAMES = Object.keys(METRICS).map((name) => PREFIX + name);

interface Sample {
  readonly metric: Metric;
  readonly command: string;
  readonly destination: string;
  readonly state?: string | undefined;
  readonly value: number;
}

/** Throws where a line of the file is of another program. */
export class ForeignMetrics extends Error {}

/** The text of METRICS_FILE after a run, from the text before. It keeps what other commands and destinations wrote. */
export function metricsAfter(end: RunEnd, before: string): string {
  const old = samplesOf(before);
  const isOurs = ({ command, destination }: Sample) => command === end.command && destination === end.destination;
  const others = old.filter((sample) => !isOurs(sample));
  const mine = old.filter(isOurs);
  const known = knownBy(end, (metric) => mine.find((sample) => sample.metric === metric)?.value ?? 0);
  const kept = mine.filter(({ metric }) => 'kept' in METRICS[metric] && !known.has(metric));
  const { command, destination } = end;
  const news = [...known].flatMap(([metric, values]) =>
    Object.entries(values).map(([state, value]) => ({
      metric,
      command,
      destination,
      state: state || undefined,
      value,
    })),
  );
  return textOf([...others, ...kept, ...news]);
}

/** The values by state; by '' where the metric has none. Without a value there is no sample. */
type Values = Readonly<Record<string, number>>;

const one = (value: number): Values => ({ '': value });

const unix = (instant: Date) => Math.floor(instant.getTime() / 1000);

const startOfHour = (hour: string) => unix(startOf(readHour(hour)));

function knownBy(end: RunEnd, before: (metric: Metric) => number): Map<Metric, Values> {
  const { startedAt, endedAt, exitCode } = end;
  const known = new Map<Metric, Values>([
    ['last_run_timestamp_seconds', one(unix(endedAt))],
    ['last_success_timestamp_seconds', one(exitCode === 0 ? unix(endedAt) : before('last_success_timestamp_seconds'))],
    ['last_run_exit_code', one(exitCode)],
    ['last_run_duration_seconds', one(Math.max(0, endedAt.getTime() - startedAt.getTime()) / 1000)],
  ]);
  const report = end.report as ExportReport | DryRunReport | AdoptReport | StatusReport | undefined;
  if (report?.command === 'export' && !('dryRun' in report)) addExport(report, known, before);
  if (report?.command === 'adopt') addNewest(report.lastLanded ?? null, known, before);
  // A look at the past says nothing of the present.
  if (report?.command === 'status' && readHour(report.range.end) >= readyEnd(new Date(report.now))) {
    addStatus(report, known);
  }
  return known;
}

function addExport(report: ExportReport, known: Map<Metric, Values>, before: (metric: Metric) => number): void {
  const { hours, lastLanded, events, bytes, requests, retries } = report;
  const { sealed, empty, failed, pending, skipped } = hours;
  const counts = {
    sealed: sealed.length,
    empty: empty.length,
    failed: failed.length,
    pending: pending.length,
    skipped,
  };
  known.set('last_run_landings', counts);
  const figures = { events, bytes, requests, retries };
  for (const name of ['events', 'bytes', 'requests', 'retries'] as const)
    known.set(`last_run_${name}`, one(figures[name]));
  addNewest(lastLanded, known, before);
}

/** The range of a run may be older than what has landed. */
function addNewest(lastLanded: string | null, known: Map<Metric, Values>, before: (metric: Metric) => number): void {
  const metric = 'newest_hour_timestamp_seconds';
  if (lastLanded !== null) known.set(metric, one(Math.max(startOfHour(lastLanded), before(metric))));
}

function addStatus({ totals, gaps, lastLanded, drops }: StatusReport, known: Map<Metric, Values>): void {
  const only = (hour: string | null | undefined): Values => (hour == null ? {} : one(startOfHour(hour)));
  known.set('landings', Object.fromEntries(STATES.map((state) => [state, totals[state]])));
  known.set('oldest_missing_hour_timestamp_seconds', only(gaps[0]?.start));
  known.set('newest_hour_timestamp_seconds', only(lastLanded));
  known.set('landed_bytes', one(totals.bytes));
  if (totals.events !== null) known.set('landed_events', one(totals.events));
  if (drops !== undefined) known.set('dropped_landings', one(drops.length));
}

const LINE = /^(\w+)\{command="(\w+)",destination="((?:[^"\\]|\\.)*)"(?:,state="(\w+)")?\} (\S+)$/;

function samplesOf(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    if (!line.startsWith(PREFIX)) throw new ForeignMetrics(line);
    const [, name = '', command = '', destination = '', state, value] = LINE.exec(line) ?? [];
    const metric = name.slice(PREFIX.length);
    // A metric of another version.
    if (!isMetric(metric) || !Number.isFinite(Number(value))) return [];
    return [{ metric, command, destination: unescaped(destination), state, value: Number(value) }];
  });
}

function isMetric(name: string): name is Metric {
  return Object.hasOwn(METRICS, name);
}

/**
 * Valid as OpenMetrics 1.0, which needs the last line, and as the text format 0.0.4, which takes it for a comment. It has
 * no UNIT, timestamps, exponents or other types: one of the two does not take them.
 */
function textOf(samples: readonly Sample[]): string {
  const lines = (Object.keys(METRICS) as Metric[]).flatMap((metric) => {
    const of = samples.filter((sample) => sample.metric === metric);
    if (of.length === 0) return [];
    const name = PREFIX + metric;
    return [
      `# HELP ${name} ${METRICS[metric].help}`,
      `# TYPE ${name} gauge`,
      ...of.map((sample) => lineOf(name, sample)),
    ];
  });
  return `${[...lines, '# EOF'].join('\n')}\n`;
}

function lineOf(name: string, { command, destination, state, value }: Sample): string {
  const labels = Object.entries({ command, destination, state }).flatMap(([label, text]) =>
    text === undefined ? [] : `${label}="${escaped(text)}"`,
  );
  return `${name}{${labels.join(',')}} ${value}`;
}

function escaped(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
}
