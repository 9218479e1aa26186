import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import type { ProxyEnv } from './config.ts';
import { EXIT, JobError, systemCode } from './errors.ts';

export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/** Agents that go through the proxies of `proxyEnv`, by Node.js's own rules for them. */
export function agentsFor(proxyEnv: ProxyEnv, maxSockets = Number.POSITIVE_INFINITY): Agents {
  const options = { keepAlive: true, maxSockets, proxyEnv };
  return { http: new http.Agent(options), https: new https.Agent(options) };
}

/** Trusts the certificates of a file beside the usual ones, in all of this process. Throws CONFIG where it cannot. */
export function trust(caBundle: string | undefined): void {
  if (caBundle === undefined) return;
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync(caBundle, 'utf8')]);
  } catch (error) {
    const why = systemCode(error) ?? (error as Error).message;
    throw new JobError('CONFIG', `AWS_CA_BUNDLE names ${caBundle}, which cannot be used (${why}).`, {
      cause: error,
      endsRun: true,
      exitCode: EXIT.usage,
      hint: 'Name a file of certificates in PEM form that this user may read.',
    });
  }
}
