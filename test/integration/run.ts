import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

/** `npm run test:integration [suite …]`: the suites that need a server, an engine or a minute. Without a name, all. */
const HERE = import.meta.dirname;
const ROOT = resolve(HERE, '../..');
const SUITES = readdirSync(HERE, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !SUITES.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no suite ${unknown.join(', ')}. There are ${SUITES.join(', ')}.\n`);
  process.exit(2);
}

function must(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const suites = asked.length > 0 ? asked : SUITES;
// The AWS clients have a package of their own, so that no run of the job installs them.
const clients = join(HERE, 'aws');
if (suites.includes('aws') && !existsSync(join(clients, 'node_modules'))) {
  must('npm', ['ci', '--prefix', clients, '--no-audit', '--no-fund', '--loglevel=error']);
}
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
must(process.execPath, [mocha, ...suites.map((suite) => join('test/integration', suite, '*.test.ts'))]);
