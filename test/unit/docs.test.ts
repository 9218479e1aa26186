import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { helpText } from '../../src/cli/help.ts';
import { COMMANDS } from '../../src/commands/all.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { MACHINE_DEFAULTS, VARIABLES, type Variable, type VariableName } from '../../src/config/variables.ts';
import { ERRORS, EXIT } from '../../src/errors.ts';
import { makeManifest } from '../../src/landing/manifest.ts';
import { parseFault } from '../../src/simulator/simulator.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const text = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const matches = (pattern: RegExp, of: string) => [...of.matchAll(pattern)].map(([, found = '']) => found);

/** A page without the padding that the formatter gives to tables. */
const page = (name: string) =>
  text(name).replace(/^\|.*\|$/gm, (row) =>
    row
      .split('|')
      .map((cell) => cell.trim().replace(/^-+$/, '---'))
      .join(' | ')
      .trim(),
  );

const README = page('README.md');
const REQUIREMENTS = page('requirements-free.md');
const EXAMPLE = text('.env.example');
const PAGES = {
  'README.md': README,
  'requirements-free.md': REQUIREMENTS,
  'docs/networks.md': page('docs/networks.md'),
  'docs/stores.md': page('docs/stores.md'),
  'kestra/README.md': page('kestra/README.md'),
  'infra/README.md': page('infra/README.md'),
  'infra/aws/README.md': page('infra/aws/README.md'),
  'infra/snowflake/README.md': page('infra/snowflake/README.md'),
};
const PACKAGE = JSON.parse(text('package.json')) as Record<string, Record<string, string>>;

const ALL = Object.entries(VARIABLES) as [VariableName, Variable][];
const REQUIRED: readonly string[] = ['AMPLITUDE_API_KEY', 'AMPLITUDE_SECRET_KEY'];
const ONE_OF_TWO: readonly string[] = ['DESTINATION', 'S3_BUCKET'];

/** The part of the README under a heading, up to the next heading of that rank. */
function section(title: string): string {
  const [, after = ''] = README.split(`\n## ${title}\n`);
  const [found = ''] = after.split('\n## ');
  expect(found, title).not.to.equal('');
  return found;
}

const code = (name: string) => `\`${name}\``;
const firstCells = (of: string) => matches(/^\| `([^`]+)`/gm, of);

function defaultOf(name: VariableName, variable: Variable): string {
  if (MACHINE_DEFAULTS.includes(name)) return "the system's";
  if (variable.default !== undefined) return code(String(variable.default));
  if (REQUIRED.includes(name)) return '**required**';
  return ONE_OF_TWO.includes(name) ? '**one of the two**' : '';
}

describe('the README', () => {
  it('has a table of all settings, as the program knows them', () => {
    const [, table = ''] = /<!-- settings:.*?-->\n(.*)<!-- \/settings -->/s.exec(README) ?? [];
    const rows = ALL.map(([name, variable]) => {
      const aliases = (variable.aliases ?? []).map(code).join(', ');
      return `| ${code(name)} | ${aliases} | ${defaultOf(name, variable)} | ${variable.description} |`;
    });
    expect(table.trimEnd().split('\n')).to.deep.equal([
      '| variable | also read as | default |  |',
      '| --- | --- | --- | --- |',
      ...rows,
    ]);
  });

  it('names the secrets that may be given by file', () => {
    const [, list = ''] = /That holds for (.*) and their other names/.exec(section('Settings')) ?? [];
    expect(matches(/`([^`]+)`/g, list)).to.have.members(ALL.filter(([, { secret }]) => secret).map(([name]) => name));
  });

  it('names the sets of the Python scripts by names that are read', () => {
    const known = ALL.flatMap(([, { aliases = [] }]) => aliases);
    const rows = section('Coming from the Python scripts')
      .split('\n')
      .filter((line) => /^\| \d/.test(line));
    expect(rows).to.have.length(4);
    for (const name of matches(/`([^`]+)`/g, rows.join())) expect(known).to.include(name);
  });

  it('has a row for every error code', () => {
    expect(firstCells(section('When a run fails'))).to.deep.equal(Object.keys(ERRORS));
  });

  it('has every exit code', () => {
    const rows = matches(/^\| (\d+) \|/gm, section('Exit codes')).map(Number);
    expect(rows).to.have.members([...new Set(Object.values(EXIT))]);
  });

  it('has every command and flag, and no other', async () => {
    const commands = section('Commands and flags');
    const flagsOf = async (command: string) =>
      new Set(matches(/(?<![\w-])(--[a-z-]+)/g, await helpText(COMMANDS, command)));
    const cells = firstCells(commands).map((cell) => cell.split(' ')[0] ?? '');
    const flags = (of: readonly string[]) => of.filter((cell) => cell.startsWith('--'));
    expect(cells.filter((cell) => /^[a-z]/.test(cell) && cell !== 'help')).to.have.members(Object.keys(COMMANDS));
    const looking = firstCells(section('Is my data complete?').replaceAll('`, `', ' `\n| `'));
    expect(new Set(flags(looking.map((cell) => /^--[a-z-]+/.exec(cell)?.[0] ?? '')))).to.deep.equal(
      new Set([...(await flagsOf('status')), ...(await flagsOf('verify'))]),
    );
    // The help of a command mentions flags of others beside its own list.
    expect(flags(cells)).to.have.members([...(await flagsOf('export'))]);
    expect(flags(firstCells(section('The simulator')).map((cell) => cell.split(' ')[0] ?? ''))).to.have.members([
      ...(await flagsOf('simulate')),
    ]);
  });

  it('explains every field of a manifest', () => {
    const object = { key: '', bytes: 0, crc32: '', events: 0, member: '', source: { bytes: 0, crc32: '' } };
    const manifest = makeManifest(
      { hour: 0, generation: 1, project: null, objects: [object], quarantine: [] },
      { request: { start: '', end: '', at: '' }, sealedAt: '', tool: '', shrunk: { events: 0, at: '' } },
    );
    const fields = [...Object.keys(manifest), ...Object.keys(object).map((name) => `objects[].${name}`)];
    const table = section('What lands where')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(table.flatMap((row) => matches(/`([^`]+)`/g, row.split('|')[1] ?? ''))).to.have.members(fields);
    const [, shown = '{}'] = /```json\n(.*?)```/s.exec(section('What lands where')) ?? [];
    const optional = ['shrunk'];
    expect(Object.keys(JSON.parse(shown))).to.deep.equal(
      Object.keys(manifest).filter((name) => !optional.includes(name)),
    );
  });

  it('speaks of faults that there are', () => {
    const specs = matches(/--fault '?([a-z0-9@*T-]+)/g, README);
    const [, array = '[]'] = /--data '(\[.*?\])'/.exec(README) ?? [];
    expect(specs).not.to.have.length(0);
    for (const spec of [...specs, ...(JSON.parse(array) as string[])]) expect(() => parseFault(spec)).not.to.throw();
  });

  it('speaks of files that there are', () => {
    const paths = matches(/`((?:src|test)\/[^`]*)`/g, `${README}${REQUIREMENTS}`);
    expect(paths).not.to.have.length(0);
    for (const path of paths) expect(existsSync(join(ROOT, path)), path).to.equal(true);
  });
});

describe('every page', () => {
  for (const [name, content] of Object.entries(PAGES)) {
    it(`names commands that package.json has: ${name}`, () => {
      const scripts = Object.keys(PACKAGE.scripts ?? {});
      const named = [
        ...matches(/npm run (?:--silent )?([a-z0-9:]+)/g, content),
        ...matches(/npm (test|start)\b/g, content),
      ];
      expect(named).not.to.have.length(0);
      for (const script of named) expect(scripts).to.include(script);
    });

    it(`links to what is there: ${name}`, () => {
      const slugs = (of: string) =>
        matches(/^#+ (.*)$/gm, of).map((title) =>
          title
            .toLowerCase()
            .replace(/[^\w -]/g, '')
            .replaceAll(' ', '-'),
        );
      for (const target of matches(/\]\(([^)]+)\)/g, content)) {
        if (/^https:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? name : join(dirname(name), path);
        expect(existsSync(join(ROOT, file)), target).to.equal(true);
        if (anchor !== undefined) expect(slugs(text(file)), target).to.include(anchor);
      }
    });
  }
});

describe('.env.example', () => {
  const lines = EXAMPLE.split('\n');
  const assignments = lines.flatMap((line) => /^(#?)([A-Za-z0-9_]+)=(.*)$/.exec(line)?.slice(1) ?? []);
  const given = Array.from({ length: assignments.length / 3 }, (_, at) => {
    const [mark = '', name = '', value = ''] = assignments.slice(at * 3, at * 3 + 3);
    return { commented: mark === '#', name, value };
  });

  it('has every variable once', () => {
    expect(given.map(({ name }) => name)).to.have.members(Object.keys(VARIABLES));
    expect(given).to.have.length(ALL.length);
  });

  it('says of each what it is and what its default is', () => {
    for (const [name, variable] of ALL) {
      const at = lines.findIndex((line) => line.replace('#', '').startsWith(`${name}=`));
      expect(lines[at - 1], name).to.match(/^# /);
      expect(lines[at - 1], name).to.include(variable.description);
      if (variable.default !== undefined && !MACHINE_DEFAULTS.includes(name)) {
        expect(lines[at - 1], name).to.include(`Default: ${variable.default}.`);
      }
    }
  });

  it('leaves only what is required uncommented, and shows defaults or examples of the rest', () => {
    expect(given.filter(({ commented }) => !commented).map(({ name }) => name)).to.deep.equal([
      ...REQUIRED,
      'DESTINATION',
    ]);
    for (const { name, value } of given.filter(({ commented }) => commented)) {
      const { example, default: usual } = VARIABLES[name as VariableName] as Variable;
      expect(value, name).to.equal(
        MACHINE_DEFAULTS.includes(name as VariableName) ? example : String(usual ?? example),
      );
    }
  });

  it('has no quotes, and # at the beginning of lines only', () => {
    for (const { name, value } of given) expect(value, name).not.to.match(/["'#]|^\s|\s$/);
    for (const line of lines) expect(line).to.match(/^(# .*|#?[A-Z0-9_]+=\S+|)$/);
  });

  it('can be used as it stands, read by Node.js or by docker, with all lines or without the commented ones', () => {
    const all = EXAMPLE.replace(/^#(?=[A-Z])/gm, '');
    for (const content of [EXAMPLE, all]) {
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

describe('requirements-free.md', () => {
  const tableOf = (title: string) => {
    const [, after = ''] = REQUIREMENTS.split(`\n## ${title}\n`);
    const rows = (after.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
    return Object.fromEntries(
      rows
        .map((row) =>
          row
            .split('|')
            .slice(1, 4)
            .map((cell) => cell.trim().replaceAll('`', '')),
        )
        .map(([name = '', version = '', licence = '']) => [name, { version, licence }]),
    );
  };
  const TABLES = { dependencies: 'What a run needs', devDependencies: 'What development and tests need' };

  for (const [kind, title] of Object.entries(TABLES)) {
    it(`lists the ${kind} of package.json with version and licence`, () => {
      const listed = tableOf(title);
      const wanted = PACKAGE[kind] ?? {};
      expect(Object.keys(listed)).to.have.members(Object.keys(wanted));
      for (const [name, { version, licence }] of Object.entries(listed)) {
        expect(`^${version}`, name).to.equal(wanted[name]);
        const { license } = JSON.parse(text(`node_modules/${name}/package.json`)) as { license: string };
        expect(licence.toLowerCase(), name).to.include(license.toLowerCase().replace(/[()]/g, ''));
      }
    });
  }

  it('has all that the program imports among what a run needs', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const imported = sources.flatMap((name) => matches(/\bfrom '([^.'][^']*)'/g, text(join('src', name))));
    const packages = new Set(
      imported
        .filter((name) => !name.startsWith('node:'))
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        ),
    );
    expect(Object.keys(tableOf(TABLES.dependencies))).to.include.members([...packages]);
  });
});
