// A process of its own, since what it looks for would end the process that looks: memory that is given back under a
// reader. Members are read, and landed in S3, by consumers that end at every point of the stream.
//   giving-up.ts ROUNDS
// Prints how often what was ended, as JSON; exits with 1 and what was wrong where a content is not what it was.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { hold, type Member } from '../../../src/archive/archive.ts';
import { inflate } from '../../../src/archive/inflate.ts';
import { readMemberName } from '../../../src/archive/names.ts';
import { S3Destination } from '../../../src/destination/s3.ts';
import { JobError } from '../../../src/errors.ts';
import { landMember } from '../../../src/export/member.ts';
import { gzipMember } from '../../../src/simulator/gzip.ts';
import { hearingLog, s3Settings } from '../settings.ts';
import { noisyLines, openWith, READERS, write } from './fixtures.ts';

function randomLines(count: number): Buffer {
  const lines = Array.from({ length: count }, () => `{"x":"${randomBytes(150).toString('base64')}"}\n`);
  return Buffer.from(lines.join(''));
}

const ROUNDS = Number(process.argv[2] ?? 100);
const AT_ONCE = 8;
const EVENTS = 6_000;

/** The last one compresses to a megabyte: such memory is unmapped at once when it goes, and who reads there crashes. */
const contents = [noisyLines(EVENTS, 1), noisyLines(EVENTS, 2), randomLines(EVENTS)];
const members = contents.map((json, part) => ({ name: `100011471/100011471_2026-11-20_5#${part}.json.gz`, json }));
const done = { read: 0, givenUp: 0, landed: 0, failed: 0 };

/** Points all over the stream, in no order: each round has its own. */
const pointOf = (round: number, bytes: number) => ((round * 0.618_034) % 1) * 1.1 * bytes;
/** What the allocator has free is overwritten: whoever still reads there reads this. */
const spoil = () => [1, 2, 4].map((size) => Buffer.alloc(size * 64 * 1024, 0xff));

async function readUpTo(member: Member, json: Buffer, round: number): Promise<void> {
  const end = pointOf(round, json.length);
  const chunks = inflate(member);
  let offset = 0;
  for (;;) {
    const asked = chunks.next();
    // Every other one gives up while a chunk is on its way.
    if (offset >= end && round % 2 === 0) {
      await chunks.return(undefined);
      await asked;
      done.givenUp++;
      break;
    }
    const { done: ended, value } = await asked;
    if (ended === true) {
      assert.equal(offset, json.length);
      done.read++;
      break;
    }
    if (round % 3 === 0) await turn();
    assert.ok(value.equals(json.subarray(offset, offset + value.length)), `other bytes at ${offset}, round ${round}`);
    offset += value.length;
    if (offset < end) continue;
    await chunks.return(undefined);
    done.givenUp++;
    break;
  }
  spoil();
}

/** An S3 server that reads so many bytes of an upload, then does what `round` says. */
function startServer() {
  const behaviour = { round: 0 };
  const bodies = new Map<string, Buffer>();
  const server = createServer((request, response: ServerResponse) => {
    const { url = '', method, headers } = request;
    if (method === 'HEAD') return void response.writeHead(404).end();
    const round = behaviour.round++;
    const end = round % 8 === 7 ? Number.POSITIVE_INFINITY : pointOf(round, Number(headers['content-length']));
    const taken: Buffer[] = [];
    let bytes = 0;
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      taken.push(chunk);
      if (bytes < end) return;
      request.pause();
      if (round % 4 === 0) request.socket.destroy();
      else if (round % 4 === 1) response.writeHead(200, { etag: '"x"', connection: 'close' }).end();
      else if (round % 4 === 2) response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
      else response.writeHead(503, { connection: 'close' }).end();
    });
    request.on('end', () => {
      if (response.headersSent || request.socket.destroyed) return;
      bodies.set(url.split('/').slice(0, 3).join('/'), Buffer.concat(taken));
      response.writeHead(200, { etag: '"x"', 'x-amz-checksum-crc32': String(headers['x-amz-checksum-crc32']) }).end();
    });
  });
  return { server, bodies };
}

const never = new AbortController().signal;
const workDir = await mkdtemp(join(tmpdir(), 'giving-up-'));
const { server, bodies } = startServer();
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
let puts = 0;

async function land(member: Member, json: Buffer, format: 'json' | 'gzip'): Promise<void> {
  const prefix = `p${puts++}`;
  const destination = new S3Destination(
    { bucket: 'bucket', prefix },
    { s3: s3Settings(url, { maxAttempts: 1 }), signal: never, log: hearingLog() },
  );
  const name = readMemberName(member.name);
  assert.ok(name);
  const timings = { downloadMs: 0, inflateMs: 0, uploadMs: 0 };
  const path = `/bucket/${prefix}`;
  try {
    const { object } = await landMember(
      { member, name },
      { destination, format, strict: false, timings, generation: 1 },
    );
    const body = bodies.get(path);
    assert.ok(body, 'landed, and nothing is there');
    assert.equal(body.length, object.bytes);
    assert.equal(crc32(body).toString(16).padStart(8, '0'), object.crc32);
    assert.equal(object.events, EVENTS);
    if (format === 'json') assert.ok(body.equals(json), 'landed, and other bytes are there');
    done.landed++;
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    assert.match(error.code, /^(DESTINATION|NOT_S3)/, String(error));
    done.failed++;
  } finally {
    destination.close();
    bodies.delete(path);
    spoil();
  }
}

try {
  for (const reader of READERS) {
    for (const method of ['stored', 'deflated'] as const) {
      const bytes = await write(members.map(({ name, json }) => ({ name, data: gzipMember(json), method })));
      const archive = await openWith(reader, bytes, workDir);
      const each = async (count: number, work: (member: Member, json: Buffer, round: number) => Promise<void>) => {
        let round = 0;
        const worker = async () => {
          while (round < count) {
            const index = round++;
            const member = archive.members[index % members.length] as Member;
            const { json } = members[index % members.length] as (typeof members)[0];
            await work(member, json, index);
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
      };
      await each(ROUNDS, readUpTo);
      await each(ROUNDS, async (member, json, round) => readUpTo(await hold(member), json, round));
      await each(ROUNDS, (member, json, round) => land(member, json, round % 5 === 0 ? 'gzip' : 'json'));
      for (const { name, json } of members) {
        const member = archive.members.find((one) => one.name === name) as Member;
        await readUpTo(member, json, Number.NaN);
      }
      await archive.close();
    }
  }
  process.stdout.write(`${JSON.stringify(done)}\n`);
} finally {
  server.close();
  server.closeAllConnections();
  await rm(workDir, { recursive: true });
}
