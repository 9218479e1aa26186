import { execSync } from 'node:child_process';
import { enableCompileCache } from 'node:module';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** Of the program and of the tests, which start it hundreds of times: what Node.js has compiled once, it keeps. */
export const COMPILED = resolve(ROOT, 'node_modules/.cache/compiled');
enableCompileCache(COMPILED);

/** The tests run the built program, and no test builds it: mocha calls this once, before the first of them. */
export function mochaGlobalSetup(): void {
  execSync('npm run --silent build', { cwd: ROOT, stdio: 'inherit' });
}
