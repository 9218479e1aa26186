import { EXIT, JobError, UsageError } from '../errors.ts';
import { formatHour, type Hour, readTime } from '../hours.ts';
import type { Settings } from './settings.ts';

/** The flags that say which hours a command is about. Each beats the variable of the same meaning. */
export interface TimeFlags {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly yesterday?: boolean | undefined;
  /** A lookback beats a start in the environment. */
  readonly lookbackDays?: string | number | undefined;
}

export interface GivenTimes {
  readonly start: Hour | undefined;
  readonly end: Hour | undefined;
  readonly lookbackDays: number;
}

/** What flags or, without them, the environment say of a range. Throws the first of what is wrong with it. */
export function givenTimes(flags: TimeFlags, settings: Settings['range']): GivenTimes {
  const wrong: JobError[] = [];
  const times = readTimes(flags, settings, wrong);
  for (const error of wrong) throw error;
  return times;
}

/** As givenTimes, with all that is wrong in a list: a UsageError where a flag is, code CONFIG where a variable is. */
export function readTimes(flags: TimeFlags, settings: Settings['range'], wrong: JobError[]): GivenTimes {
  const { yesterday = false, lookbackDays } = flags;
  if (yesterday && (flags.start ?? flags.end ?? lookbackDays) !== undefined) {
    wrong.push(
      new UsageError('--yesterday names a whole range and cannot stand beside --start, --end or --lookback-days.'),
    );
  } else if (lookbackDays !== undefined && flags.start !== undefined) {
    wrong.push(new UsageError('--lookback-days and --start both say where the range begins: give one of them.'));
  }
  const days = Number(lookbackDays ?? settings.lookbackDays);
  if (lookbackDays !== undefined && (!/^\d+$/.test(String(lookbackDays)) || days < 1 || days > 3650)) {
    wrong.push(
      new UsageError(
        `--lookback-days is "${lookbackDays}": it must be a whole number from 1 to 3650, for example --lookback-days 30.`,
      ),
    );
  }
  const read = (name: string, text: string | undefined): Hour | undefined => {
    if (text === undefined) return undefined;
    try {
      return readTime(text, settings.timezone, name);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      wrong.push(name.startsWith('--') ? error : asSetting(error));
      return undefined;
    }
  };
  const own = yesterday ? undefined : settings;
  const startName = flags.start === undefined ? 'EXPORT_START' : '--start';
  const endName = flags.end === undefined ? 'EXPORT_END' : '--end';
  const start = read(startName, flags.start ?? (lookbackDays === undefined ? own?.start : undefined));
  const end = read(endName, flags.end ?? own?.end);
  if (start !== undefined && end !== undefined && end <= start) {
    const error = new UsageError(
      `The end ${formatHour(end)} (${endName}) is not after the start ${formatHour(start)} (${startName}).`,
      'The end is left out of the range: --start 2026-11-20 --end 2026-11-21 is one day.',
    );
    wrong.push((flags.start ?? flags.end) === undefined ? asSetting(error) : error);
  }
  return { start, end, lookbackDays: days };
}

function asSetting({ message, hint = '' }: UsageError): JobError {
  return new JobError('CONFIG', message, { hint, endsRun: true, exitCode: EXIT.usage });
}
