import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Destination } from '../../../src/destination/destination.ts';
import { openBucket, openFolder } from '../destinations.ts';
import { filesOf } from '../program.ts';
import { type S3Server, startS3Server } from '../s3-server/server.ts';
import type { Files } from './source.ts';

/** Where sources and destinations lie side by side, each by a name of its own. */
export interface Store {
  readonly kind: 'a folder' | 'S3';
  /** What the program needs to reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** As SOURCE or DESTINATION names it. */
  address(name: string): string;
  open(name: string): Destination;
  write(name: string, files: ReadonlyMap<string, Buffer>): Promise<void>;
  read(name: string): Promise<Files>;
  close(): Promise<void>;
}

export async function folderStore(): Promise<Store> {
  const top = await mkdtemp(join(tmpdir(), 'adopt-'));
  const open = (name: string) => openFolder(join(top, name));
  return {
    kind: 'a folder',
    env: {},
    address: (name) => join(top, name),
    open,
    async write(name, files) {
      for (const [key, bytes] of files) {
        const file = join(top, name, ...key.split('/'));
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, bytes);
      }
    },
    read: (name) => filesOf(join(top, name)),
    close: () => rm(top, { recursive: true, force: true }),
  };
}

export interface BucketStore extends Store {
  readonly server: S3Server;
}

/** The tests' own S3 server. Its requests and faults are open to a test. */
export async function bucketStore(): Promise<BucketStore> {
  const server = await startS3Server();
  const open = (name: string) => openBucket(server, {}, { prefix: name });
  return {
    kind: 'S3',
    server,
    env: {
      AWS_ENDPOINT_URL_S3: server.url,
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
      AWS_REGION: 'us-east-1',
    },
    address: (name) => `s3://bucket/${name}`,
    open,
    async write(name, files) {
      // As another program's objects are: S3 keeps no CRC-32 of them.
      for (const [key, body] of files) {
        const etag = `"${createHash('md5').update(body).digest('hex')}"`;
        const path = `bucket/${name}/${key}`;
        const modifiedAt = new Date(server.objects.has(path) ? Date.now() : Date.now() - 60_000);
        server.objects.set(path, { body, size: body.length, etag, headers: {}, modifiedAt });
      }
    },
    async read(name) {
      const start = `bucket/${name}/`;
      const found = [...server.objects].filter(([key]) => key.startsWith(start));
      return new Map(
        found.map(([key, { body }]) => [key.slice(start.length), body] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    },
    close: () => server.close(),
  };
}
