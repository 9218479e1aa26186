import type { ProxyEnv } from '../network.ts';

/** What the settings say of those who hear of a run besides its caller. */
export interface Watch {
  readonly metricsFile: string | undefined;
  readonly notifyUrl: string | undefined;
  /** As people write it; undefined if it is not set or cannot be read. */
  readonly destination: string | undefined;
  readonly proxyEnv: ProxyEnv;
  readonly caBundle: string | undefined;
  readonly secrets: readonly string[];
}

/** Shorter parts of an address are words, such as `services`. */
const LEAST_TOKEN = 12;

/** What of a webhook's address lets anybody post there: all of it, what follows its host, and each part that looks random. */
export function secretsIn(webhook: string | undefined): string[] {
  const url = URL.parse(webhook ?? '');
  if (url === null) return [];
  const { href, pathname, search, password } = url;
  const parts = [pathname.slice(1) + search, ...pathname.split('/'), ...url.searchParams.values()];
  return [href, password, ...parts.filter((part) => part.length >= LEAST_TOKEN)].filter((part) => part !== '');
}
