import { createRequire } from 'node:module';

/** The version in package.json, which lies beside dist/ and src/ alike. */
export const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;

/** As manifests name the program that wrote them. */
export const TOOL = `amplitude-to-s3 ${VERSION}`;

const OLDEST_NODE = 24;

/** What is wrong with a version of Node.js, such as `v20.19.5`; undefined for one that runs this program. */
export function nodeProblem(version: string): string | undefined {
  if (Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0) >= OLDEST_NODE) return undefined;
  return `This is Node.js ${version}; amplitude-to-s3 needs Node.js ${OLDEST_NODE} or newer.`;
}
