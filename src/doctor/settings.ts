import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { withoutUserinfo } from '../config/credentials.ts';
import { find } from '../config/names.ts';
import type { ConfigError, Environment, Settings } from '../config/settings.ts';
import type { VariableName } from '../config/variables.ts';
import { addressingOf } from '../destination/s3/client.ts';
import { systemCode } from '../errors.ts';
import { type ProxyEnv, trust } from '../network.ts';
import { type Check, ok, warned } from './check.ts';

/** The settings that a run would use, and each name that looks misspelt. */
export function settingsChecks(settings: Settings, env: Environment): Check[] {
  const hint = 'Correct the setting, or remove it from the environment.';
  return [ok('settings', used(settings, env)), ...settings.warnings.map((text) => warned('settings', text, hint))];
}

/** A check for each problem; the last one says what to do about them. */
export function unusableChecks({ problems, code, hint }: ConfigError): Check[] {
  return problems.map((message, position) => {
    const isLast = position === problems.length - 1 && hint !== undefined;
    return { check: 'settings', status: 'failed', message, code, ...(isLast ? { hint } : {}) };
  });
}

function used({ amplitude, destination, s3, outputFormat }: Settings, env: Environment): string {
  const nameOf = (variable: VariableName) => find(variable, env, [], [])?.name;
  const region = nameOf('AMPLITUDE_BASE_URL') === undefined ? ` (${amplitude.region})` : '';
  const source = `${amplitude.baseUrl}${region}`;
  if (destination.kind === 'file') return `${source} → ${destination.folder}, ${outputFormat}`;
  const bucket = `s3://${destination.bucket}/${destination.prefix}`;
  const inRegion = s3.region === undefined ? '' : ` in ${s3.region}`;
  const endpoint = s3.endpoint === undefined ? '' : ` at ${s3.endpoint}`;
  const keys = s3.credentials === undefined ? "the SDK's chain (profile, role, …)" : nameOf('AWS_ACCESS_KEY_ID');
  return `${source} → ${bucket}${inRegion}${endpoint}, ${outputFormat}; AWS keys from ${keys}`;
}

/** The proxy of each side. Whether it works is found out by the requests to that side. */
export async function proxyCheck({ amplitude, destination, s3 }: Settings): Promise<Check> {
  const sides = [`Amplitude ${wayTo(new URL(amplitude.baseUrl), amplitude.proxyEnv)}`];
  if (destination.kind === 's3') sides.push(`the store ${wayTo(storeUrl(destination.bucket, s3), s3.proxyEnv)}`);
  return ok('proxy', sides.join(', '));
}

function wayTo(url: URL, env: ProxyEnv): string {
  const proxy = url.protocol === 'https:' ? env.HTTPS_PROXY : env.HTTP_PROXY;
  if (proxy === undefined) return 'directly';
  return bypasses(url, env.NO_PROXY ?? '') ? 'directly (NO_PROXY)' : `through ${withoutUserinfo(proxy)}`;
}

function storeUrl(bucket: string, s3: Settings['s3']): URL {
  const { endpoint, region = 'us-east-1' } = s3;
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`);
  if (addressingOf(s3) === 'virtual') url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

/** Whether Node.js's agents reach `url` without the proxy, by the forms of NO_PROXY in its documentation. */
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

/** Trusts the extra certificates from here on. Throws CONFIG where that fails. */
export async function certificatesCheck({ caBundle }: Settings, env: Environment): Promise<Check> {
  trust(caBundle);
  const extra = env.NODE_EXTRA_CA_CERTS ?? '';
  if (extra !== '') {
    const problem = await access(extra, constants.R_OK).catch((error: unknown) => error);
    const message = `NODE_EXTRA_CA_CERTS names ${extra}, which cannot be read (${systemCode(problem)}). Node.js ignores it.`;
    const hint = 'Name a PEM file of certificates that this user may read, or unset the variable.';
    if (problem !== undefined) return warned('certificates', message, hint);
  }
  const files = [
    ...(caBundle === undefined ? [] : [`AWS_CA_BUNDLE (${caBundle})`]),
    ...(extra === '' ? [] : [`NODE_EXTRA_CA_CERTS (${extra})`]),
  ];
  return ok('certificates', files.length === 0 ? "Node.js's own" : `Node.js's own and those of ${files.join(' and ')}`);
}
