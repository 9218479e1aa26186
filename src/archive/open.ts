import type { Redact } from '../redaction.ts';
import { type Archive, broken } from './archive.ts';
import { readWithJszip } from './jszip.ts';
import type { Spool } from './spool.ts';
import { readWithYauzl } from './yauzl.ts';

/**
 * Opens what a request returned, with jszip in memory and with yauzl in a file. Nothing is inflated here. Takes over the
 * spool, which closes with the archive. Throws a JobError: ARCHIVE_BROKEN for what is no whole zip archive,
 * ARCHIVE_REFUSED for two entries of one name. Once `signal` aborts, reading a member throws its reason: members of
 * gigabytes are read long after their request. `redact` sees what is quoted of an answer that is no archive.
 */
export async function openArchive(
  spool: Spool,
  signal?: AbortSignal,
  redact: Redact = (text) => text,
): Promise<Archive> {
  try {
    await mustBeginAsZip(spool, redact);
    const members = await (spool.kind === 'memory'
      ? readWithJszip(spool.buffer, signal)
      : readWithYauzl(spool.file, signal));
    return { members, close: () => spool.close() };
  } catch (error) {
    await spool.close();
    throw error;
  }
}

const QUOTED = 120;
/** More than is quoted: a secret at the cut is recognised only as a whole. */
const READ_TO_QUOTE = 16 * 1024;

/** Error pages and empty answers come with status 200 too. Their beginning tells a person more than a zip error. */
async function mustBeginAsZip(spool: Spool, redact: Redact): Promise<void> {
  if (spool.bytes === 0) throw broken('the answer was empty');
  const head = await headOf(spool);
  if (head.toString('latin1', 0, 2) === 'PK') return;
  const text = redact(head.toString(), head.length < spool.bytes)
    .replace(/\s+/g, ' ')
    .trim();
  throw broken(`the answer is not a zip archive; it begins with "${text.slice(0, QUOTED)}"`);
}

async function headOf(spool: Spool): Promise<Buffer> {
  if (spool.kind === 'memory') return spool.buffer.subarray(0, READ_TO_QUOTE);
  const { buffer, bytesRead } = await spool.file.read(Buffer.alloc(READ_TO_QUOTE), 0, READ_TO_QUOTE, 0);
  return buffer.subarray(0, bytesRead);
}
