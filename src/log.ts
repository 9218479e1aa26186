import type { LogFormat, LogLevel } from './config/settings.ts';
import { JobError } from './errors.ts';
import { printable, wrap } from './format.ts';

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a run says while it goes on. Every message and field passes the redaction of secrets, and is printable. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** What failed, on what, why, and the next step. The stack shows at debug level only. */
  failure(error: unknown): void;
}

export interface LogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly color: boolean;
  /** Of the terminal, as it is now; undefined where there is none. */
  readonly columns?: () => number | undefined;
  /** Takes whole records, without the end of their last line. */
  readonly write: (line: string) => void;
  readonly redact: (text: string) => string;
  readonly now: () => Date;
  /** Names this process in lines that end up beside those of others. */
  readonly run: string;
}

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const COLORS: Readonly<Record<LogLevel, string>> = {
  debug: '90',
  info: '36',
  warn: '33',
  error: '31',
};

/** A line of Kestra's protocol. What would end it early is printable by then: one line must stay one line. */
export function kestraLine(content: object): string {
  const shown = (_: string, value: unknown) => (typeof value === 'string' ? printable(value) : value);
  return `::${JSON.stringify(content, shown)}::`;
}

/** Where a message begins beside time and level. Nothing else stands further left, so no quote can pass for a line of its own. */
const INDENT = 15;

/** A narrow terminal gets lines that are longer than it, rather than a word a line. */
const LEAST_COLUMNS = 40;

export function createLog(options: LogOptions): Log {
  const { format, level, color, now, run, columns = () => undefined } = options;
  const least = ORDER.indexOf(level);
  const paint = (code: string, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const clean = (text: string) => printable(options.redact(text));

  const json = (at: LogLevel, message: string, fields: Fields) => {
    // Before it is rendered: in a line of JSON a redaction could fall on half an escape.
    const shown = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? clean(value) : value,
    ]);
    return JSON.stringify({
      time: now().toISOString(),
      level: at,
      msg: clean(message),
      run,
      ...Object.fromEntries(shown),
    });
  };
  const kestra = (at: LogLevel, message: string) =>
    kestraLine({ logs: [{ level: at.toUpperCase(), message: clean(message) }] });
  /** Of a terminal the width is kept. Nothing but what is painted here has colours. */
  const lines = (text: string) =>
    wrap(clean(text), Math.max(LEAST_COLUMNS, columns() ?? Number.POSITIVE_INFINITY) - INDENT);
  const pretty = (at: LogLevel, text: readonly string[]) => {
    const time = paint('90', now().toISOString().slice(11, 19));
    return `${time} ${paint(COLORS[at], at.padEnd(5))} ${text.join(`\n${' '.repeat(INDENT)}`)}`;
  };
  const isTold = (at: LogLevel) => ORDER.indexOf(at) >= least;
  const say =
    (at: LogLevel) =>
    (message: string, fields: Fields = {}) => {
      if (!isTold(at)) return;
      if (format === 'json') options.write(json(at, message, fields));
      else if (format === 'kestra') options.write(kestra(at, message));
      else options.write(pretty(at, at === 'warn' || at === 'error' ? lines(message) : clean(message).split('\n')));
    };
  const failure = (error: unknown) => {
    const { code, message, hint } = told(error);
    if (format === 'json') options.write(json('error', describe(error), { code }));
    else if (format === 'kestra') options.write(kestra('error', `${code}: ${describe(error)}`));
    else {
      const [first = '', ...rest] = lines(`${code}: ${message}`);
      const next = hint === undefined ? [] : lines(`→ ${hint}`).map((line) => paint(COLORS.info, line));
      options.write(pretty('error', [`${paint('1', code)}${first.slice(code.length)}`, ...rest, ...next]));
    }
    log.debug(stackOf(error), { code });
  };
  const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), failure };
  return log;
}

/** Anything that is no JobError is told as the defect that it is. */
function told(error: unknown): { code: string; message: string; hint: string | undefined } {
  if (error instanceof JobError) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    code: 'INTERNAL',
    message: `This program met an error that it does not know: ${text}.`,
    hint: 'Run it again with LOG_LEVEL=debug and report what it says; what was sealed stays landed.',
  };
}

/** The paragraph for a person. */
export function describe(error: unknown): string {
  const { message, hint } = told(error);
  if (hint === undefined) return message;
  return `${message}${message.includes('\n') ? '\n' : ' '}${hint}`;
}

function stackOf(error: unknown): string {
  const parts: string[] = [];
  for (let at = error, depth = 0; at !== undefined && depth < 8; depth++) {
    parts.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join('\ncaused by ');
}
