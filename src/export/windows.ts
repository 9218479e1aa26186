import { setTimeout as pause } from 'node:timers/promises';
import PQueue from 'p-queue';
import { faultIn, isAnswer, isSilence, RequestFault } from '../amplitude/faults.ts';
import { Attempts } from '../amplitude/policy.ts';
import { type ExportApiOptions, requestWindow } from '../amplitude/request.ts';
import type { Archive } from '../archive/archive.ts';
import { openArchive } from '../archive/open.ts';
import { JobError, RUN_AGAIN } from '../errors.ts';
import { formatWindow, type Hour, halve, hoursOf, type Window } from '../hours.ts';
import type { Log } from '../log.ts';
import type { Tally } from './tally.ts';
import { tellFailed } from './telling.ts';

/** Lands the answer for a window; without an archive there is no data. */
export type Land = (window: Window, archive: Archive | undefined, requestedAt: Date) => Promise<void>;

export interface WindowOptions {
  readonly api: ExportApiOptions;
  readonly land: Land;
  /** Called for an hour that the API cannot serve. True: it has landed in another way, and stays. */
  readonly keep: (hour: Hour) => Promise<boolean>;
  readonly tally: Tally;
  readonly log: Log;
  /** Called for each window whose answer has landed, also for halves. */
  readonly onDone: (window: Window) => void;
  /** Ends the run: no request begins any more, and those under way are aborted. */
  readonly stop: (error: JobError) => void;
}

/** After so many windows in a row without an answer the API is down. */
const WINDOWS_UNTIL_DOWN = 5;

/** After so many windows in a row whose keys the API refuses they are no longer valid. */
const WINDOWS_UNTIL_REFUSED = 2;

type Outcome =
  | { readonly kind: 'landed' | 'stopped' }
  | { readonly kind: 'halve'; readonly error: RequestFault }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Requests windows and lands the answers: retries, halves, gives up, and notices when the API is down. */
export class WindowRunner {
  readonly #options: WindowOptions;
  /** Bounds requests together with the landing of their answers, and so the archives that are kept at once. */
  readonly #places: PQueue;
  #silentInARow = 0;
  #refusedInARow = 0;
  #answers = 0;
  #hasQuotedNotFound = false;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#places = new PQueue({ concurrency: options.api.settings.concurrency });
  }

  /** Never throws: failures go to the tally, what ends the run goes to `stop`. */
  async run(windows: readonly Window[]): Promise<void> {
    await Promise.all(windows.map((window) => this.#settle(window, this.#queue(window, 0), 0)));
  }

  /**
   * A window keeps its place through all its attempts. Halves come before waiting windows: so it soon shows whether
   * single hours fail or the whole API.
   */
  #queue(window: Window, depth: number): Promise<Outcome> {
    return this.#places.add(() => this.#tryWindow(window), { priority: depth });
  }

  async #settle(window: Window, tried: Promise<Outcome>, depth: number): Promise<void> {
    const outcome = await tried;
    if (outcome.kind === 'halve') await this.#halve(window, outcome.error, depth + 1);
    else if (outcome.kind === 'failed') this.#fail(window, outcome.error);
  }

  /** Where both halves get a 400 without a reason too, the size of the window is not the reason. */
  async #halve(window: Window, fault: RequestFault, depth: number): Promise<void> {
    this.#options.log.info(`Halving ${formatWindow(window)}: ${fault.message}`);
    const halves = halve(window).map((half) => ({ half, tried: this.#queue(half, depth) }));
    if (fault.kind === 'refused') {
      const outcomes = await Promise.all(halves.map(({ tried }) => tried));
      if (outcomes.every(isRefused)) return this.#fail(window, fault);
    }
    await Promise.all(halves.map(({ half, tried }) => this.#settle(half, tried, depth)));
  }

  async #tryWindow(window: Window): Promise<Outcome> {
    const { api, tally, log, onDone } = this.#options;
    const attempts = new Attempts(window, api.settings);
    for (;;) {
      try {
        await this.#requestAndLand(window);
        onDone(window);
        return { kind: 'landed' };
      } catch (error) {
        if (api.signal.aborted) return { kind: 'stopped' };
        const fault = faultIn(error, window);
        if (fault === undefined) return this.#failed(error);
        if (isAnswer(fault.kind)) this.#noteAnswer();
        const next = attempts.after(fault, this.#answers);
        if (next.kind === 'halve') return { kind: 'halve', error: fault };
        if ('fault' in next) return await this.#giveUp(window, next.fault);
        log.warn(next.message);
        tally.retries++;
        await pause(next.pauseMs, undefined, { signal: api.signal }).catch(() => undefined);
      }
    }
  }

  async #requestAndLand(window: Window): Promise<void> {
    const { api, land, tally, log } = this.#options;
    api.signal.throwIfAborted();
    tally.requests++;
    const requestedAt = api.now();
    const started = performance.now();
    log.debug(`Requesting ${formatWindow(window)}.`);
    const answer = await requestWindow(window, { ...api, hasAnswered: () => this.#answers > 0 });
    tally.timings.downloadMs += performance.now() - started;
    this.#noteAnswer();
    if (answer.kind === 'no-data') {
      this.#quoteNotFound(window, answer.quote);
      return await land(window, undefined, requestedAt);
    }
    const archive = await openArchive(answer.spool, api.signal, api.redact);
    try {
      await land(window, archive, requestedAt);
    } finally {
      await archive.close();
    }
  }

  /** An hour above the API's limit may have been adopted: then it stays. A longer window is never given up for its size. */
  async #giveUp(window: Window, fault: RequestFault): Promise<Outcome> {
    const { keep, onDone } = this.#options;
    try {
      if (fault.kind !== 'too-large' || !(await keep(window.start))) return this.#failed(fault);
    } catch (error) {
      return this.#failed(error);
    }
    onDone(window);
    return { kind: 'landed' };
  }

  #noteAnswer(): void {
    this.#silentInARow = 0;
    this.#refusedInARow = 0;
    this.#answers++;
  }

  /** If the error ends the run, that happens before the window's place is free: then no further request begins. */
  #failed(error: unknown): Outcome {
    const { stop } = this.#options;
    if (error instanceof JobError && error.endsRun) stop(error);
    if (error instanceof RequestFault && isSilence(error.kind)) {
      this.#silentInARow++;
      if (this.#silentInARow >= WINDOWS_UNTIL_DOWN) stop(amplitudeDown(error));
    }
    if (error instanceof RequestFault && error.kind === 'forbidden') {
      this.#refusedInARow++;
      if (this.#refusedInARow >= WINDOWS_UNTIL_REFUSED) stop(keysRefused(error));
    }
    return { kind: 'failed', error };
  }

  /** Once a run: where one answer has unusual words, the others have them too. */
  #quoteNotFound(window: Window, quote: string | undefined): void {
    if (quote === undefined || this.#hasQuotedNotFound) return;
    this.#hasQuotedNotFound = true;
    this.#options.log.warn(
      `Amplitude's answer for ${formatWindow(window)} was HTTP 404, "${quote}", and not its usual "Raw data files were not found." This run treats it as no data. If it comes from something else, check AMPLITUDE_BASE_URL and proxies, and export these hours again with --force.`,
    );
  }

  #fail(window: Window, error: unknown): void {
    const { tally, log } = this.#options;
    const hours = hoursOf(window).filter((hour) => !tally.sealed.has(hour) && !tally.failed.has(hour));
    tellFailed(hours, error, { tally, log });
  }
}

function isRefused(outcome: Outcome): boolean {
  return 'error' in outcome && outcome.error instanceof RequestFault && outcome.error.kind === 'refused';
}

function keysRefused(last: RequestFault): JobError {
  const refused = `Amplitude refuses the keys that it took earlier in this run, for ${WINDOWS_UNTIL_REFUSED} windows in a row`;
  const { hint } = last;
  return new JobError(last.code, `${refused}. The last one: ${last.message}`, { cause: last, endsRun: true, hint });
}

function amplitudeDown(last: RequestFault): JobError {
  const silent = `${WINDOWS_UNTIL_DOWN} windows in a row used up their attempts without an answer`;
  return new JobError('AMPLITUDE_DOWN', `Amplitude's Export API is down: ${silent}. The last one: ${last.message}`, {
    cause: last,
    endsRun: true,
    hint: `Look at Amplitude's status page and at this machine's network. ${RUN_AGAIN}.`,
  });
}
