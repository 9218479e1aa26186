import { causesOf, JobError } from './errors.ts';
import { printable, wrap } from './format.ts';

export const LOG_FORMATS = ['pretty', 'json', 'kestra'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** From the most to the least talkative. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const COLORS: Readonly<Record<LogLevel, string>> = { debug: '90', info: '36', warn: '33', error: '31' };

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a run says while it works. Every message and field is printable and without secrets. */
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
  /** The present width of the terminal; undefined if there is none. */
  readonly columns?: () => number | undefined;
  /** Takes whole records, without the end of their last line. */
  readonly write: (line: string) => void;
  readonly redact: (text: string) => string;
  readonly now: () => Date;
  /** Names this process in lines that end up beside those of others. */
  readonly run: string;
}

/** A line of Kestra's protocol. `printable` takes out what would end the line early. */
export function kestraLine(content: object): string {
  const shown = (_: string, value: unknown) => (typeof value === 'string' ? printable(value) : value);
  return `::${JSON.stringify(content, shown)}::`;
}

/** Where messages start, after time and level. Nothing else stands further left, so no quote can pass for a log line. */
const INDENT = 15;

/** Lines longer than a narrow terminal read better than one word a line. */
const LEAST_COLUMNS = 40;

export function createLog(options: LogOptions): Log {
  const { format, level: least, color, columns, write, redact, now, run } = options;
  const clean = (text: string) => printable(redact(text));
  const paint = (code: string, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const wrapped = (text: string) =>
    wrap(clean(text), Math.max(LEAST_COLUMNS, columns?.() ?? Number.POSITIVE_INFINITY) - INDENT);
  const pretty = (level: LogLevel, lines: readonly string[]) => {
    const time = paint('90', now().toISOString().slice(11, 19));
    return `${time} ${paint(COLORS[level], level.padEnd(5))} ${lines.join(`\n${' '.repeat(INDENT)}`)}`;
  };
  const render: Readonly<Record<LogFormat, (level: LogLevel, message: string, fields: Fields) => string>> = {
    json(level, message, fields) {
      // Redaction comes before JSON.stringify: in its text, it could cut an escape in half.
      const shown = Object.entries(fields).map(([name, field]) => [
        name,
        typeof field === 'string' ? clean(field) : field,
      ]);
      const time = now().toISOString();
      return JSON.stringify({ time, level, msg: clean(message), run, ...Object.fromEntries(shown) });
    },
    kestra: (level, message) => kestraLine({ logs: [{ level: level.toUpperCase(), message: clean(message) }] }),
    pretty: (level, message) =>
      pretty(level, level === 'warn' || level === 'error' ? wrapped(message) : clean(message).split('\n')),
  };
  const say =
    (level: LogLevel) =>
    (message: string, fields: Fields = {}) => {
      if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least)) write(render[format](level, message, fields));
    };
  const [debug, error] = [say('debug'), say('error')];
  const failure = (cause: unknown) => {
    const { code, message, hint } = known(cause);
    if (format === 'pretty') {
      const [first = '', ...rest] = wrapped(`${code}: ${message}`);
      const next = hint === undefined ? [] : wrapped(`→ ${hint}`).map((line) => paint(COLORS.info, line));
      write(pretty('error', [paint('1', code) + first.slice(code.length), ...rest, ...next]));
    } else if (format === 'kestra') {
      error(`${code}: ${describe(cause)}`, { code });
    } else {
      // A log viewer shows no ends of lines within a message.
      error(describe(cause).replace(/\n\s*(?:- )?/g, ' '), { code });
    }
    debug(stackOf(cause), { code });
  };
  return { debug, info: say('info'), warn: say('warn'), error, failure };
}

/** Any error that is no JobError is a defect. */
function known(error: unknown): Pick<JobError, 'code' | 'message' | 'hint'> {
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
  const { message, hint } = known(error);
  if (hint === undefined) return message;
  return `${message}${message.includes('\n') ? '\n' : ' '}${hint}`;
}

function stackOf(error: unknown): string {
  const causes = [...causesOf(error)].map(({ stack, message }) => stack ?? message);
  return causes.length === 0 ? String(error) : causes.join('\ncaused by ');
}
