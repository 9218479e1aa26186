import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Python environment with these packages, made once for these versions, in a folder that git and npm leave alone. */
export async function venv(name: string, packages: readonly string[]): Promise<string> {
  const folder = resolve(import.meta.dirname, '../../node_modules/.cache', name);
  const mark = resolve(folder, '.installed');
  if ((await readFile(mark, 'utf8').catch(() => '')) === packages.join(' ')) return folder;
  process.stderr.write(`Installing once, with python3 and pip: ${packages.join(', ')}\n`);
  await rm(folder, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', folder]);
  await run(`${folder}/bin/pip`, ['install', '-q', '--disable-pip-version-check', ...packages]);
  await writeFile(mark, packages.join(' '));
  return folder;
}
