import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import tls from 'node:tls';
import type { ProxyEnv } from './config/settings.ts';
import { causesOf, codeOf, EXIT, JobError, systemCode } from './errors.ts';

export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/**
 * Agents that go through the proxies of `proxyEnv`, by Node.js's own rules for them. `tunnelMs` is how long a proxy may
 * take to open a tunnel: clients count from the socket on, which a tunnel is only once it stands.
 */
export function agentsFor(
  proxyEnv: ProxyEnv,
  maxSockets = Number.POSITIVE_INFINITY,
  tunnelMs: number | undefined = undefined,
): Agents {
  const options = { keepAlive: true, maxSockets, proxyEnv, ...(tunnelMs === undefined ? {} : { timeout: tunnelMs }) };
  return { http: new http.Agent(options), https: new https.Agent(options) };
}

/** Trusts the certificates of a file beside the usual ones, in all of this process. Throws CONFIG where it cannot. */
export function trust(caBundle: string | undefined): void {
  if (caBundle === undefined) return;
  try {
    const certificates = readFileSync(caBundle, 'utf8');
    // Node.js takes a text without any certificate for none, and says nothing.
    if (!/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(certificates))
      throw new Error('it holds no certificate');
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificates]);
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

/**
 * What passes by itself, for both clients. Not ENOTFOUND: a name that nobody knows is a slip of the pen, while a resolver
 * that cannot answer now says EAI_AGAIN.
 */
const TRANSIENT = new Set([
  'EAI_AGAIN',
  'ETIMEDOUT',
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'EPROTO',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  // Of this machine: too many connections at once.
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'EMFILE',
  'ENFILE',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Whether the network may carry the same request a moment later. */
export function isTransientCause(error: unknown): boolean {
  if (codeOf(error, CERTIFICATE) !== undefined) return false;
  const tunnel = tunnelError(error);
  if (tunnel !== undefined) return (statusOf(tunnel) ?? 500) >= 500;
  // A proxy or server that speaks broken HTTP or TLS mostly speaks it once.
  if (codeOf(error, /^(?:HPE_|ERR_SSL_)/) !== undefined) return true;
  for (const { code, message } of causesOf(error) as Iterable<Error & { code?: unknown }>) {
    if (typeof code === 'string' && TRANSIENT.has(code)) return true;
    if (/socket hang up|request was closed/.test(message)) return true;
  }
  return false;
}

/** The codes by which Node.js tells that a certificate cannot be verified. */
const CERTIFICATE =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_CERT_|ERR_TLS_CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$)/;

export const PROXY_HINT =
  'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY. A user name and password stand before the host: http://user:password@host:port. A host that NO_PROXY names is asked without the proxy.';

interface Asked {
  readonly proxyEnv: ProxyEnv;
  /** As people know it. */
  readonly host: string;
}

/** Trouble with a proxy or a certificate, which is the same for both clients; undefined for any other. */
export function networkError(error: unknown, { proxyEnv, host }: Asked): JobError | undefined {
  const certificate = codeOf(error, CERTIFICATE);
  if (certificate !== undefined) return certificateError(certificate, error, host);
  const why = whyOfProxy(error, proxyEnv, host);
  if (why === undefined) return undefined;
  return new JobError('PROXY', why, { cause: error, endsRun: true, hint: PROXY_HINT });
}

/** A 407 that came as an answer: a proxy wants to know who asks, or refuses who does. */
export function proxyRefusal(proxy: string | undefined): JobError {
  return new JobError('PROXY', refusedUser(proxy), { endsRun: true, hint: PROXY_HINT });
}

function certificateError(code: string, error: unknown, host: string): JobError {
  const text = [...causesOf(error)].at(-1)?.message ?? '';
  const hint =
    code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID'
      ? "Check this machine's clock first. If that is right, the certificate has to be renewed; where a proxy issues it,"
      : code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH'
        ? 'Check the host name in AMPLITUDE_BASE_URL or AWS_ENDPOINT_URL_S3, which is none of those in the certificate. Where a proxy issues it,'
        : 'Where your organisation issues its own certificates,';
  return new JobError('CERTIFICATE', `The certificate of ${host} cannot be verified (${code}: ${text}).`, {
    cause: error,
    endsRun: true,
    hint: `${hint} name a file with the CA's certificate (PEM) in AWS_CA_BUNDLE, or in NODE_EXTRA_CA_CERTS.`,
  });
}

interface TunnelError extends Error {
  readonly statusCode?: number;
}

function tunnelError(error: unknown): TunnelError | undefined {
  // The innermost: got copies the code of a cause, and not its status.
  return [...causesOf(error)].findLast((at) => (at as { code?: unknown }).code === 'ERR_PROXY_TUNNEL');
}

/** Undefined where the proxy gave none, or one that cannot be read. */
function statusOf({ statusCode }: TunnelError): number | undefined {
  return Number.isInteger(statusCode) ? statusCode : undefined;
}

function whyOfProxy(error: unknown, proxyEnv: ProxyEnv, host: string): string | undefined {
  const tunnel = tunnelError(error);
  if (tunnel !== undefined) {
    const status = statusOf(tunnel);
    if (status === 407) return refusedUser(proxyEnv.HTTPS_PROXY);
    const said = status === undefined ? tunnel.message : `HTTP ${status}`;
    return `The proxy ${withoutUser(proxyEnv.HTTPS_PROXY)} opened no connection to ${host} (${said}).`;
  }
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  if ($metadata?.httpStatusCode === 407) return refusedUser(proxyEnv.HTTP_PROXY ?? proxyEnv.HTTPS_PROXY);
  const proxy = [proxyEnv.HTTPS_PROXY, proxyEnv.HTTP_PROXY].find((url) => url !== undefined && failedAt(error, url));
  if (proxy === undefined) return undefined;
  return `The proxy ${withoutUser(proxy)} cannot be reached (${systemCode(error)}).`;
}

/** Whether it is the proxy to which no connection came about. */
function failedAt(error: unknown, proxy: string): boolean {
  const { hostname, port, protocol } = new URL(proxy);
  const host = hostname.replace(/^\[|\]$/g, '');
  const at = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  for (const cause of causesOf(error) as Iterable<NodeJS.ErrnoException & { address?: string; port?: number }>) {
    const { syscall, address, port: tried } = cause;
    if (syscall === 'getaddrinfo') return (cause as { hostname?: string }).hostname === host;
    if (syscall === 'connect' && tried === at && (isIP(host) === 0 || address === host)) return true;
  }
  return false;
}

function refusedUser(proxy: string | undefined): string {
  const { username = '', password = '' } = URL.parse(proxy ?? '') ?? {};
  const said =
    username + password === ''
      ? 'asks for a user name and a password'
      : 'refuses the user name and the password that are given';
  return `The proxy${proxy === undefined ? '' : ` ${withoutUser(proxy)}`} ${said} (HTTP 407).`;
}

function withoutUser(proxy: string | undefined): string {
  const { protocol = '', host = '' } = URL.parse(proxy ?? '') ?? {};
  return `${protocol}//${host}`;
}
