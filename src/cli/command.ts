import { systemCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Output } from './output.ts';

/** What every command is given beside its settings and flags. */
export interface CommandContext {
  readonly out: Output;
  readonly log: Log;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** What has been done is done by now: that its report cannot be written changes nothing about it. */
export async function keepReport(
  path: string | undefined,
  report: object,
  { out, log }: CommandContext,
): Promise<void> {
  if (path === undefined) return;
  await out.documentFile(path, report).catch((error: unknown) => {
    log.warn(`REPORT_FILE names ${path}, which cannot be written (${systemCode(error) ?? String(error)}).`);
  });
}
