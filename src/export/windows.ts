import { setTimeout as pause } from 'node:timers/promises';
import type PQueue from 'p-queue';
import { ClockCheck } from '../amplitude/clock.ts';
import { type Fault, isAnswer, RequestFault } from '../amplitude/faults.ts';
import { nextStep, pauseBefore, pauseForLimit } from '../amplitude/policy.ts';
import { requestWindow } from '../amplitude/request.ts';
import { openArchive } from '../archive/open.ts';
import type { SpoolOptions } from '../archive/spool.ts';
import type { Settings } from '../config/settings.ts';
import { JobError, RUN_AGAIN } from '../errors.ts';
import { formatWindow, halve, hoursOf, type Window } from '../hours.ts';
import { type Agents, agentsFor } from '../network.ts';
import type { Redact } from '../redaction.ts';
import { landAnswer } from './answer.ts';
import type { LandingOptions } from './hour.ts';

export interface WindowOptions extends LandingOptions {
  readonly amplitude: Settings['amplitude'];
  readonly keep: Omit<SpoolOptions, 'expectedBytes'>;
  /** Bounds requests with the landing of their answers, and so the archives that are kept at once. */
  readonly requests: PQueue;
  readonly signal: AbortSignal;
  /** Passed by whatever is quoted of an answer. */
  readonly redact: Redact;
  /** Told of each window whose answer has landed, halves one by one. */
  readonly onDone: (window: Window) => void;
  /** Ends the run: nothing new is begun, what goes on is given up. */
  readonly stop: (error: JobError) => void;
}

/** After so many windows in a row that used up their attempts, the API is down and not the windows at fault. */
const WINDOWS_UNTIL_DOWN = 5;

type Outcome = 'landed' | { readonly fault: RequestFault; readonly next: 'halve' | 'give-up' };

/** Requests windows and lands the answers: retries, halves, gives up, and notices when the API is down. */
export class WindowRunner {
  readonly #options: WindowOptions;
  readonly #clock = new ClockCheck();
  readonly #agents: Agents;
  #usedUp = 0;
  #answered = 0;
  #quotedNotFound = false;

  constructor(options: WindowOptions) {
    this.#options = options;
    const { proxyEnv, connectTimeoutMs } = options.amplitude;
    this.#agents = agentsFor(proxyEnv, undefined, connectTimeoutMs);
  }

  /** Never throws: what fails is told to the tally, what ends the run to `stop`. */
  async run(windows: readonly Window[]): Promise<void> {
    await Promise.all(windows.map((window) => this.#settle(window, this.#attempts(window, 0), 0)));
  }

  async #settle(window: Window, attempts: Promise<Outcome>, depth: number): Promise<void> {
    try {
      const outcome = await attempts;
      if (outcome === 'landed') return;
      if (outcome.next === 'halve') await this.#halves(window, outcome.fault, depth + 1);
      else this.#fail(window, outcome.fault);
    } catch (error) {
      if (this.#options.signal.aborted) return;
      this.#fail(window, error);
    }
  }

  /** Both halves of a window. A 400 that speaks of nothing and meets both halves again is no matter of size. */
  async #halves(window: Window, fault: RequestFault, depth: number): Promise<void> {
    const halves = halve(window);
    this.#options.log.info(`Halving ${formatWindow(window)}: ${fault.message}`);
    const outcomes = halves.map((half) => this.#attempts(half, depth));
    if (fault.kind === 'refused') {
      const settled = await Promise.allSettled(outcomes);
      const refused = settled.every(
        (result) => result.status === 'fulfilled' && result.value !== 'landed' && result.value.fault.kind === 'refused',
      );
      if (refused) {
        this.#fail(window, fault);
        return;
      }
    }
    await Promise.all(halves.map((half, at) => this.#settle(half, outcomes[at] as Promise<Outcome>, depth)));
  }

  /**
   * A window keeps its place through all its attempts: the next one begins when this one is settled. Halves come before
   * windows that wait, so that it soon shows whether single hours fail or the whole API.
   */
  #attempts(window: Window, depth: number): Promise<Outcome> {
    return this.#options.requests.add(() => this.#tryWindow(window), { priority: depth });
  }

  async #tryWindow(window: Window): Promise<Outcome> {
    const { amplitude, log, signal, tally } = this.#options;
    const { maxAttempts, backoffMs, rateLimitWaitMs } = amplitude;
    const hours = window.end - window.start;
    const limit = { times: 0, waitedMs: 0, mostMs: rateLimitWaitMs, since: 0 };
    for (let attempt = 1; ; ) {
      try {
        await this.#requestAndLand(window);
        this.#options.onDone(window);
        return 'landed';
      } catch (error) {
        signal.throwIfAborted();
        const fault = asFault(error, window);
        if (fault === undefined) throw this.#ending(error, window);
        if (isAnswer(fault.kind)) this.#answers();
        const othersServed = this.#answered > limit.since;
        const next = nextStep(fault.kind, { attempt, maxAttempts, hours, limit: { ...limit, othersServed } });
        if (next === 'stop-run') throw this.#ending(givenUp(fault, window, limit.waitedMs, true), window);
        if (next === 'give-up') this.#noteUsedUp(fault);
        if (next === 'give-up' || next === 'halve') return { fault: givenUp(fault, window, limit.waitedMs), next };
        const pacing = { backoffMs, retryAfterMs: fault.retryAfterMs, random: Math.random() };
        let ms: number;
        if (next === 'wait') {
          if (limit.times++ === 0) limit.since = this.#answered;
          ms = pauseForLimit(limit.times, { ...pacing, leftMs: limit.mostMs - limit.waitedMs });
          limit.waitedMs += ms;
          log.warn(`${fault.message} It is asked for again in ${seconds(ms)}.`);
        } else {
          ms = pauseBefore(attempt++, pacing);
          log.warn(`${fault.message} Attempt ${attempt} of ${maxAttempts} follows in ${seconds(ms)}.`);
        }
        tally.retries++;
        await pause(ms, undefined, { signal });
      }
    }
  }

  async #requestAndLand(window: Window): Promise<void> {
    const { amplitude, keep, signal, tally, now, log, redact } = this.#options;
    signal.throwIfAborted();
    tally.requests++;
    const requestedAt = now();
    const started = performance.now();
    log.debug(`Requesting ${formatWindow(window)}.`);
    const onBytes = (bytes: number) => {
      tally.downloadedBytes += bytes;
    };
    const api = { settings: amplitude, keep, signal, now, clock: this.#clock, agents: this.#agents, redact, onBytes };
    const answer = await requestWindow(window, api);
    tally.timings.downloadMs += performance.now() - started;
    this.#answers();
    if (answer.kind === 'no-data') {
      if (answer.quote !== undefined) this.#tellNotFound(window, answer.quote);
      await landAnswer(window, undefined, requestedAt, this.#options);
      return;
    }
    const archive = await openArchive(answer.spool, signal, redact);
    try {
      await landAnswer(window, archive, requestedAt, this.#options);
    } finally {
      await archive.close();
    }
  }

  #answers(): void {
    this.#usedUp = 0;
    this.#answered++;
  }

  /** Ends the run before the window's place is free, so that no further request begins. */
  #ending(error: unknown, window: Window): unknown {
    if (error instanceof JobError && error.endsRun) {
      this.#fail(window, error);
      this.#options.stop(error);
    }
    return error;
  }

  /** Once a run: where one answer has other words, all have. */
  #tellNotFound(window: Window, quote: string): void {
    if (this.#quotedNotFound) return;
    this.#quotedNotFound = true;
    this.#options.log.warn(
      `Amplitude's answer for ${formatWindow(window)} was HTTP 404, "${quote}", and not its usual "Raw data files were not found." It is taken for the same, no data: if it comes from something else, check AMPLITUDE_BASE_URL and proxies, and export these hours again with --force.`,
    );
  }

  /** Before the window's place is free, so that no further one begins once the API is known to be down. */
  #noteUsedUp(fault: RequestFault): void {
    if (!usesUp(fault.kind)) return;
    this.#usedUp++;
    if (this.#usedUp < WINDOWS_UNTIL_DOWN) return;
    this.#options.stop(
      new JobError(
        'AMPLITUDE_DOWN',
        `Amplitude's Export API is down: ${WINDOWS_UNTIL_DOWN} windows in a row used up their attempts without an answer. The last one: ${fault.message}`,
        {
          cause: fault,
          endsRun: true,
          hint: `Look at Amplitude's status page and at this machine's network. ${RUN_AGAIN}.`,
        },
      ),
    );
  }

  #fail(window: Window, error: unknown): void {
    const { tally, log } = this.#options;
    const hours = hoursOf(window).filter((hour) => !tally.sealed.has(hour) && !tally.failed.has(hour));
    const isNew = hours.map((hour) => tally.fail(hour, error)).includes(true);
    // What ends the run is told once, at its end.
    if ((isNew || hours.length === 0) && !(error instanceof JobError && error.endsRun)) log.failure(error);
  }
}

/** Faults of an archive are faults of the request that brought it, where another one may bring a right one. */
function asFault(error: unknown, window: Window): RequestFault | undefined {
  if (error instanceof RequestFault) return error;
  const kind = error instanceof JobError ? kindOfArchive(error) : undefined;
  if (kind === undefined) return undefined;
  return new RequestFault(kind, window, (error as JobError).message.replace(/\.$/, ''), { cause: error });
}

function kindOfArchive({ code, retry }: JobError): Fault | undefined {
  if (code === 'ARCHIVE_BROKEN') return 'archive';
  if (code === 'NOT_EVENTS') return 'not-events';
  return code === 'ARCHIVE_REFUSED' && retry ? 'refused-archive' : undefined;
}

/** Faults whose attempts can be used up without an answer. */
function usesUp(kind: Fault): boolean {
  return ['server', 'gateway-timeout', 'stall', 'truncated', 'unreachable'].includes(kind);
}

/** As a window's last word; of a limit, with how long it was waited for. */
function givenUp(fault: RequestFault, window: Window, waitedMs: number, endsRun = false): RequestFault {
  if (fault.kind !== 'rate-limit') return fault;
  const why = `${fault.why}, also after waiting for ${seconds(waitedMs)}`;
  return new RequestFault('rate-limit', window, why, { cause: fault, endsRun });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
