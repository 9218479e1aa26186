import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { logSettings } from '../config/environment.ts';
import type { Environment, Settings } from '../config/settings.ts';
import { EXIT, JobError, systemCode } from '../errors.ts';
import { printable, printableJson } from '../format.ts';
import { createLog, describe, type Log, type LogFormat } from '../log.ts';
import { redaction } from '../redaction.ts';
import { Progress } from './progress.ts';

/** A run may fail in a thousand ways. */
const MOST_ERRORS = 20;

/** What a run says at its end. */
interface Ending {
  readonly text: string;
  /** The hours that made it fail, for people. */
  readonly failing: string;
}

/** Names of files and objects in documents: a script must find them by these, whatever characters they hold. */
const NAMES: readonly string[] = ['file', 'to', 'dir', 'failedUploads', 'key'];

/**
 * Where the program's words go. On a terminal the log goes to stderr, with a progress display; elsewhere to stdout, as JSON
 * or Kestra's lines, since schedulers take stderr for errors. With `--json` stdout holds one document and nothing else.
 */
export class Output {
  readonly json: boolean;
  /** Whether what is printed may have colours. */
  readonly color: boolean;
  readonly progress: Progress | undefined;
  format: LogFormat;
  log: Log;
  /** For those who hear of the run besides its caller: the document, what was said at its end, and each error before. */
  document: object | undefined;
  ending: Ending | undefined;
  readonly errors: { readonly text: string; readonly code?: string | undefined }[] = [];
  readonly #env: Environment;
  readonly #run = randomBytes(4).toString('hex');
  #redact = redaction([]);
  #reportFile: string | undefined;

  constructor(env: Environment, json: boolean) {
    const { stdout, stderr } = process;
    // A reader that goes away (`| head`) is no failure of the run.
    for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
    this.#env = env;
    this.json = json;
    this.format = logSettings(env, stderr.isTTY).format;
    this.color = stdout.isTTY && logSettings(env, true).color;
    const showsProgress = stderr.isTTY && this.format === 'pretty' && env.TERM !== 'dumb';
    this.progress = showsProgress ? new Progress(stderr) : undefined;
    this.log = this.#openLog();
  }

  /** Makes the log pretty where LOG_FORMAT does not say otherwise. */
  forPeople(): void {
    if ((this.#env.LOG_FORMAT ?? '') === '') this.format = 'pretty';
    this.log = this.#openLog();
  }

  /** From now on no output shows the secrets, and the report is kept in REPORT_FILE too. */
  use({ secrets, reportFile }: Pick<Settings, 'secrets' | 'reportFile'>): void {
    this.#redact = redaction(secrets);
    this.#reportFile = reportFile;
  }

  #openLog(): Log {
    const { format } = this;
    const { stdout, stderr } = process;
    const stream = format === 'pretty' || this.json ? stderr : stdout;
    const { level, color } = logSettings(this.#env, stderr.isTTY);
    const log = createLog({
      format,
      level,
      color,
      columns: () => stderr.columns,
      write: (line) => (this.progress === undefined ? stream.write(`${line}\n`) : this.progress.line(line)),
      redact: (text) => this.#redact(text),
      now: () => new Date(),
      run: this.#run,
    });
    const hear = (text: string, code?: string) => {
      if (this.errors.length < MOST_ERRORS) this.errors.push({ text, code });
    };
    return {
      ...log,
      error: (message, fields) => {
        hear(message);
        log.error(message, fields);
      },
      failure: (error) => {
        hear(describe(error), error instanceof JobError ? error.code : 'INTERNAL');
        log.failure(error);
      },
    };
  }

  /** What the person asked to see, on stdout. What stands before the text may have colours, but nothing from outside. */
  print(text: string, painted = ''): void {
    process.stdout.write(`${painted}${this.#clean(text)}\n`);
  }

  /** A text for people beside the log. */
  note(text: string): void {
    process.stderr.write(`${this.#clean(text)}\n`);
  }

  /** The one document of `--json` on stdout, and the same in REPORT_FILE. */
  async report(report: object): Promise<void> {
    const text = this.#documentOf(report);
    if (this.json) process.stdout.write(text);
    this.document = report;
    const file = this.#reportFile;
    if (file === undefined) return;
    // What has been done is done: that its report cannot be written changes nothing about it.
    await writeFile(file, text).catch((error: unknown) => {
      this.log.warn(`REPORT_FILE names ${file}, which cannot be written (${systemCode(error) ?? String(error)}).`);
    });
  }

  /** Says what failed. With `--json`, in a document too, where there is no report. */
  failure(error: unknown): void {
    if (this.json && this.document === undefined) {
      const { code = 'INTERNAL', hint, exitCode = EXIT.failed } = error instanceof JobError ? error : {};
      const message = error instanceof Error ? error.message : String(error);
      process.stdout.write(this.#documentOf({ error: { code, message, hint }, exitCode }));
    }
    this.log.failure(error);
  }

  /** Resolves once all that was said is written. */
  async close(): Promise<void> {
    this.progress?.stop();
    for (const stream of [process.stdout, process.stderr]) {
      await new Promise<unknown>((resolve) => stream.write('', resolve));
    }
  }

  #clean(text: string): string {
    return printable(this.#redact(text));
  }

  #documentOf(content: object): string {
    const shown = (name: string, value: unknown) => {
      if (typeof value !== 'string') return value;
      return NAMES.includes(name) ? this.#redact(value) : this.#clean(value);
    };
    return `${printableJson(JSON.stringify(content, shown, 2))}\n`;
  }
}
