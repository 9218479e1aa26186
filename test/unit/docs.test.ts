import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { parse } from 'yaml';
import { files } from '../../docs/tables.ts';
import { helpText } from '../../src/cli/help.ts';
import { COMMANDS } from '../../src/commands/all.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { MACHINE_DEFAULTS, VARIABLES, type Variable, type VariableName } from '../../src/config/variables.ts';
import { ERRORS, EXIT } from '../../src/errors.ts';
import { makeManifest } from '../../src/landing/manifest.ts';
import { parseFault } from '../../src/simulator/simulator.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const text = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const matches = (pattern: RegExp, within: string) => [...within.matchAll(pattern)].map(([, found = '']) => found);

const PAGES = globSync(['*.md', 'docs/*.md', 'kestra/*.md', 'infra/*.md', 'infra/*/*.md'], { cwd: ROOT }).sort();
const WORKFLOWS = globSync('.github/workflows/*.yml', { cwd: ROOT });
const PACKAGE = JSON.parse(text('package.json')) as Record<string, Record<string, string>>;
const ALL = Object.entries(VARIABLES) as [VariableName, Variable][];
const REQUIRED = ['AMPLITUDE_API_KEY', 'AMPLITUDE_SECRET_KEY'];

/** The part of a page under a heading of the second rank. */
function section(page: string, title: string): string {
  const [, after = ''] = text(page).split(`\n## ${title}\n`);
  const [found = ''] = after.split('\n## ');
  expect(found, `${page}: ${title}`).not.to.equal('');
  return found;
}

const rowsOf = (page: string) =>
  matches(/^\| (`.*) \|$/gm, page).map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.trim()));
const firstCells = (page: string) => rowsOf(page).map(([cell = '']) => cell);
const codes = (cell: string) => matches(/`([^`]+)`/g, cell);

describe('the tables of the docs', () => {
  it('are current (npm run docs)', async () => {
    for (const { name, now, current } of await files()) expect(now, name).to.equal(current);
  });
});

describe('the README', () => {
  const lines = text('README.md').trimEnd().split('\n');

  it('is short', () => {
    expect(lines.length).to.be.at.most(200);
    for (const line of lines) if (!line.startsWith('|')) expect(line.length, line).to.be.at.most(160);
  });

  it('names every page', () => {
    for (const page of PAGES.filter((name) => name.startsWith('docs/'))) expect(lines.join()).to.include(`(${page})`);
  });
});

describe('the docs', () => {
  it('have what to do for every error code', () => {
    const rows = rowsOf(text('docs/errors.md'));
    expect(rows.map(([code = '']) => code)).to.deep.equal(Object.keys(ERRORS).map((code) => `\`${code}\``));
    for (const [code, , ...words] of rows) expect(words, code).not.to.include('');
  });

  it('have every exit code', () => {
    const rows = matches(/^\| (\d+) +\|/gm, section('docs/commands.md', 'Exit codes')).map(Number);
    expect(rows).to.have.members([...new Set(Object.values(EXIT))]);
  });

  it('name the same commands for exit code 3 as the README and the help do', async () => {
    const commands = Object.keys(COMMANDS);
    const row = /^\| 3 .*$/m;
    const [full = ''] = row.exec(section('docs/commands.md', 'Exit codes')) ?? [];
    const named = codes(full).filter((code) => commands.includes(code));
    expect(named).to.include.members(['verify', 'reconcile', 'adopt']);
    const [short = ''] = row.exec(section('README.md', 'Commands')) ?? [];
    const [help = ''] = /^ {2}3 .*?^ {2}4 /ms.exec(await helpText(COMMANDS)) ?? [];
    for (const name of named) {
      expect(codes(short)).to.include(name);
      expect(help).to.match(new RegExp(`\\b${name}\\b`));
    }
  });

  it('have every command, and a table for its flags', () => {
    const tables = matches(
      /<!-- table: flags ([a-z]+) -->/g,
      `${text('docs/commands.md')}${text('docs/simulator.md')}`,
    );
    expect(tables).to.have.members(Object.keys(COMMANDS));
    for (const page of ['README.md', 'docs/commands.md']) {
      const named = matches(/^`([a-z]+)/gm, firstCells(text(page)).join('\n'));
      expect(named, page).to.include.members(Object.keys(COMMANDS));
    }
  });

  it('explain every field of a manifest', () => {
    const object = { key: '', bytes: 0, crc32: '', events: 0, member: '', source: { bytes: 0, crc32: '' } };
    const manifest = makeManifest(
      { hour: 0, generation: 1, project: null, objects: [object], quarantine: [] },
      { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '', shrunk: { events: 0, at: '' } },
    );
    const fields = [...Object.keys(manifest), 'source', ...Object.keys(object).map((name) => `objects[].${name}`)];
    const page = section('docs/landing.md', 'The manifest');
    expect(firstCells(page).flatMap(codes)).to.have.members(fields);
    const [, shown = '{}'] = /```json\n(.*?)```/s.exec(page) ?? [];
    expect(Object.keys(JSON.parse(shown))).to.deep.equal(Object.keys(manifest).filter((name) => name !== 'shrunk'));
  });

  it('name the secrets that can come from a file', () => {
    const [, list = ''] = /This works for (.*), and for their other names/.exec(text('docs/settings.md')) ?? [];
    expect(codes(list)).to.have.members(ALL.filter(([, { secret }]) => secret).map(([name]) => name));
  });

  it('name the sets of the Python scripts by names that the program reads', () => {
    const known = ALL.flatMap(([, { aliases = [] }]) => aliases);
    const rows = text('docs/from-python.md').match(/^\| \d.*$/gm) ?? [];
    expect(rows).to.have.length(4);
    for (const name of rows.flatMap(codes)) expect(known).to.include(name);
  });

  it('name faults that there are', () => {
    const page = text('docs/simulator.md');
    const specs = matches(/--fault '?([a-z][a-z0-9@*T-]+)/g, page);
    const [, array = '[]'] = /--data '(\[.*?\])'/.exec(page) ?? [];
    expect(specs).not.to.have.length(0);
    for (const spec of [...specs, ...(JSON.parse(array) as string[])]) expect(() => parseFault(spec)).not.to.throw();
  });

  it('say what every package is for', () => {
    const decisions = text('docs/decisions.md');
    for (const name of [...Object.keys(PACKAGE.dependencies ?? {}), ...Object.keys(PACKAGE.devDependencies ?? {})]) {
      expect(decisions).to.include(`\`${name.startsWith('@types/') ? '@types/*' : name}\``);
    }
  });

  it('say no more than 50 lines about requirements.txt, and name packages that there are', () => {
    expect(text('requirements-free.md').trimEnd().split('\n').length).to.be.at.most(50);
    const packages = { ...PACKAGE.dependencies, ...PACKAGE.devDependencies };
    const table = rowsOf(section('requirements-free.md', 'What replaces what')).map(
      ([, replacement = '']) => replacement,
    );
    const named = table.filter((cell) => !cell.startsWith('Node.js')).flatMap(codes);
    for (const name of named) expect(packages).to.have.property(name);
  });

  it('say nothing twice', () => {
    const places = new Map<string, string>();
    for (const page of PAGES) {
      const prose = text(page).replace(/^```.*?^```/gms, '');
      for (const line of prose.split('\n').filter((at) => at.length >= 120)) {
        const said = line.replace(/^[-\d. ]+/, '');
        expect(places.get(said) ?? page, line).to.equal(page);
        places.set(said, page);
      }
    }
  });
});

const SCRIPTS = Object.keys(PACKAGE.scripts ?? {});

/** Names of npm scripts and of suites of test:integration. */
function expectScripts(words: string): void {
  const named = [...matches(/npm run (?:--silent )?([a-z0-9:]+)/g, words), ...matches(/npm (test|start)\b/g, words)];
  for (const script of named) expect(SCRIPTS).to.include(script);
  for (const suite of matches(/npm run test:integration ([a-z0-9]+)/g, words)) {
    expect(existsSync(join(ROOT, 'test/integration', suite)), suite).to.equal(true);
  }
}

describe('every page', () => {
  for (const name of PAGES) {
    const page = text(name);

    it(`names scripts and files that there are: ${name}`, () => {
      expectScripts(page);
      for (const path of matches(/`((?:src|test|docs|infra|kestra|deploy)\/[\w/-]*(?:\/|\.\w+))`/g, page)) {
        expect(existsSync(join(ROOT, path)), path).to.equal(true);
      }
    });

    it(`closes what it opens: ${name}`, () => {
      const prose = page.replace(/^ *```.*?^ *```/gms, '').replace(/`[^`\n]*`/g, '');
      for (const line of prose.split('\n')) expect(line.split('**').length % 2, line).to.equal(1);
    });

    it(`links to what is there: ${name}`, () => {
      const slugs = (content: string) =>
        matches(/^#+ (.*)$/gm, content).map((title) =>
          title
            .toLowerCase()
            .replace(/[^\w -]/g, '')
            .replaceAll(' ', '-'),
        );
      for (const target of matches(/\]\(([^)]+)\)/g, page)) {
        if (/^https:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? name : join(dirname(name), path);
        expect(existsSync(join(ROOT, file)), target).to.equal(true);
        if (anchor !== undefined) expect(slugs(text(file)), target).to.include(anchor);
      }
    });
  }
});

describe('the workflows', () => {
  interface Step {
    readonly run?: string;
    readonly uses?: string;
  }

  interface Job {
    readonly uses?: string;
    readonly steps?: readonly Step[];
  }

  for (const name of WORKFLOWS) {
    it(`call scripts and workflows that there are, and pin what they use: ${name}`, () => {
      const { jobs } = parse(text(name)) as { jobs: Record<string, Job> };
      const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
      for (const { run = '' } of steps) expectScripts(run);
      for (const { uses } of [...Object.values(jobs), ...steps]) {
        if (uses === undefined) continue;
        if (uses.startsWith('./')) expect(existsSync(join(ROOT, uses)), uses).to.equal(true);
        else expect(uses).to.match(/@v\d+$/);
      }
    });
  }

  it('release what CHANGELOG.md describes', () => {
    const headings = matches(/^## \[(.+?)\]/gm, text('CHANGELOG.md'));
    expect(headings[0]).to.equal('Unreleased');
    expect(headings).to.include(String(PACKAGE.version));
  });
});

describe('.env.example', () => {
  const example = text('.env.example');
  const lines = example.split('\n');
  const given = [...example.matchAll(/^(#?)([A-Z0-9_]+)=(.*)$/gm)].map(([, mark, name = '', value = '']) => ({
    commented: mark === '#',
    name,
    value,
  }));

  it('has every variable once', () => {
    expect(given.map(({ name }) => name)).to.have.members(Object.keys(VARIABLES));
    expect(given).to.have.length(ALL.length);
  });

  it('describes every variable in the line above', () => {
    for (const [name, { description }] of ALL) {
      const at = lines.findIndex((line) => line.replace('#', '').startsWith(`${name}=`));
      expect(lines[at - 1], name)
        .to.match(/^# /)
        .and.to.include(description);
    }
  });

  it('comments out what is not required, with its default or an example', () => {
    expect(given.filter(({ commented }) => !commented).map(({ name }) => name)).to.deep.equal([
      ...REQUIRED,
      'DESTINATION',
    ]);
    for (const { name, value } of given.filter(({ commented }) => commented)) {
      const { example: shown, default: usual } = VARIABLES[name as VariableName] as Variable;
      expect(value, name).to.equal(MACHINE_DEFAULTS.includes(name as VariableName) ? shown : String(usual ?? shown));
    }
  });

  it('has no quotes, and # at the start of lines only', () => {
    for (const { name, value } of given) expect(value, name).not.to.match(/["'#]|^\s|\s$/);
    for (const line of lines) expect(line).to.match(/^(# .*|#?[A-Z0-9_]+=\S+|)$/);
  });

  it('works as it is, read by Node.js or by docker, with the commented lines or without them', () => {
    const all = example.replace(/^#(?=[A-Z])/gm, '');
    for (const content of [example, all]) {
      const byNode = parseEnv(content);
      const byDocker = Object.fromEntries(
        content
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('#'))
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
      expect({ ...byNode }).to.deep.equal(byDocker);
      expect(loadSettings(byDocker)).to.deep.include({
        destination: { kind: 's3', bucket: 'my-bucket', prefix: 'amplitude' },
        warnings: [],
      });
    }
  });
});
