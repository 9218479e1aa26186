import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';

const FOLDER = resolve(import.meta.dirname, '../../infra/snowflake');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
const read = (name: string) => readFileSync(resolve(FOLDER, name), 'utf8');
const code = (name: string) => read(name).replace(/^\s*--.*$/gm, '');
const all = FILES.map(code).join('\n');
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found);

/** With its placeholders. */
const NAME = '((?:<% \\w+ %>|[\\w.])+)';

/** The lines between a heading of the page and the next one. */
function section(heading: string): string[] {
  const [, after = ''] = read('README.md').split(`\n## ${heading}\n`);
  return (after.split('\n## ')[0] ?? '').replaceAll('\\\n', ' ').split('\n');
}

describe('the statements for Snowflake', () => {
  it('carry the name of the project in all that belongs to the account', () => {
    const kinds = 'ROLE|USER|WAREHOUSE|RESOURCE MONITOR|STORAGE INTEGRATION|SCHEMA';
    const names = matches(all, new RegExp(`CREATE (?:${kinds}) IF NOT EXISTS ${NAME}`, 'g'));
    expect(names).to.have.length(9);
    for (const name of names) expect(name).to.match(/^<% name %>_|\.<% name %>$/);
  });

  it('give the values of a new run to what is there already', () => {
    for (const kind of ['USER', 'WAREHOUSE', 'RESOURCE MONITOR', 'STORAGE INTEGRATION', 'STAGE']) {
      const created = matches(all, new RegExp(`CREATE ${kind} IF NOT EXISTS ${NAME}`, 'g'));
      expect(created, kind).not.to.have.length(0);
      for (const name of created) {
        const body = (start: string) => all.slice(all.indexOf(start) + start.length).split(';')[0] ?? '';
        const made = body(`CREATE ${kind} IF NOT EXISTS ${name}`);
        const settings = matches(made, /^\s*((?:URL|STORAGE_\w+) = .*)$/gm).filter(
          (line) => !line.startsWith('STORAGE_PROVIDER'),
        );
        expect(all, name).to.include(`ALTER ${kind} ${name} SET`);
        for (const setting of settings) expect(body(`ALTER ${kind} ${name} SET`), name).to.include(setting);
      }
    }
  });

  it('name in their head each value that they take', () => {
    for (const name of FILES) {
      const taken = new Set(matches(code(name), /<% (\w+) %>/g));
      const head = new Set(matches(read(name), /-D ['"]?(\w+)=/g));
      expect(head, name).to.deep.equal(taken);
    }
  });

  it('allow Snowflake the folders that its role in AWS may read, and no other', () => {
    const folders = ['events', 'manifests'].map((folder) => `s3://<% bucket %>/<% prefix %>/${folder}/`);
    const integration = code('02_storage_integration.sql');
    for (const allowed of matches(integration, /STORAGE_ALLOWED_LOCATIONS = \((.*)\)/g)) {
      expect(matches(allowed, /'([^']+)'/g)).to.deep.equal(folders);
    }
    expect(new Set(matches(code('03_stages.sql'), /URL = '([^']+)'/g))).to.deep.equal(new Set(folders));
    const template = readFileSync(resolve(FOLDER, '../aws/amplitude-landing.yaml'), 'utf8');
    const [, role = ''] = template.split('\n  SnowflakeRole:\n');
    const readable = matches(role, /\$\{Prefix\}\/(\w+)\/\*/g);
    expect(new Set(readable)).to.deep.equal(new Set(['events', 'manifests']));
  });

  it('copy into tables without a memory, so that nothing is skipped', () => {
    const targets = matches(all, /COPY INTO (\w+)/g);
    expect(targets).to.have.length(2);
    for (const target of targets) expect(all).to.include(`CREATE OR REPLACE TEMPORARY TABLE ${target} (`);
    // A temporary table with the name of another one needs OWNERSHIP of that.
    for (const target of targets) expect(code('04_tables.sql')).not.to.match(new RegExp(`\\b${target}\\b`));
    expect(all).not.to.include('FORCE');
  });

  it('lose no value in silence: each cast is by a named type and format, and counted', () => {
    const [, events = ''] = /TABLE IF NOT EXISTS events \(([^;]*)\);/.exec(code('04_tables.sql')) ?? [];
    const columns = [...events.matchAll(/^\s+(\w+) (\w+)/gm)].map(([, name = '', type = '']) => ({ name, type }));
    const own = ['hour', 'nulled', 'file_name', 'row_number', 'loaded_at'];
    const load = code('10_load_batch.sql');
    for (const { name, type } of columns.filter((column) => !own.includes(column.name))) {
      const [, how = ''] =
        new RegExp(`^    (TRY_TO\\w+\\(\\n(?: {8}.*\\n){2} {4}\\)|\\S.*) AS ${name},?$`, 'm').exec(load) ?? [];
      if (type === 'TIMESTAMP_NTZ')
        expect(how, name).to.match(/^TRY_TO_TIMESTAMP_NTZ\(.*,\s+'YYYY-MM-DD HH24:MI:SS.FF6'\s+\)$/s);
      else if (type === 'VARIANT') expect(how, name).to.match(/^STRIP_NULL_VALUE\(/);
      else if (type === 'VARCHAR') expect(how, name).to.match(/^event:.*::VARCHAR$/);
      else expect(how, name).to.match(new RegExp(`^TRY_CAST\\(.*::VARCHAR AS ${type}`));
      const counted = load.includes(`IFF(${name} IS NULL AND event:${name}::VARCHAR <> '', '${name}', NULL)`);
      expect(counted, name).to.equal(!['VARIANT', 'VARCHAR'].includes(type));
    }
    expect(all).not.to.match(/AS TIMESTAMP/);
  });

  it('compare with the manifests what was counted in the load, and read no event for it', () => {
    const [, reconciliation = ''] = code('05_views.sql').split('VIEW reconciliation');
    expect(new Set(matches(reconciliation, /(?:FROM|JOIN) (\w{2,})/g))).to.deep.equal(
      new Set(['manifests', 'loads', 'counted', 'attempts']),
    );
    expect(matches(code('11_reconciliation.sql'), /(?:FROM|JOIN) (\w+)/g)).to.deep.equal(['reconciliation']);
  });
});

describe("Snowflake's check-list for a first real run", () => {
  const list = section('Your first real run');

  it('turns the other roles of an administrator off wherever a statement must fail', () => {
    const lines = list.filter((line) => /must fail$/.test(line));
    expect(lines).to.have.length(3);
    for (const line of lines) expect(line).to.match(/-q "USE SECONDARY ROLES NONE;/);
  });

  it('fits on a page, and holds nothing that can change or remove data', () => {
    expect(list).to.have.length.at.most(45);
    const statements = matches(list.join('\n'), /-q "([^"]*)"/g)
      .join(';')
      .split(';');
    expect(statements).to.have.length.above(8);
    for (const statement of statements.map((text) => text.trim())) {
      expect(statement).to.match(/^(?:USE SECONDARY|SELECT|LIST|CREATE TEMPORARY STAGE|UPDATE loads .* WHERE FALSE$)/);
    }
    for (const file of matches(list.join('\n'), /(\d\d_\w+\.sql)/g)) {
      expect(code(file), file).not.to.match(/\b(?:DROP|DELETE|TRUNCATE|INSERT|UPDATE|REPLACE (?!\()|ALTER)\b/);
    }
  });
});
