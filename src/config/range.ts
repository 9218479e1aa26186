import { JobError, UsageError } from '../errors.ts';
import { type Hour, hourOf, readTime, type Window, windowOf } from '../hours.ts';

/** The flags that say which hours a command is about. Each beats the variable of the same meaning. */
export interface TimeFlags {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly yesterday?: boolean | undefined;
  /** A lookback beats a start in the environment. */
  readonly lookbackDays?: number | undefined;
}

/** What the environment says of the range. The times are still text: their meaning depends on the flags. */
export interface RangeSettings {
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly lookbackDays: number;
  readonly timezone: string;
}

export interface GivenTimes {
  readonly start: Hour | undefined;
  readonly end: Hour | undefined;
  readonly lookbackDays: number;
}

/** Reads the range from the flags, or else from the environment. Throws the first problem. */
export function givenTimes(flags: TimeFlags, settings: RangeSettings): GivenTimes {
  const problems: JobError[] = [];
  const times = readTimes(flags, settings, problems);
  for (const problem of problems) throw problem;
  return times;
}

/** For commands that look at all that is there: undefined where neither a start nor an end narrows it. */
export function givenRange(flags: TimeFlags, settings: RangeSettings, now: Date): Window | undefined {
  const { start, end } = givenTimes(flags, settings);
  if (flags.lookbackDays !== undefined) {
    const last = end ?? hourOf(now) + 1;
    return { start: last - flags.lookbackDays * 24, end: last };
  }
  if (start === undefined && end === undefined) return undefined;
  return windowOf(start ?? 0, end ?? Math.max(hourOf(now), start ?? 0) + 1);
}

/** Like givenTimes, but adds every problem to a list: a UsageError for a flag, an error with code CONFIG for a variable. */
export function readTimes(flags: TimeFlags, settings: RangeSettings, problems: JobError[]): GivenTimes {
  const { yesterday = false, lookbackDays } = flags;
  if (yesterday && (flags.start ?? flags.end ?? lookbackDays) !== undefined) {
    problems.push(new UsageError('--yesterday is a whole range: leave out --start, --end and --lookback-days.'));
  } else if (lookbackDays !== undefined && flags.start !== undefined) {
    problems.push(new UsageError('--lookback-days and --start both say where the range begins: give one of them.'));
  }
  const attempt = <T>(names: readonly string[], read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const isFlag = names.some((name) => name.startsWith('--'));
      problems.push(isFlag ? error : new JobError('CONFIG', error.message, { hint: error.hint, endsRun: true }));
      return undefined;
    }
  };
  const hourIn = (name: string, text: string | undefined) =>
    text === undefined ? undefined : attempt([name], () => readTime(text, settings.timezone, name));

  const usualStart = yesterday || lookbackDays !== undefined ? undefined : settings.start;
  const startName = flags.start === undefined ? 'EXPORT_START' : '--start';
  const endName = flags.end === undefined ? 'EXPORT_END' : '--end';
  const start = hourIn(startName, flags.start ?? usualStart);
  const end = hourIn(endName, flags.end ?? (yesterday ? undefined : settings.end));
  if (start !== undefined && end !== undefined) {
    attempt([startName, endName], () => windowOf(start, end, { start: startName, end: endName }));
  }
  return { start, end, lookbackDays: lookbackDays ?? settings.lookbackDays };
}
