import type { FaultName } from './faults.ts';

const BYTES_OF_LONG_LINE = 1_000_000;

type Rewrite = (lines: string[], middle: number) => string[];

/** Adds `field` to the event in the middle, so that the number of events stays. */
function inMiddleEvent(field: string): Rewrite {
  return (lines, middle) => lines.map((line, at) => (at === middle ? `{${field},${line.slice(1)}` : line));
}

const REWRITES: Partial<Record<FaultName, Rewrite>> = {
  shrunk: (lines) => lines.slice(0, Math.floor(lines.length / 2)),
  'bad-line': (lines, middle) => lines.toSpliced(middle, 0, (lines[middle] ?? '{').slice(0, 24)),
  'bad-json': (lines, middle) => lines.toSpliced(middle, 0, '{"event_type":"cut off","event_properties":}'),
  'blank-lines': (lines, middle) => ['', ...lines.slice(0, middle), '', ' \t', ...lines.slice(middle), ''],
  'long-line': inMiddleEvent(`"padding":"${'x'.repeat(BYTES_OF_LONG_LINE)}"`),
  'line-separator': inMiddleEvent('"separators":"a\u2028b\u2029c\u0085d"'),
};

/** `json` with the given faults in its lines; faults of other kinds are passed over. */
export function rewriteLines(json: Buffer, faults: ReadonlySet<FaultName>): Buffer {
  let lines = json.toString().split('\n').slice(0, -1);
  for (const [name, rewrite] of Object.entries(REWRITES))
    if (faults.has(name as FaultName)) lines = rewrite(lines, Math.floor(lines.length / 2));
  const lineEnd = faults.has('crlf') ? '\r\n' : '\n';
  const text = lines.map((line) => `${line}${lineEnd}`).join('');
  // On one line: no line of it is an object.
  if (faults.has('json-array')) return Buffer.from(`[${lines.join(',')}]\n`);
  if (faults.has('empty-member')) return Buffer.alloc(0);
  if (faults.has('utf16')) return Buffer.from(`\uFEFF${text}`, 'utf16le');
  return Buffer.from(
    (faults.has('bom') ? '\uFEFF' : '') + (faults.has('no-last-newline') ? text.replace(/\r?\n$/, '') : text),
  );
}
