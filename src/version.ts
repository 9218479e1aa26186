import { createRequire } from 'node:module';

/** The version in package.json, which lies beside dist/ and src/ alike. */
export const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;

/** As manifests name the program that wrote them. */
export const TOOL = `amplitude-to-s3 ${VERSION}`;
