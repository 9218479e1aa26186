import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { startOf } from '../../../src/hours.ts';
import { hourOfManifestKey } from '../../../src/landing/manifest.ts';
import { type S3Server, startS3Server } from '../../support/s3-server/server.ts';

/** Everything that lies in a destination, by key; partial files too. */
export type Contents = ReadonlyMap<string, Buffer>;

/** A destination of the program under test, looked at from outside. */
export interface Place {
  readonly name: string;
  /** Points the program at it. */
  readonly env: NodeJS.ProcessEnv;
  /** What makes sealed hours be asked for again once they were laid here. */
  readonly flags: readonly string[];
  read(): Promise<Contents>;
  /** Makes this all that is there, with manifests so old that their hours were sealed before they could settle. */
  lay(contents: Contents): Promise<void>;
  close(): Promise<void>;
}

const NOTHING: Contents = new Map();

/** An hour that is sealed as soon as it is ready is to be asked for again a day later. */
const SEALED_AFTER_MS = 3 * 3_600_000;

function ageOf(key: string): Date | undefined {
  const hour = hourOfManifestKey(key);
  return hour === undefined ? undefined : new Date(startOf(hour + 1).getTime() + SEALED_AFTER_MS);
}

export function folderPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'kill-data-'));
  return {
    name: 'a folder',
    env: { DESTINATION: folder },
    flags: [],
    async read() {
      const contents = new Map<string, Buffer>();
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        const file = join(entry.parentPath, entry.name);
        if (entry.isDirectory()) continue;
        const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
          // A run that goes on meanwhile may rename it.
          if (error.code !== 'ENOENT') throw error;
        });
        if (bytes !== undefined) contents.set(relative(folder, file).split(sep).join('/'), bytes);
      }
      return contents;
    },
    async lay(contents) {
      await rm(folder, { recursive: true });
      await mkdir(folder);
      for (const [key, bytes] of contents) {
        const file = join(folder, ...key.split('/'));
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, bytes);
        const age = ageOf(key);
        if (age !== undefined) await utimes(file, age, age);
      }
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/** S3: the server that the environment names, else one in this process. */
export function s3Place(): Promise<Place & { readonly server?: S3Server }> {
  const { AWS_ENDPOINT_URL_S3: endpoint = '' } = process.env;
  return endpoint === '' ? ownS3() : givenS3(endpoint);
}

async function ownS3(): Promise<Place & { readonly server: S3Server }> {
  const server = await startS3Server({ buckets: ['kill'] });
  const folder = 'kill/amplitude/';
  return {
    name: 'S3',
    server,
    env: {
      DESTINATION: 's3://kill/amplitude',
      AWS_ENDPOINT_URL_S3: server.url,
      AWS_ACCESS_KEY_ID: 'testak',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
      AWS_REGION: 'us-east-1',
    },
    flags: [],
    async read() {
      const contents = [...server.objects].map(([key, { body }]) => [key.slice(folder.length), body] as const);
      const unfinished = [...server.uploads.keys()].map((id) => [`unfinished upload ${id}`, Buffer.alloc(0)] as const);
      return new Map([...contents, ...unfinished]);
    },
    async lay(contents) {
      server.objects.clear();
      server.requests.length = 0;
      for (const [key, body] of contents) {
        const modifiedAt = ageOf(key) ?? new Date();
        server.objects.set(folder + key, { body, size: body.length, etag: `"${key}"`, headers: {}, modifiedAt });
      }
    },
    close: () => server.close(),
  };
}

/** An object's age cannot be set in a given server, so sealed hours are asked for again by force. */
async function givenS3(endpoint: string): Promise<Place> {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_REGION = 'us-east-1', S3_TEST_BUCKET } = process.env;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  const client = new S3Client({ endpoint, region: AWS_REGION, credentials, forcePathStyle: true });
  const Bucket = S3_TEST_BUCKET ?? `kill-${randomBytes(4).toString('hex')}`;
  if (S3_TEST_BUCKET === undefined) await client.send(new CreateBucketCommand({ Bucket }));
  const prefix = `kill-${randomBytes(6).toString('hex')}`;
  const folder = `${prefix}/`;

  async function keys(): Promise<string[]> {
    const found: string[] = [];
    for (let after: string | undefined; ; ) {
      const StartAfter = after === undefined ? {} : { StartAfter: after };
      const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: folder, ...StartAfter }));
      found.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
      after = found.at(-1);
      if (page.IsTruncated !== true) return found;
    }
  }
  const lay = async (contents: Contents) => {
    const there = await keys();
    if (there.length > 0) {
      const Objects = there.map((Key) => ({ Key }));
      await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    }
    for (const [key, Body] of contents) await client.send(new PutObjectCommand({ Bucket, Key: folder + key, Body }));
  };
  return {
    name: `S3 at ${endpoint}`,
    env: {
      DESTINATION: `s3://${Bucket}/${prefix}`,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_REGION,
    },
    flags: ['--force'],
    async read() {
      const contents = new Map<string, Buffer>();
      for (const Key of await keys()) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
        contents.set(Key.slice(folder.length), Buffer.from((await Body?.transformToByteArray()) ?? []));
      }
      return contents;
    },
    lay,
    async close() {
      await lay(NOTHING);
      if (S3_TEST_BUCKET === undefined) await client.send(new DeleteBucketCommand({ Bucket }));
      client.destroy();
    },
  };
}
