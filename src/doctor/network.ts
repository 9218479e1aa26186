import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { withoutUserinfo } from '../config/credentials.ts';
import type { Environment, Settings } from '../config/settings.ts';
import { addressingOf } from '../destination/s3/client.ts';
import { systemCode } from '../errors.ts';
import { type ProxyEnv, trust } from '../network.ts';
import { type Check, ok, warned } from './check.ts';

/** Which proxy each side goes through. Whether it works, the request to that side tells. */
export async function proxyCheck({ amplitude, destination, s3 }: Settings): Promise<Check> {
  const sides = [`Amplitude ${wayTo(amplitude.baseUrl, amplitude.proxyEnv)}`];
  if (destination.kind === 's3') sides.push(`the store ${wayTo(storeUrl(destination.bucket, s3), s3.proxyEnv)}`);
  return ok('proxy', sides.join(', '));
}

function wayTo(address: string, env: ProxyEnv): string {
  const url = new URL(address);
  const proxy = url.protocol === 'https:' ? env.HTTPS_PROXY : env.HTTP_PROXY;
  if (proxy === undefined) return 'directly';
  return bypasses(url, env.NO_PROXY ?? '') ? 'directly, by NO_PROXY' : `through ${withoutUserinfo(proxy)}`;
}

function storeUrl(bucket: string, s3: Settings['s3']): string {
  const { endpoint, region = 'us-east-1' } = s3;
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`);
  if (addressingOf(s3) === 'virtual') url.hostname = `${bucket}.${url.hostname}`;
  return url.href;
}

/** Whether Node.js's agents leave the proxy out for `url`, by the forms of NO_PROXY that its documentation lists. */
export function bypasses(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy.split(',').some((given) => {
    const entry = given.trim().toLowerCase();
    if (entry === '*' || entry === host || entry === `${host}:${port}`) return true;
    if (entry.startsWith('.')) return host === entry.slice(1) || host.endsWith(entry);
    if (entry.startsWith('*.')) return host.endsWith(entry.slice(1));
    const [first = '', last = ''] = entry.split('-').map((ip) => ip.trim());
    return [host, first, last].every(isIPv4) && number(first) <= number(host) && number(host) <= number(last);
  });
}

const number = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/** Makes the certificates count that are trusted besides the usual ones. Throws CONFIG where that fails. */
export async function certificatesCheck({ caBundle }: Settings, env: Environment): Promise<Check> {
  trust(caBundle);
  const named = caBundle === undefined ? [] : [`AWS_CA_BUNDLE (${caBundle})`];
  const extra = env.NODE_EXTRA_CA_CERTS ?? '';
  if (extra !== '') {
    const problem = await access(extra, constants.R_OK).catch((error: unknown) => error);
    if (problem !== undefined) {
      return warned(
        'certificates',
        `NODE_EXTRA_CA_CERTS names ${extra}, which cannot be read (${systemCode(problem)}). Node.js goes on without it.`,
        'Name a file of certificates in PEM form that this user may read, or unset the variable.',
      );
    }
    named.push(`NODE_EXTRA_CA_CERTS (${extra})`);
  }
  return ok(
    'certificates',
    named.length === 0 ? "Node.js's own" : `Node.js's own, and those of ${named.join(' and ')}`,
  );
}
