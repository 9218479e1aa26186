import { closestMatch } from 'leven';
import { command } from '../command-line.ts';
import { UsageError } from '../errors.ts';
import { formatHour, type Hour, readHour, type Window } from '../hours.ts';
import { ANSWERS } from './answers.ts';
import { DELIVERIES } from './delivery.ts';

/** Faults by what they fall on, with what help says of each. Where each takes effect is found by its name. */
const CATALOGUE = {
  answer: {
    ...(Object.fromEntries(Object.entries(ANSWERS).map(([name, { about }]) => [name, about])) as {
      readonly [Name in keyof typeof ANSWERS]: string;
    }),
    reset: 'the connection is reset before any answer',
    'stall-first-byte': 'no answer ever comes',
  },
  delivery: DELIVERIES,
  archive: {
    'data-descriptors': 'sizes and checksums follow the data',
    zip64: 'zip64 records throughout',
    'directory-entries': 'entries for the folders too',
    deflated: 'members deflated once more by the zip',
    'empty-archive': 'a zip without entries',
    'other-day': 'members of an earlier day than asked',
  },
  hour: {
    'flipped-byte': "one wrong bit in a member's compressed data",
    'half-gzip': 'a member holds half of its gzip stream',
    'two-gzip-streams': 'a member holds two gzip streams',
    'trailing-padding': "zero bytes after a member's gzip stream",
    'complete-marks': 'an empty …_complete entry beside the members',
    traversal: 'an extra member named ../../evil.json.gz',
    absolute: 'an extra member named /etc/evil.json.gz',
    backslash: "a member's folder is set off by a backslash",
    'duplicate-names': 'two members of one name and other events',
    'unparsable-name': 'an extra member that names no hour',
    'second-project': 'an extra member of another project',
    'outside-window': 'an extra member of the hour before the window',
    'missing-member': 'the last part of the hour is not there',
    shrunk: 'the first part has half of its events',
    grown: 'one part more, also for an hour that had none',
    'empty-hour': 'no members for the hour',
    'bad-line': 'an additional line that is half an object',
    'blank-lines': 'blank lines at the start, middle and end',
    'no-last-newline': 'the last line has no line end',
    crlf: 'lines end with CR LF',
    'long-line': 'one event is 1 MB long',
    'line-separator': 'one event holds raw U+2028, U+2029 and U+0085',
    bom: 'a member begins with a byte order mark',
    bomb: 'the first part inflates a thousandfold, to 1 GB',
    'bad-json': 'an additional line {…} that does not parse',
    'large-member': 'the first part holds 500 MB of JSON',
    'json-array': 'the first part is one JSON array',
    utf16: 'the first part is encoded as UTF-16',
    'gzip-in-gzip': 'the first part is compressed twice',
    'empty-member': 'the first part is a gzip file of nothing',
    'zero-bytes-member': 'the first part has no bytes at all',
  },
  date: {
    'clock-ahead': 'the Date header is an hour ahead',
    'clock-behind': 'the Date header is an hour behind',
    'no-date': 'no Date header',
  },
};

const { answer, delivery, archive, hour: hourly, date } = CATALOGUE;

/** Every fault with what it does. */
export const FAULTS = { ...answer, ...delivery, ...archive, ...hourly, ...date };

export type FaultName = keyof typeof FAULTS;

export interface Fault {
  readonly name: FaultName;
  /** Only requests whose window holds this hour meet the fault. Without it, every request does. */
  readonly hour?: Hour;
  /** How many requests are still to meet it: the simulator counts it down. Without it, all do. */
  times?: number;
}

/** Reads `NAME[@HOUR][*TIMES]`, e.g. `truncated-zip@2026-11-20T05*2`. */
export function parseFault(spec: string): Fault {
  const [, name = '', hour, times] = /^([^@*]*)(?:@([^*]*))?(?:\*(.*))?$/.exec(spec) ?? [];
  const refuse = (why: string) =>
    new UsageError(
      `The fault "${spec}" cannot be read: ${why}.`,
      `Write NAME[@HOUR][*TIMES], for example truncated-zip@2026-11-20T05*2; \`${command('simulate --help')}\` lists the names.`,
    );
  if (!Object.hasOwn(FAULTS, name)) throw refuse(`there is no fault "${name}", the nearest is "${nearest(name)}"`);
  if (times !== undefined && !/^[1-9]\d{0,8}$/.test(times))
    throw refuse(`"${times}" is not a number of times from 1 on`);
  try {
    return {
      name: name as FaultName,
      ...(hour === undefined ? {} : { hour: readHour(hour) }),
      ...(times === undefined ? {} : { times: Number(times) }),
    };
  } catch {
    throw refuse(`"${hour}" is not an hour such as 2026-11-20T05`);
  }
}

/** The opposite of parseFault. */
export function formatFault({ name, hour, times }: Fault): string {
  return `${name}${hour === undefined ? '' : `@${formatHour(hour)}`}${times === undefined ? '' : `*${times}`}`;
}

function nearest(name: string): string | undefined {
  const names = Object.keys(FAULTS);
  const longer = names.filter((known) => name !== '' && known.startsWith(name));
  return closestMatch(name, longer.length > 0 ? longer : names);
}

const isGrowth = ({ name, hour }: Fault) => name === 'grown' && hour !== undefined;

/** A fault that a request meets, with the hour that it falls on where it changes one hour. */
export interface Met {
  readonly name: FaultName;
  readonly hour: Hour | undefined;
}

/**
 * Picks the faults that a request for `window` meets and counts them down. `filled` are its hours that have data, all of
 * them before `readyEnd`. Of several answers, dates or deliveries the first one counts.
 */
export function meetFaults(faults: Fault[], window: Window, filled: readonly Hour[], readyEnd: Hour): Met[] {
  const candidates = faults.filter(
    ({ hour = window.start, times }) => times !== 0 && window.start <= hour && hour < window.end,
  );
  const first = (kind: keyof typeof CATALOGUE) => candidates.find(({ name }) => name in CATALOGUE[kind]);
  const answered = first('answer') !== undefined;
  const hasData = filled.length > 0 || candidates.some(isGrowth);
  const met: Met[] = [];
  for (const fault of candidates) {
    const { name, hour = filled[0] } = fault;
    if (name in CATALOGUE.hour) {
      const falls = hour !== undefined && (filled.includes(hour) || (isGrowth(fault) && hour < readyEnd));
      if (answered || !falls) continue;
      met.push({ name, hour });
    } else {
      const inArchive = name in CATALOGUE.archive || fault === first('delivery');
      const counts = fault === first('answer') || fault === first('date') || (inArchive && hasData && !answered);
      if (!counts) continue;
      met.push({ name, hour: undefined });
    }
    if (fault.times !== undefined) fault.times--;
  }
  return met;
}
