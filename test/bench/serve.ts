// A process of its own for what the measured programs talk to, so that none of its work is counted as theirs:
//   serve.ts archive FILE    the Export API, which answers every request with FILE
//   serve.ts s3 BUCKET       the S3 server of the tests, where no other is named
// Prints its URL and serves until standard input ends.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startS3Server } from '../support/s3-server/server.ts';

const READ_BYTES = 1024 * 1024;

async function serveArchive(path: string): Promise<string> {
  const { size } = await stat(path);
  const server = createServer((request, response) => {
    if (URL.parse(request.url ?? '', 'http://archive')?.pathname !== '/api/2/export') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/zip', 'content-length': size });
    createReadStream(path, { highWaterMark: READ_BYTES }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const [what = '', argument = ''] = process.argv.slice(2);
const url =
  what === 'archive'
    ? await serveArchive(argument)
    : (await startS3Server({ buckets: [argument], accessKey: 'bench-key', keepBodies: false })).url;
process.stdout.write(`${url}\n`);
// The parent holds the other end: when it is gone, however it went, so is this.
process.stdin.on('end', () => process.exit()).resume();
