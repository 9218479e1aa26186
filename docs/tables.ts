// Writes the tables of these pages, and .env.example, from the code: npm run docs.
// test/unit/docs.test.ts fails if one of them is not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from '../src/cli/command.ts';
import { describeCommand } from '../src/cli/help.ts';
import { COMMANDS } from '../src/commands/all.ts';
import { MACHINE_DEFAULTS, VARIABLES, type Variable, type VariableName } from '../src/config/variables.ts';
import { ERRORS, type ErrorCode, EXIT, EXIT_CODES } from '../src/errors.ts';
import { FAULTS } from '../src/simulator/faults.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PAGES = ['docs/settings.md', 'docs/commands.md', 'docs/errors.md', 'docs/simulator.md'];

type Rows = readonly (readonly string[])[];

/** The headings of .env.example, with the first setting below each. */
const PARTS: Readonly<Record<string, string>> = {
  AMPLITUDE_API_KEY: 'Amplitude',
  DESTINATION: 'Where the hours go',
  EXPORT_START: 'Which hours',
  REQUEST_HOURS: 'Requests, memory and disk',
  HTTPS_PROXY: 'Network',
  REPORT_FILE: 'Log and report',
};

/** What the page adds to the words in errors.ts: details and links. */
const MORE: Partial<Record<ErrorCode, string>> = {
  CONFIG: '[Settings](settings.md).',
  AMPLITUDE_REFUSED_WINDOW: 'The run had halved the window before: down to one hour, or until both halves failed.',
  AMPLITUDE_RATE_LIMIT: '[How long a run waits](completeness.md#what-a-run-does-about-failures).',
  AMPLITUDE_TIMEOUT:
    '`EXPORT_FIRST_BYTE_TIMEOUT_S`, `EXPORT_IDLE_TIMEOUT_S` and `EXPORT_MIN_BYTES_PER_S` set the limits.',
  NOT_AMPLITUDE: 'Such an answer is a web page, other JSON, or the words of a gateway.',
  PROXY: '[Proxies](operating.md#proxies).',
  CERTIFICATE: '[Certificates](operating.md#certificates).',
  ARCHIVE_REFUSED:
    'The message says which: a name cannot be read, leaves its folder, occurs twice or belongs to another project. Or no name belongs to the window; the run asks for that one again first.',
  MANIFEST_NEWER: '`--force` and `--repair` do not change it either.',
  NOT_S3: 'Such an answer is a page, JSON, plain text, or a success without what S3 sends. [Stores](stores.md).',
  ACCESS_DENIED: '[Rights in AWS](operating.md#rights-in-aws).',
  AWS_CREDENTIALS: '[AWS keys](settings.md#aws-keys).',
  DISK_FULL: 'The message names `WORK_DIR` or the destination folder.',
  DESTINATION_LOCKED: 'The message names its process, its host and its start.',
};

const NEEDED: Readonly<Record<string, string>> = {
  AMPLITUDE_API_KEY: 'Required.',
  AMPLITUDE_SECRET_KEY: 'Required.',
  DESTINATION: 'Required, unless S3_BUCKET is set.',
};

function code(text: string): string {
  return `\`${text}\``;
}

const SETTINGS = Object.entries(VARIABLES) as [VariableName, Variable][];

/** As documents show it; undefined if there is none, or if it differs by machine. */
function defaultOf(name: VariableName, variable: Variable): string | undefined {
  const differs = MACHINE_DEFAULTS.includes(name);
  return differs || variable.default === undefined ? undefined : String(variable.default);
}

function settingsRows(): Rows {
  return SETTINGS.map(([name, variable]) => {
    const { description, aliases = [] } = variable;
    const usual = defaultOf(name, variable);
    const needed = NEEDED[name]?.replace('S3_BUCKET', code('S3_BUCKET')) ?? '';
    return [code(name), usual === undefined ? needed : code(usual), description, aliases.map(code).join(', ')];
  });
}

function errorRows(): Rows {
  return Object.entries(ERRORS).map(([name, words]) => {
    const exit = EXIT_CODES[name as ErrorCode]?.toString() ?? `${EXIT.failed} or ${EXIT.partial}`;
    const signal = `${EXIT.SIGINT} or ${EXIT.SIGTERM}`;
    const more = MORE[name as ErrorCode];
    return [code(name), name === 'INTERRUPTED' ? signal : exit, more === undefined ? words : `${words} ${more}`];
  });
}

function flagTable(command: Command): Rows {
  const rows = describeCommand(command).flags.map(({ flag, default: usual, description }) => [
    code(flag),
    usual === '' ? description : `${description}; default ${code(usual)}`,
  ]);
  return [['flag', 'meaning'], ...rows];
}

/** By the name in `<!-- table: NAME -->`. */
async function tables(): Promise<Readonly<Record<string, Rows>>> {
  const flags = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => [name, flagTable(await load())]),
  );
  return {
    ...Object.fromEntries(flags.map(([name, rows]) => [`flags ${name}`, rows])),
    settings: [['setting', 'default', 'meaning', 'other names'], ...settingsRows()],
    errors: [['code', 'exit', 'what it means and what to do'], ...errorRows()],
    faults: [['fault', 'what the request meets'], ...Object.entries(FAULTS).map(([name, what]) => [code(name), what])],
  };
}

function withTables(page: string, known: Readonly<Record<string, Rows>>): string {
  return page.replace(/<!-- table: (.+?) -->\n.*?<!-- \/table -->/gs, (_, name: string) => {
    const table = known[name];
    if (table === undefined) throw new Error(`There is no table "${name}".`);
    return `<!-- table: ${name} -->\n\n${markdown(table)}\n<!-- /table -->`;
  });
}

function markdown([head = [], ...rows]: Rows): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('');
}

/** Comments out all but the required settings, and shows the default or an example. */
function envExample(): string {
  const head = [
    '# The settings of amplitude-to-s3. Copy this file to .env. Fill in the lines without a #. To set another one, remove its #.',
    '# npm start and docker run --env-file read it. Use no quotes: docker makes them part of the value.',
    '# A # starts a comment only at the start of a line. For a secret that contains a #, use a file: NAME_FILE.',
    '# Lines with a # show the default, or an example.',
  ];
  const settings = SETTINGS.map(([name, variable]) => {
    const usual = defaultOf(name, variable);
    const needed = NEEDED[name];
    const note = needed ?? (usual === undefined ? '' : `Default: ${usual}.`);
    const shown = variable.secret === true && needed !== undefined ? placeholder(name) : (usual ?? variable.example);
    const part = PARTS[name] === undefined ? '' : `# --- ${PARTS[name]} ---\n\n`;
    const words = `# ${variable.description} ${note}`.trimEnd();
    return `${part}${words}\n${needed === undefined ? '#' : ''}${name}=${shown}`;
  });
  return `${[head.join('\n'), ...settings].join('\n\n')}\n`;
}

/** AMPLITUDE_API_KEY: your-api-key. doctor and people see at once that it is no key. */
function placeholder(name: string): string {
  return name.replace('AMPLITUDE', 'your').replaceAll('_', '-').toLowerCase();
}

/** Each file as it is, and as the code wants it. */
export async function files(): Promise<{ readonly name: string; readonly now: string; readonly current: string }[]> {
  const known = await tables();
  const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');
  return [
    ...PAGES.map((name) => ({ name, now: read(name), current: withTables(read(name), known) })),
    { name: '.env.example', now: read('.env.example'), current: envExample() },
  ];
}

if (import.meta.main) {
  for (const { name, current } of await files()) writeFileSync(join(ROOT, name), current);
}
