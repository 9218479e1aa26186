import { createRequire } from 'node:module';

/** The version in package.json, which lies beside dist/ and src/ alike. */
export const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;

/** As manifests name the program that wrote them. */
export const TOOL = `amplitude-to-s3 ${VERSION}`;

/** The first one whose agents know proxies and that takes more certificates while it runs. */
const OLDEST_NODE = [24, 5] as const;

/** What is wrong with a version of Node.js, such as `v20.19.5`; undefined for one that runs this program. */
export function nodeProblem(version: string): string | undefined {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  const [oldest, atLeast] = OLDEST_NODE;
  if (major !== undefined && minor !== undefined && (major > oldest || (major === oldest && minor >= atLeast))) {
    return undefined;
  }
  return `This is Node.js ${version}; amplitude-to-s3 needs Node.js ${OLDEST_NODE.join('.')} or newer.`;
}
