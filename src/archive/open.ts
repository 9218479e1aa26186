import type { Redact } from '../redaction.ts';
import { type Archive, broken } from './archive.ts';
import { readWithJszip } from './jszip.ts';
import type { Spool } from './spool.ts';
import { readWithYauzl } from './yauzl.ts';

/**
 * Opens what a request returned: with jszip where it lies in memory, with yauzl where it was spilled to a file. Both
 * read the archive's own directory; nothing is inflated here. Takes over the spool, which closes with the archive.
 * Throws a JobError: ARCHIVE_BROKEN for what is no whole zip archive, ARCHIVE_REFUSED for two entries of one name. Reading
 * a member throws the signal's reason once that aborts: members of gigabytes are looked through long after their request.
 * `redact` sees what is quoted of an answer that is no archive.
 */
export async function openArchive(
  spool: Spool,
  signal?: AbortSignal,
  redact: Redact = (text) => text,
): Promise<Archive> {
  try {
    await mustBeginAsZip(spool, redact);
    const members = await (spool.kind === 'memory' ? readWithJszip(spool.buffer) : readWithYauzl(spool.file));
    const heeding = members.map((member) => ({ ...member, open: () => unlessAborted(member.open(), signal) }));
    return { members: heeding, close: () => spool.close() };
  } catch (error) {
    await spool.close();
    throw error;
  }
}

async function* unlessAborted(chunks: AsyncIterable<Buffer>, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

const QUOTED = 120;
/** More than is quoted: a secret at the cut is recognised only as a whole. */
const READ_TO_QUOTE = 16 * 1024;

/** Error pages and empty answers come with status 200 too; their beginning tells a person more than a zip error. */
async function mustBeginAsZip(spool: Spool, redact: Redact): Promise<void> {
  if (spool.bytes === 0) throw broken('the answer was empty');
  const head = await spool.head(READ_TO_QUOTE);
  if (head.subarray(0, 2).toString('latin1') !== 'PK') {
    const text = redact(head.toString('utf8'), head.length < spool.bytes)
      .replace(/\s+/g, ' ')
      .trim();
    throw broken(`the answer is no zip archive but begins with "${text.slice(0, QUOTED)}"`);
  }
}
