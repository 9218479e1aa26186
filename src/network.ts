import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import tls from 'node:tls';
import { causesOf, codeOf, JobError, systemCode } from './errors.ts';

/** The proxies, as Node.js's agents take them. */
export type ProxyEnv = Readonly<Partial<Record<'HTTPS_PROXY' | 'HTTP_PROXY' | 'NO_PROXY', string>>>;

export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/**
 * Agents that use the proxies of `proxyEnv`, by Node.js's own rules. `tunnelMs` is how long a proxy may take to open a
 * tunnel: the time-outs of clients start when the tunnel is open.
 */
export function agentsFor(proxyEnv: ProxyEnv, maxSockets = Number.POSITIVE_INFINITY, tunnelMs?: number): Agents {
  const options = { keepAlive: true, maxSockets, proxyEnv, ...(tunnelMs === undefined ? {} : { timeout: tunnelMs }) };
  return { http: new http.Agent(options), https: new https.Agent(options) };
}

/** Trusts the certificates of a file besides the usual ones, in the whole process. */
export function trust(caBundle: string | undefined): void {
  if (caBundle === undefined) return;
  try {
    const certificates = readFileSync(caBundle, 'utf8');
    // Node.js takes a text without any certificate and says nothing.
    if (!/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(certificates))
      throw new Error('it holds no certificate');
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificates]);
  } catch (error) {
    const why = systemCode(error) ?? (error as Error).message;
    throw new JobError('CONFIG', `AWS_CA_BUNDLE names ${caBundle}, which cannot be used (${why}).`, {
      cause: error,
      endsRun: true,
      hint: 'Name a file of certificates in PEM form that this user may read.',
    });
  }
}

const TRANSIENT = [
  // Not ENOTFOUND: a name that nobody knows is a mistake, while a resolver that cannot answer now says EAI_AGAIN.
  /^(?:EAI_AGAIN|ETIMEDOUT|ECONNRESET|ECONNREFUSED|ECONNABORTED|EPIPE|EPROTO|ERR_STREAM_PREMATURE_CLOSE)$/,
  /^(?:ENETUNREACH|ENETDOWN|ENETRESET|EHOSTUNREACH|EHOSTDOWN)$/,
  // This machine has too many connections at once.
  /^(?:EADDRNOTAVAIL|ENOBUFS|EMFILE|ENFILE)$/,
  // A proxy or server that speaks broken HTTP or TLS mostly does it once.
  /^(?:HPE_|ERR_SSL_)/,
];

/** Node.js's codes for a certificate that cannot be verified. */
const CERTIFICATE =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_CERT_|ERR_TLS_CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$)/;

/** Whether the network may carry the same request a moment later. Holds for both clients. */
export function isTransientCause(error: unknown): boolean {
  if (codeOf(error, CERTIFICATE) !== undefined) return false;
  const tunnel = tunnelError(error);
  if (tunnel !== undefined) return (statusOf(tunnel) ?? 500) >= 500;
  return TRANSIENT.some((codes) => codeOf(error, codes) !== undefined);
}

export const PROXY_HINT =
  'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY. A user name and password stand before the host: http://user:password@host:port. Hosts in NO_PROXY are reached without the proxy.';

/** An error of a proxy or a certificate, which means the same for both clients; undefined for any other. */
export function networkError(error: unknown, asked: { proxyEnv: ProxyEnv; host: string }): JobError | undefined {
  const { proxyEnv, host } = asked;
  const certificate = codeOf(error, CERTIFICATE);
  if (certificate !== undefined) return certificateError(certificate, error, host);
  const why = proxyProblem(error, proxyEnv, host);
  return why === undefined ? undefined : new JobError('PROXY', why, { cause: error, endsRun: true, hint: PROXY_HINT });
}

/** The error of a 407 that came as an answer. */
export function proxyRefusal(proxy: string | undefined): JobError {
  return new JobError('PROXY', refusedUser(proxy), { endsRun: true, hint: PROXY_HINT });
}

function certificateError(code: string, cause: unknown, host: string): JobError {
  const text = [...causesOf(cause)].at(-1)?.message ?? '';
  return new JobError('CERTIFICATE', `The certificate of ${host} cannot be verified (${code}: ${text}).`, {
    cause,
    endsRun: true,
    hint: "If it has expired, check this machine's clock. If it is for another host name, check AMPLITUDE_BASE_URL or AWS_ENDPOINT_URL_S3. If your organisation issues its own certificates, name a file with the CA's certificate (PEM) in AWS_CA_BUNDLE, or in NODE_EXTRA_CA_CERTS.",
  });
}

/** An error of Node.js or a client: each sets some of these. */
interface NetworkCause extends Error {
  readonly code?: unknown;
  readonly syscall?: string;
  readonly hostname?: string;
  readonly address?: string;
  readonly port?: number;
  readonly statusCode?: number;
}

function tunnelError(error: unknown): NetworkCause | undefined {
  // The innermost one: got copies the code of a cause, but not its status.
  return [...causesOf(error)].findLast((cause: NetworkCause) => cause.code === 'ERR_PROXY_TUNNEL');
}

/** Undefined if the proxy gave none, or one that cannot be read. */
function statusOf({ statusCode }: NetworkCause): number | undefined {
  return Number.isInteger(statusCode) ? statusCode : undefined;
}

function proxyProblem(error: unknown, { HTTPS_PROXY, HTTP_PROXY }: ProxyEnv, host: string): string | undefined {
  const tunnel = tunnelError(error);
  if (tunnel !== undefined) {
    const status = statusOf(tunnel);
    if (status === 407) return refusedUser(HTTPS_PROXY);
    const said = status === undefined ? tunnel.message : `HTTP ${status}`;
    return `The proxy ${withoutUser(HTTPS_PROXY)} opened no connection to ${host} (${said}).`;
  }
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  if ($metadata?.httpStatusCode === 407) return refusedUser(HTTP_PROXY ?? HTTPS_PROXY);
  const proxy = [HTTPS_PROXY, HTTP_PROXY].find((url) => url !== undefined && failedToConnect(error, url));
  return proxy && `The proxy ${withoutUser(proxy)} cannot be reached (${systemCode(error)}).`;
}

function failedToConnect(error: unknown, proxy: string): boolean {
  const { hostname, port, protocol } = new URL(proxy);
  const host = hostname.replace(/^\[|\]$/g, '');
  const proxyPort = Number(port || (protocol === 'https:' ? 443 : 80));
  for (const cause of causesOf(error) as Iterable<NetworkCause>) {
    if (cause.syscall === 'getaddrinfo') return cause.hostname === host;
    if (cause.syscall === 'connect' && cause.port === proxyPort && (isIP(host) === 0 || cause.address === host))
      return true;
  }
  return false;
}

function refusedUser(proxy: string | undefined): string {
  const { username = '', password = '' } = URL.parse(proxy ?? '') ?? {};
  const said =
    username + password === '' ? 'asks for a user name and a password' : 'refuses the user name and the password';
  return `The proxy${proxy === undefined ? '' : ` ${withoutUser(proxy)}`} ${said} (HTTP 407).`;
}

function withoutUser(proxy: string | undefined): string {
  const { protocol = '', host = '' } = URL.parse(proxy ?? '') ?? {};
  return `${protocol}//${host}`;
}
