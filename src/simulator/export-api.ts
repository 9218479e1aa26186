import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Hour, hoursOf, readyEnd, type Window } from '../hours.ts';
import { ANSWERS, type Answer, refusalOf, sendAnswer, TOO_MANY_AT_ONCE, windowOf } from './answers.ts';
import { DELIVERIES, deliver } from './delivery.ts';
import { type Fault, type FaultName, type Met, meetFaults } from './faults.ts';
import { entriesOfHour } from './members.ts';
import { DEFAULT_TRAFFIC, eventsOfHour } from './traffic.ts';
import { type ZipEntry, zip } from './zip.ts';

export const DEFAULTS = {
  ...DEFAULT_TRAFFIC,
  /** 0 takes any free port. */
  port: 0,
  host: '127.0.0.1',
  apiKey: 'simulator-key',
  secretKey: 'simulator-secret',
  /** Tells which hours are ready. */
  now: () => new Date(),
  faults: [] as readonly Fault[],
  /** How the zip holds its members, which are gzip files already. */
  compression: 'stored' as 'stored' | 'deflated',
  /** 0 to 9. A low one makes archives of gigabytes quickly. */
  gzipLevel: 6,
  /** A longer window gets the 400 about 4 GB. */
  tooLargeHours: Infinity,
};

export type Settings = Readonly<typeof DEFAULTS>;
export type SimulatorOptions = Partial<Settings>;

/** The project may have so many requests under way at once. */
const MOST_AT_ONCE = 5;
const HOUR_MS = 3_600_000;

export interface RequestRecord {
  /** ISO 8601. */
  readonly at: string;
  /** As they stand in the query. */
  readonly start: string;
  readonly end: string;
  /** How many requests were under way then, with this one. */
  readonly inFlight: number;
  /** 0 as long as no status was sent. */
  status: number;
  /** The names of the faults that the request met, separated by commas. */
  fault?: string;
}

/** Answers requests for exports and keeps the record of them. */
export class ExportApi {
  readonly requests: RequestRecord[] = [];
  readonly faults: Fault[];
  readonly #settings: Settings;
  #inFlight = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.faults = [...settings.faults];
  }

  /** Ends once the answer is sent, however broken. Rejects where the client hangs up before. */
  async answer(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    this.#inFlight++;
    response.once('close', () => this.#inFlight--);
    const { apiKey, secretKey, now, tooLargeHours } = this.#settings;
    const record: RequestRecord = {
      at: now().toISOString(),
      start: query.get('start') ?? '',
      end: query.get('end') ?? '',
      inFlight: this.#inFlight,
      status: 0,
    };
    this.requests.push(record);
    const send = (answer: Answer) => {
      record.status = answer.status;
      sendAnswer(response, answer);
    };
    const sendFault = (name: keyof typeof ANSWERS) => send(ANSWERS[name].answer(now()));

    const refusal = refusalOf(request.headers.authorization, apiKey, secretKey);
    if (refusal !== undefined) return send(refusal);
    if (this.#inFlight > MOST_AT_ONCE) return send(TOO_MANY_AT_ONCE);
    const window = windowOf(query);
    if ('status' in window) return send(window);

    const ready = { start: window.start, end: Math.min(readyEnd(now()), window.end) };
    const met = meetFaults(this.faults, window, this.#filled(ready), readyEnd(now()));
    const names = new Set(met.map(({ name }) => name));
    if (names.size > 0) record.fault = [...names].join(',');
    // The Date header is the machine's own time: the simulator's clock says only which hours are ready.
    if (names.has('no-date')) response.sendDate = false;
    if (names.has('clock-ahead')) response.setHeader('Date', new Date(Date.now() + HOUR_MS).toUTCString());
    if (names.has('clock-behind')) response.setHeader('Date', new Date(Date.now() - HOUR_MS).toUTCString());
    if (names.has('reset')) request.socket.resetAndDestroy();
    if (names.has('reset') || names.has('stall-first-byte')) return;
    const replaced = firstIn(ANSWERS, met);
    if (replaced !== undefined) return sendFault(replaced);
    if (window.end - window.start > tooLargeHours) return sendFault('too-large');

    const entries = names.has('empty-archive') ? [] : this.#entries(ready, met, names);
    if (entries.length === 0 && !names.has('empty-archive')) return sendFault('no-data');
    record.status = 200;
    await deliver(response, zip(entries, { zip64: names.has('zip64') }), firstIn(DELIVERIES, met));
  }

  #filled(window: Window): Hour[] {
    const { seed, eventsPerHour } = this.#settings;
    return hoursOf(window).filter((hour) => eventsOfHour(seed, hour, eventsPerHour).events > 0);
  }

  /** The same hours of a day before the window that has data. */
  #earlier({ start, end }: Window): Window {
    for (let hours = 24 * Math.ceil((end - start) / 24); ; hours += 24) {
      const earlier = { start: start - hours, end: end - hours };
      if (this.#filled(earlier).length > 0) return earlier;
    }
  }

  #entries(window: Window, met: readonly Met[], names: ReadonlySet<FaultName>): ZipEntry[] {
    const { compression, project } = this.#settings;
    const form = {
      method: names.has('deflated') ? 'deflated' : compression,
      dataDescriptor: names.has('data-descriptors'),
      zip64: names.has('zip64'),
    } as const;
    const members = hoursOf(names.has('other-day') ? this.#earlier(window) : window).flatMap((hour) => {
      const faults = new Set(met.filter((fault) => fault.hour === hour).map(({ name }) => name));
      return entriesOfHour(this.#settings, hour, window.start, faults).map((entry) => ({ ...form, ...entry }));
    });
    if (members.length === 0 || !names.has('directory-entries')) return members;
    return [{ name: `${project}/`, data: Buffer.alloc(0), directory: true }, ...members];
  }
}

/** The first fault that the table tells of. */
function firstIn<Name extends FaultName>(
  table: Readonly<Record<Name, unknown>>,
  met: readonly Met[],
): Name | undefined {
  return met.find(({ name }) => name in table)?.name as Name | undefined;
}
