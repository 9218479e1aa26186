// Writes the tables of these pages and the lines of .env.example from the code: npm run docs.
// test/unit/docs.test.ts fails where one of them is not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MACHINE_DEFAULTS, VARIABLES, type Variable, type VariableName } from '../src/config/variables.ts';
import { FAULTS } from '../src/simulator/faults.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** The pages that hold tables of the code, and .env.example. */
const PAGES = ['docs/settings.md', 'docs/commands.md', 'docs/errors.md', 'docs/simulator.md', '.env.example'];

type Rows = readonly (readonly string[])[];

/** By the name that stands in `<!-- table: NAME -->`; `kept` are the rows that the page has now. */
const TABLES: Readonly<Record<string, (kept: Rows) => Rows>> = {
  settings: settingsTable,
  faults: () => [
    ['fault', 'what the request meets'],
    ...Object.entries(FAULTS).map(([name, what]) => [code(name), what]),
  ],
};

const REQUIRED: readonly string[] = ['AMPLITUDE_API_KEY', 'AMPLITUDE_SECRET_KEY'];
const ONE_OF_TWO: readonly string[] = ['DESTINATION', 'S3_BUCKET'];

const ALL = Object.entries(VARIABLES) as [VariableName, Variable][];

const code = (text: string) => `\`${text}\``;

function settingsTable(): Rows {
  const rows = ALL.map(([name, { description, aliases = [] }]) => [
    code(name),
    defaultOf(name),
    description,
    aliases.map(code).join(', '),
  ]);
  return [['setting', 'default', 'meaning', 'other names'], ...rows];
}

function defaultOf(name: VariableName): string {
  const variable: Variable = VARIABLES[name];
  if (MACHINE_DEFAULTS.includes(name)) return "the system's";
  if (variable.default !== undefined) return code(variable.default);
  if (REQUIRED.includes(name)) return '**required**';
  return ONE_OF_TWO.includes(name) ? '**one of the two**' : '';
}

/** Fills the tables between their marks. A table without a source in TABLES stays as it is. */
function withTables(page: string): string {
  return page.replace(/<!-- table: (.+?) -->\n(.*?)<!-- \/table -->/gs, (whole, name: string, kept: string) => {
    const table = TABLES[name];
    return table === undefined ? whole : `<!-- table: ${name} -->\n${markdown(table(cellsOf(kept)))}<!-- /table -->`;
  });
}

function cellsOf(table: string): Rows {
  const lines = table.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function markdown(rows: Rows): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (cells[at] ?? '').padEnd(width)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line)].join('');
}

/** Every variable stands below a line that describes it. Order and headings are the file's own. */
function withSettings(example: string): string {
  return example.replace(/^# .*\n#?([A-Z0-9_]+)=.*$/gm, (whole, name: string) => {
    if (!Object.hasOwn(VARIABLES, name)) return whole;
    const variable: Variable = VARIABLES[name as VariableName];
    if (REQUIRED.includes(name)) return whole.replace(/^# .*/, `# ${variable.description} Required.`);
    if (name === 'DESTINATION') return `# ${variable.description} Required, or S3_BUCKET.\n${name}=${variable.example}`;
    const machine = MACHINE_DEFAULTS.includes(name as VariableName);
    const usual = machine ? undefined : variable.default;
    const words = usual === undefined ? variable.description : `${variable.description} Default: ${usual}.`;
    return `# ${words}\n#${name}=${usual ?? variable.example}`;
  });
}

/** Each page as it is, and as the code wants it. */
export function pages(): { readonly name: string; readonly now: string; readonly current: string }[] {
  return PAGES.map((name) => {
    const now = readFileSync(join(ROOT, name), 'utf8');
    return { name, now, current: name.endsWith('.md') ? withTables(now) : withSettings(now) };
  });
}

if (import.meta.main) {
  for (const { name, current } of pages()) writeFileSync(join(ROOT, name), current);
}
