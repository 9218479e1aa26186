import { execSync } from 'node:child_process';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** The tests run the built program, and no test builds it: mocha calls this once, before the first of them. */
export function mochaGlobalSetup(): void {
  execSync('npm run --silent build', { cwd: ROOT, stdio: 'inherit' });
}
