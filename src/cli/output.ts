import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { logSettings } from '../config/environment.ts';
import type { Environment } from '../config/settings.ts';
import { JobError } from '../errors.ts';
import { printable, printableJson } from '../format.ts';
import { createLog, type Log } from '../log.ts';
import { type Progress, terminalProgress } from './progress.ts';

/**
 * Where the program's words go: on a terminal the log to stderr, with a progress display; elsewhere JSON or Kestra's
 * lines to stdout, since schedulers take stderr for errors. With `--json` stdout holds one document and nothing else.
 */
export interface Output {
  json: boolean;
  readonly format: 'pretty' | 'json' | 'kestra';
  /** For a command that is run to be looked at: pretty wherever nothing else was asked for. */
  forPeople(): void;
  log(redact: (text: string) => string): Log;
  /** Whether what is printed may have colours. */
  readonly color: boolean;
  /** What the person asked to see, on stdout. */
  print(text: string): void;
  /** The same with colours in it; nothing of it may come from outside. */
  printPainted(text: string): void;
  /** The one document of `--json`. */
  document(content: object): void;
  /** The same document in a file. */
  documentFile(path: string, content: object): Promise<void>;
  /** With `--json`, the document of a run that had no report. */
  error(error: unknown): void;
  readonly progress: Progress | undefined;
  /** A summary for people, beside the log. */
  note(text: string): void;
  close(): void;
  flushed(then: () => void): void;
}

/** Of files and objects, in documents: a script must find them by these, whatever they hold. */
const NAMES: readonly string[] = ['file', 'to', 'dir', 'failedUploads', 'key'];

export function openOutput(env: Environment): Output {
  const { stdout, stderr } = process;
  // A reader that goes away (`| head`) is no failure of the run.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  const terminal = stderr.isTTY === true;
  const { level, color, ...look } = logSettings(env, terminal);
  let { format } = look;
  const progress = terminal && format === 'pretty' && env.TERM !== 'dumb' ? terminalProgress(stderr) : undefined;
  const run = randomBytes(4).toString('hex');
  let redact = (text: string) => text;
  let documented = false;

  const clean = (text: string) => printable(redact(text));
  const shown = (name: string, value: unknown) => {
    if (typeof value !== 'string') return value;
    return NAMES.includes(name) ? redact(value) : clean(value);
  };
  const textOf = (content: object) => `${printableJson(JSON.stringify(content, shown, 2))}\n`;

  const output: Output = {
    json: false,
    get format() {
      return format;
    },
    progress,
    color: stdout.isTTY === true && logSettings(env, true).color,
    forPeople() {
      if ((env.LOG_FORMAT ?? '') === '') format = 'pretty';
    },
    log(redaction) {
      redact = redaction;
      const write = (line: string) => {
        if (progress !== undefined) progress.line(line);
        else if (format === 'pretty' || output.json) stderr.write(`${line}\n`);
        else stdout.write(`${line}\n`);
      };
      const columns = () => (terminal ? stderr.columns : undefined);
      return createLog({ format, level, color, columns, write, redact, now: () => new Date(), run });
    },
    print(text) {
      stdout.write(`${clean(text)}\n`);
    },
    printPainted(text) {
      stdout.write(`${text}\n`);
    },
    document(content) {
      documented = true;
      stdout.write(textOf(content));
    },
    async documentFile(path, content) {
      await writeFile(path, textOf(content));
    },
    error(error) {
      if (!output.json || documented) return;
      const known = error instanceof JobError;
      output.document({
        error: {
          code: known ? error.code : 'INTERNAL',
          message: error instanceof Error ? error.message : String(error),
          ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
        },
        exitCode: known ? error.exitCode : 1,
      });
    },
    note(text) {
      stderr.write(`${clean(text)}\n`);
    },
    close() {
      progress?.stop();
    },
    flushed(then) {
      stdout.write('', () => stderr.write('', then));
    },
  };
  return output;
}
