import leven from 'leven';
import { command } from '../command-line.ts';
import { UsageError } from '../errors.ts';
import { formatHour, type Hour, readHour, type Window } from '../hours.ts';

/**
 * What a fault replaces: `answer` the whole answer, `delivery` the way in which the body travels, `archive` the form of
 * the zip, `hour` the members or lines of one hour, `date` the header that tells the server's time.
 */
type Kind = 'answer' | 'delivery' | 'archive' | 'hour' | 'date';

const CATALOGUE = {
  'bad-request': ['answer', '400 with a body that explains nothing'],
  'bad-parameter': ['answer', '400 that names the format of start and end'],
  'too-large': ['answer', '400 that says the export exceeds 4 GB'],
  unauthorized: ['answer', '401'],
  forbidden: ['answer', '403 Invalid API Key'],
  'no-data': ['answer', '404'],
  'html-404': ['answer', '404 with a web page'],
  'json-404': ['answer', '404 with JSON that speaks of a route'],
  'backend-404': ['answer', '404 of a gateway in plain text'],
  'text-404': ['answer', '404 in plain text of other words'],
  'empty-404': ['answer', '404 without a body'],
  'rate-limit': ['answer', '429 with Retry-After: 1'],
  'rate-limit-silent': ['answer', '429 without Retry-After'],
  'rate-limit-date': ['answer', '429 with a date as Retry-After'],
  'server-error': ['answer', '500'],
  'bad-gateway': ['answer', '502'],
  unavailable: ['answer', '503'],
  'gateway-timeout': ['answer', '504'],
  redirect: ['answer', '302 to another host'],
  reset: ['answer', 'the connection is reset before any answer'],
  'stall-first-byte': ['answer', 'no answer ever comes'],
  html: ['answer', '200 with a web page instead of an archive'],
  'empty-body': ['answer', '200 with 0 bytes'],
  'stall-body': ['delivery', 'half of the body, then silence'],
  'truncated-length': ['delivery', 'Content-Length announced, closed half way'],
  'cut-chunked': ['delivery', 'a chunked body, closed half way'],
  slow: ['delivery', 'the body dribbles for a second or two, but is whole'],
  'truncated-zip': ['delivery', 'a complete answer with the first half of the archive'],
  'data-descriptors': ['archive', 'sizes and checksums follow the data'],
  zip64: ['archive', 'zip64 records throughout'],
  'directory-entries': ['archive', 'entries for the folders too'],
  deflated: ['archive', 'members deflated once more by the zip'],
  'empty-archive': ['archive', 'a zip without entries'],
  'other-day': ['archive', 'members of an earlier day than asked'],
  'flipped-byte': ['hour', "one wrong bit in a member's compressed data"],
  'half-gzip': ['hour', 'a member holds half of its gzip stream'],
  'two-gzip-streams': ['hour', 'a member holds two gzip streams'],
  'trailing-padding': ['hour', "zero bytes after a member's gzip stream"],
  'complete-marks': ['hour', 'an empty …_complete entry beside the members'],
  traversal: ['hour', 'an extra member named ../../evil.json.gz'],
  absolute: ['hour', 'an extra member named /etc/evil.json.gz'],
  backslash: ['hour', "a member's folder is set off by a backslash"],
  'duplicate-names': ['hour', 'two members of one name and other events'],
  'unparsable-name': ['hour', 'an extra member that names no hour'],
  'second-project': ['hour', 'an extra member of another project'],
  'outside-window': ['hour', 'an extra member of the hour before the window'],
  'missing-member': ['hour', 'the last part of the hour is not there'],
  shrunk: ['hour', 'the first part has half of its events'],
  grown: ['hour', 'one part more, also for an hour that had none'],
  'empty-hour': ['hour', 'no members for the hour'],
  'bad-line': ['hour', 'an additional line that is half an object'],
  'blank-lines': ['hour', 'blank lines at the start, middle and end'],
  'no-last-newline': ['hour', 'the last line has no line end'],
  crlf: ['hour', 'lines end with CR LF'],
  'long-line': ['hour', 'one event is 1 MB long'],
  'line-separator': ['hour', 'one event holds raw U+2028, U+2029 and U+0085'],
  bom: ['hour', 'a member begins with a byte order mark'],
  bomb: ['hour', 'the first part inflates a thousandfold, to 1 GB'],
  'bad-json': ['hour', 'an additional line {…} that does not parse'],
  'large-member': ['hour', 'the first part holds 500 MB of JSON'],
  'json-array': ['hour', 'the first part is one JSON array'],
  utf16: ['hour', 'the first part is encoded as UTF-16'],
  'gzip-in-gzip': ['hour', 'the first part is compressed twice'],
  'empty-member': ['hour', 'the first part is a gzip file of nothing'],
  'zero-bytes-member': ['hour', 'the first part has no bytes at all'],
  'clock-ahead': ['date', 'the Date header is an hour ahead'],
  'clock-behind': ['date', 'the Date header is an hour behind'],
  'no-date': ['date', 'no Date header'],
} as const satisfies Record<string, readonly [Kind, string]>;

export type FaultName = keyof typeof CATALOGUE;

type NamesOf<K extends Kind> = {
  [Name in FaultName]: (typeof CATALOGUE)[Name][0] extends K ? Name : never;
}[FaultName];

export type AnswerFault = NamesOf<'answer'>;
export type DeliveryFault = NamesOf<'delivery'>;
export type ArchiveFault = NamesOf<'archive'>;
export type HourFault = NamesOf<'hour'>;
export type DateFault = NamesOf<'date'>;

/** Every fault with what it does, for `--help`. */
export const FAULTS = Object.fromEntries(Object.entries(CATALOGUE).map(([name, [, what]]) => [name, what])) as Readonly<
  Record<FaultName, string>
>;

export interface Fault {
  readonly name: FaultName;
  /** Only requests whose window holds this hour meet the fault; without it, every request does. */
  readonly hour?: Hour;
  /** How many requests meet it; without it, all of them. */
  readonly times?: number;
  /** How many requests are still to meet it; the simulator counts it down. */
  remaining?: number;
}

/** What one request meets. */
export interface Met {
  readonly answer: AnswerFault | undefined;
  readonly date: DateFault | undefined;
  readonly delivery: DeliveryFault | undefined;
  readonly archive: ReadonlySet<ArchiveFault>;
  readonly hours: ReadonlyMap<Hour, ReadonlySet<HourFault>>;
  readonly names: readonly FaultName[];
}

/** Reads `NAME[@HOUR][*TIMES]`, e.g. `truncated-zip@2026-11-20T05*2`. */
export function parseFault(spec: string): Fault {
  const match = /^([^@*]*)(?:@([^*]*))?(?:\*(.*))?$/.exec(spec);
  const [, name = '', hour, times] = match ?? [];
  const refuse = (why: string) =>
    new UsageError(
      `The fault "${spec}" cannot be read: ${why}.`,
      `Write NAME[@HOUR][*TIMES], for example truncated-zip@2026-11-20T05*2; \`${command('simulate --help')}\` lists the names.`,
    );
  if (!isFaultName(name)) throw refuse(`there is no fault "${name}", the nearest is "${nearest(name)}"`);
  if (times !== undefined && !/^[1-9]\d{0,8}$/.test(times))
    throw refuse(`"${times}" is not a number of times from 1 on`);
  return {
    name,
    ...(hour === undefined ? {} : { hour: hourOfSpec(hour, refuse) }),
    ...(times === undefined ? {} : { times: Number(times) }),
  };
}

function hourOfSpec(text: string, refuse: (why: string) => UsageError): Hour {
  try {
    return readHour(text);
  } catch {
    throw refuse(`"${text}" is not an hour such as 2026-11-20T05`);
  }
}

/** The opposite of parseFault, with the times that are left. */
export function formatFault({ name, hour, times, remaining }: Fault): string {
  const left = remaining ?? times ?? Infinity;
  return `${name}${hour === undefined ? '' : `@${formatHour(hour)}`}${left === Infinity ? '' : `*${left.toString()}`}`;
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(CATALOGUE, name);
}

function nearest(name: string): string {
  const names = Object.keys(CATALOGUE);
  const longer = names.filter((known) => name !== '' && known.startsWith(name));
  const distance = (known: string) => leven(name, known);
  return (longer.length > 0 ? longer : names).sort((a, b) => distance(a) - distance(b))[0] ?? '';
}

/**
 * Picks the faults that a request for `window` meets and counts them down. `filled` are the hours that have data and
 * are ready, `ready` tells any hour's readiness. Of several answers, dates or deliveries the first one counts.
 */
export function meetFaults(
  faults: readonly Fault[],
  window: Window,
  filled: readonly Hour[],
  ready: (hour: Hour) => boolean,
): Met {
  const meets = ({ hour, times, remaining = times ?? Infinity }: Fault) =>
    remaining > 0 && (hour === undefined || (window.start <= hour && hour < window.end));
  const candidates = faults.filter(meets);
  const take = <K extends Kind>(kind: K) =>
    candidates.filter((fault): fault is Fault & { name: NamesOf<K> } => CATALOGUE[fault.name][0] === kind);
  const answer = take('answer').slice(0, 1);
  const date = take('date').slice(0, 1);
  const onArchive = answer.length === 0;
  const mayHaveData = onArchive && (filled.length > 0 || candidates.some(grows));
  const delivery = mayHaveData ? take('delivery').slice(0, 1) : [];
  const archive = mayHaveData ? take('archive') : [];
  const hours = new Map<Hour, Set<HourFault>>();
  const onHours = (onArchive ? take('hour') : []).filter((fault) => {
    const hour = fault.hour ?? filled[0];
    const there = hour !== undefined && (filled.includes(hour) || (grows(fault) && ready(hour)));
    if (there) hours.set(hour, (hours.get(hour) ?? new Set()).add(fault.name));
    return there;
  });
  const met = [...answer, ...date, ...delivery, ...archive, ...onHours];
  for (const fault of met) fault.remaining = (fault.remaining ?? fault.times ?? Infinity) - 1;
  return {
    answer: answer[0]?.name,
    date: date[0]?.name,
    delivery: delivery[0]?.name,
    archive: new Set(archive.map(({ name }) => name)),
    hours,
    names: met.map(({ name }) => name),
  };
}

function grows(fault: Fault): boolean {
  return fault.name === 'grown' && fault.hour !== undefined;
}
