import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { ClockCheck } from '../../../src/amplitude/clock.ts';
import type { ExportApiOptions } from '../../../src/amplitude/request.ts';
import { MemoryBudget } from '../../../src/archive/memory.ts';
import { loadSettings, type Settings } from '../../../src/config/settings.ts';
import { readHour, type Window } from '../../../src/hours.ts';
import { agentsFor } from '../../../src/network.ts';

export const WINDOW: Window = { start: readHour('2026-03-04T06'), end: readHour('2026-03-04T07') };

/** A server that answers as `listener` does. */
export async function serve(listener: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export function amplitudeAt(url: string, changed: Readonly<Record<string, string>> = {}): Settings['amplitude'] {
  return loadSettings({
    AMPLITUDE_BASE_URL: url,
    AMPLITUDE_API_KEY: 'simulator-key',
    AMPLITUDE_SECRET_KEY: 'simulator-secret',
    DESTINATION: tmpdir(),
    EXPORT_BACKOFF_MS: '0',
    ...changed,
  }).amplitude;
}

/** What a request needs, with an archive kept in memory. */
export function asking(settings: Settings['amplitude'], changed: Partial<ExportApiOptions> = {}): ExportApiOptions {
  const budgetBytes = 2 ** 20;
  return {
    settings,
    keep: { budget: new MemoryBudget(budgetBytes), budgetBytes, workDir: tmpdir() },
    signal: new AbortController().signal,
    now: () => new Date(),
    clock: new ClockCheck(),
    agents: agentsFor(settings.proxyEnv),
    redact: (text) => text,
    onBytes: () => undefined,
    ...changed,
  };
}
