import { S3Error } from './answer.ts';

/**
 * The bytes inside an `aws-chunked` body (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`): sizes in hexadecimal, each with its
 * data, a chunk of size 0, then trailing headers up to an empty line. What the trailer says lands in `trailers`.
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let left = 0;
  let state: 'size' | 'data' | 'data end' | 'trailer' | 'done' = 'size';
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length > 0) {
      if (state === 'done') throw malformed('bytes after its last trailer');
      if (state === 'data') {
        const data = held.subarray(0, left);
        yield data;
        left -= data.length;
        held = held.subarray(data.length);
        if (left === 0) state = 'data end';
        continue;
      }
      const end = held.indexOf('\r\n');
      if (end === -1) {
        if (held.length > 8192) throw malformed('a line without an end');
        break;
      }
      const line = held.toString('latin1', 0, end);
      held = held.subarray(end + 2);
      if (state === 'size') {
        if (!/^[0-9a-f]+$/i.test(line)) throw malformed(`"${line}" in place of a size`);
        left = Number.parseInt(line, 16);
        state = left === 0 ? 'trailer' : 'data';
      } else if (state === 'data end') {
        if (line !== '') throw malformed('a chunk longer than its size');
        state = 'size';
      } else if (line === '') {
        state = 'done';
      } else {
        const colon = line.indexOf(':');
        if (colon === -1) throw malformed(`the trailer "${line}"`);
        trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
      }
    }
  }
  if (state !== 'done') throw new S3Error(400, 'IncompleteBody', 'The request body terminated unexpectedly.');
}

function malformed(what: string): S3Error {
  return new S3Error(400, 'InvalidRequest', `The aws-chunked body has ${what}.`);
}
