import type { LogFormat, LogLevel } from './config.ts';
import { JobError } from './errors.ts';

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a run says while it goes on. Every message and field passes the redaction of secrets. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** One paragraph: what failed, on what, why, the next step. The stack shows at debug level only. */
  failure(error: unknown): void;
}

export interface LogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly color: boolean;
  /** Takes whole lines, without their end. */
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

/** A line of Kestra's protocol. Line separators that JSON leaves alone are escaped: one line must stay one line. */
export function kestraLine(content: object): string {
  const json = JSON.stringify(content).replace(
    /[\u0085\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `::${json}::`;
}

export function createLog(options: LogOptions): Log {
  const { format, level, color, redact, now, run } = options;
  const least = ORDER.indexOf(level);
  const paint = (code: string, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);

  const render = (at: LogLevel, message: string, fields: Fields): string => {
    if (format === 'json')
      return JSON.stringify({
        time: now().toISOString(),
        level: at,
        msg: message,
        run,
        ...fields,
      });
    if (format === 'kestra') return kestraLine({ logs: [{ level: at.toUpperCase(), message }] });
    const time = paint('90', now().toISOString().slice(11, 19));
    return `${time} ${paint(COLORS[at], at.padEnd(5))} ${message}`;
  };
  const say =
    (at: LogLevel) =>
    (message: string, fields: Fields = {}) => {
      if (ORDER.indexOf(at) < least) return;
      // Before it is rendered: in a line of JSON a redaction could fall on half an escape.
      const clean = Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? redact(value) : value,
      ]);
      options.write(render(at, redact(message), Object.fromEntries(clean)));
    };

  const log = {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
  };
  return {
    ...log,
    failure: (error) => {
      const code = error instanceof JobError ? error.code : 'INTERNAL';
      log.error(describe(error), { code });
      log.debug(stackOf(error), { code });
    },
  };
}

/** The paragraph for a person. Anything that is no JobError is told as the defect that it is. */
export function describe(error: unknown): string {
  if (error instanceof JobError) {
    if (error.hint === undefined) return error.message;
    return `${error.message}${error.message.includes('\n') ? '\n' : ' '}${error.hint}`;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `This program met an error that it does not know: ${text}. Run it again with LOG_LEVEL=debug and report what it says; what was sealed stays landed.`;
}

function stackOf(error: unknown): string {
  const parts: string[] = [];
  for (let at = error, depth = 0; at !== undefined && depth < 8; depth++) {
    parts.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join('\ncaused by ');
}
