import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemCode, UsageError } from '../errors.ts';
import { type Answer, json, sendAnswer } from './answers.ts';
import { DEFAULTS, ExportApi, type RequestRecord, type SimulatorOptions } from './export-api.ts';
import { type Fault, formatFault, parseFault } from './faults.ts';

export { DEFAULTS, type RequestRecord, type SimulatorOptions } from './export-api.ts';
export { FAULTS, type Fault, type FaultName, formatFault, parseFault } from './faults.ts';
export { eventsOfHour, expectedHour } from './traffic.ts';

export interface Simulator {
  readonly url: string;
  readonly requests: RequestRecord[];
  /** Live: what is pushed or removed counts from the next request on. */
  readonly faults: Fault[];
  close(): Promise<void>;
}

/** Starts a local Export API and returns once it listens. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = { ...DEFAULTS, ...options };
  const api = new ExportApi(settings);
  const server = createServer((request, response) => {
    route(api, request, response).catch((error: unknown) => {
      // A client may hang up. Anything else is a defect of the simulator and must not pass for a fault.
      if (!request.socket.destroyed) throw error;
    });
  });
  server.listen(settings.port, settings.host);
  await once(server, 'listening').catch((error: unknown) => {
    throw new UsageError(
      `The simulator cannot listen on ${settings.host}, port ${settings.port} (${systemCode(error) ?? String(error)}).`,
      'Choose another port, or 0 for any that is free.',
    );
  });
  const { port } = server.address() as AddressInfo;
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return {
    url: `http://${host}:${port}`,
    requests: api.requests,
    faults: api.faults,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function route(api: ExportApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = URL.parse(request.url ?? '', 'http://simulator');
  switch (`${request.method} ${url?.pathname}`) {
    case 'GET /api/2/export':
      return api.answer(request, response, url?.searchParams ?? new URLSearchParams());
    case 'GET /simulator/requests':
      return sendAnswer(response, json(200, api.requests));
    case 'PUT /simulator/faults':
      return sendAnswer(response, await replaceFaults(request, api.faults));
    default:
      return sendAnswer(response, json(404, { error: 'There is nothing at this path.' }));
  }
}

async function replaceFaults(request: IncomingMessage, faults: Fault[]): Promise<Answer> {
  try {
    const specs: unknown = JSON.parse(Buffer.concat(await request.toArray()).toString());
    if (!Array.isArray(specs)) throw new TypeError('The body is not a JSON array of faults.');
    faults.splice(0, faults.length, ...specs.map((spec) => parseFault(String(spec))));
    return json(200, faults.map(formatFault));
  } catch (error) {
    return json(400, { error: error instanceof Error ? error.message : String(error) });
  }
}

/** Serves until `signal` aborts, having printed the URL and the variables that point the exporter at it. */
export async function runSimulator(
  options: SimulatorOptions,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<void> {
  const simulator = await startSimulator(options);
  print(`A simulated Export API answers at ${simulator.url}/api/2/export`);
  for (const fault of simulator.faults) print(`Fault: ${formatFault(fault)}`);
  print(`AMPLITUDE_BASE_URL=${simulator.url}`);
  print(`AMPLITUDE_API_KEY=${options.apiKey ?? DEFAULTS.apiKey}`);
  print(`AMPLITUDE_SECRET_KEY=${options.secretKey ?? DEFAULTS.secretKey}`);
  if (!signal.aborted) await once(signal, 'abort');
  await simulator.close();
}
