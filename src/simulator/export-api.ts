import type { IncomingMessage, ServerResponse } from 'node:http';
import { hoursOf, readyEnd, type Window } from '../hours.ts';
import {
  type Answer,
  answerOf,
  NO_DATA,
  refusalOf,
  sendAnswer,
  TOO_LARGE,
  TOO_MANY_AT_ONCE,
  windowOf,
} from './answers.ts';
import { deliver } from './delivery.ts';
import { type DateFault, type Fault, type Met, meetFaults } from './faults.ts';
import { entriesOfHour } from './members.ts';
import type { Settings } from './options.ts';
import { eventsOfHour } from './traffic.ts';
import { type ZipEntry, zip } from './zip.ts';

/** The project may have so many requests under way at once. */
const MOST_AT_ONCE = 5;

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

  /** Ends once the answer is sent, however broken; rejects where the client hangs up before. */
  async answer(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    this.#inFlight++;
    response.once('close', () => this.#inFlight--);
    const { apiKey, secretKey, now, tooLargeHours, contentLength } = this.#settings;
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

    tellTime(response);
    const refusal = refusalOf(request.headers.authorization, apiKey, secretKey);
    if (refusal !== undefined) return send(refusal);
    if (this.#inFlight > MOST_AT_ONCE) return send(TOO_MANY_AT_ONCE);
    const window = windowOf(query);
    if ('status' in window) return send(window);

    const met = this.#meet(window);
    if (met.names.length > 0) record.fault = met.names.join(',');
    tellTime(response, met.date);
    if (met.answer === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    if (met.answer === 'stall-first-byte') return;
    if (met.answer !== undefined) return send(answerOf(met.answer, now()));
    if (window.end - window.start > tooLargeHours) return send(TOO_LARGE);

    const entries = this.#entries(window, met);
    if (entries.length === 0 && !met.archive.has('empty-archive')) return send(NO_DATA);
    record.status = 200;
    const archive = () => zip(entries, { zip64: met.archive.has('zip64') });
    await deliver(response, archive, met.delivery, contentLength);
  }

  #meet(window: Window): Met {
    const { seed, eventsPerHour, now } = this.#settings;
    const notReady = readyEnd(now());
    const filled = hoursOf({ start: window.start, end: Math.min(notReady, window.end) }).filter(
      (hour) => eventsOfHour(seed, hour, eventsPerHour).events > 0,
    );
    return meetFaults(this.faults, window, filled, (hour) => hour < notReady);
  }

  /** The same hours of a day before the window that has data. */
  #earlier({ start, end }: Window): Window {
    const { seed, eventsPerHour } = this.#settings;
    const days = (count: number) => ({ start: start - 24 * count, end: end - 24 * count });
    const hasData = (window: Window) =>
      hoursOf(window).some((hour) => eventsOfHour(seed, hour, eventsPerHour).events > 0);
    let count = Math.ceil((end - start) / 24);
    while (!hasData(days(count))) count++;
    return days(count);
  }

  #entries(window: Window, met: Met): ZipEntry[] {
    const { now, compression, project } = this.#settings;
    const form = {
      method: met.archive.has('deflated') ? 'deflated' : compression,
      dataDescriptor: met.archive.has('data-descriptors'),
      zip64: met.archive.has('zip64'),
    } as const;
    if (met.archive.has('empty-archive')) return [];
    const ready = { start: window.start, end: Math.min(readyEnd(now()), window.end) };
    const members = hoursOf(met.archive.has('other-day') ? this.#earlier(ready) : ready)
      .flatMap((hour) => entriesOfHour(this.#settings, hour, window.start, met.hours.get(hour)))
      .map((entry): ZipEntry => ({ ...form, ...entry }));
    if (members.length === 0 || !met.archive.has('directory-entries')) return members;
    return [{ name: `${project}/`, data: Buffer.alloc(0), directory: true }, ...members];
  }
}

const HOUR_MS = 3_600_000;

/** The machine's own time: the simulator's clock says only which hours are ready. */
function tellTime(response: ServerResponse, fault?: DateFault): void {
  response.sendDate = false;
  response.removeHeader('Date');
  if (fault === 'no-date') return;
  const off = fault === 'clock-ahead' ? HOUR_MS : fault === 'clock-behind' ? -HOUR_MS : 0;
  response.setHeader('Date', new Date(Date.now() + off).toUTCString());
}
