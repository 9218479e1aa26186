import { createRequire } from 'node:module';

/** The version in package.json, which is beside both dist/ and src/. */
export const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;

/** The name of this program in manifests. */
export const TOOL = `amplitude-to-s3 ${VERSION}`;

/** The first version whose agents know proxies and that takes more certificates while it runs. */
const OLDEST_NODE = [24, 5] as const;

/** What is wrong with a version of Node.js, such as `v20.19.5`; undefined for one that runs this program. */
export function nodeProblem(version: string): string | undefined {
  const [, major = 0, minor = 0] = /^v?(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  const [oldest, atLeast] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= atLeast)) return undefined;
  return `This is Node.js ${version}; amplitude-to-s3 needs Node.js ${OLDEST_NODE.join('.')} or newer.`;
}

/** How to get the right Node.js. npm's scripts use the one in node_modules, where the package `node` could fetch it. */
export function nodeHint(startedByNpm: boolean): string {
  return startedByNpm
    ? 'npm has no Node.js of its own here: run `npm ci` without --ignore-scripts, and it fetches Node.js 24 for its scripts. Or install Node.js 24 on this machine.'
    : 'Run it with `npm start`: `npm ci` fetches Node.js 24 for that. Or install Node.js 24 on this machine; then `npm ci --ignore-scripts` is enough.';
}
