import { EXIT } from '../errors.ts';
import { type Fields, kestraLine } from '../log.ts';
import type { CommandContext } from './command.ts';

interface Presentation {
  /** For people. */
  readonly text: string;
  /** Stands before the text where it is for people; it may have colours, but nothing from outside. */
  readonly painted?: string;
  readonly kestra?: { readonly outputs: Fields; readonly metrics: readonly object[] };
  /** Numbers for whoever reads the log by machine; else Kestra's outputs. */
  readonly fields?: Fields;
  /** Whether the text belongs to the log, so that stdout stays free. */
  readonly inLog?: boolean;
  /** The hours that made the run fail, for people. */
  readonly failing?: string;
}

/**
 * Writes a report in the form that its reader takes: a text, one JSON document, lines of the log, or those of Kestra.
 * Resolves to its exit code.
 */
export async function present(
  report: { readonly exitCode: number },
  { text, painted, kestra, fields = kestra?.outputs, inLog = false, failing = '' }: Presentation,
  { out, log }: Pick<CommandContext, 'out' | 'log'>,
): Promise<number> {
  await out.report(report);
  out.ending = { text, failing };
  const { exitCode } = report;
  if (out.json && !inLog) return exitCode;
  if (out.format !== 'pretty') {
    // A line each: a log viewer shows no ends of lines within a message.
    const lines = text.split('\n');
    const last = lines.length - 1;
    const end = exitCode === EXIT.done ? log.info : log.error;
    // Numbers are no errors. Whoever looks for ERROR finds what failed, and this end.
    for (const line of lines.slice(0, last)) log.info(line);
    end(lines[last] ?? '', { ...fields, exitCode });
  } else if (inLog) out.note(text);
  else out.print(text, painted);
  if (out.format === 'kestra' && !out.json && kestra !== undefined) {
    out.print(kestraLine({ outputs: kestra.outputs }));
    out.print(kestraLine({ metrics: kestra.metrics }));
  }
  return exitCode;
}
