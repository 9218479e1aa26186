import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import PQueue from 'p-queue';
import { formatHour, type Hour } from '../../../src/hours.ts';
import { eventsKey } from '../../../src/landing/keys.ts';
import { crcHex, makeManifest, manifestKey, writeManifest } from '../../../src/landing/manifest.ts';

const CONTENT = Buffer.from('{"event_type":"load"}\n');
const CRC = crcHex(crc32(CONTENT));
const PROJECT = '1';

export interface Year {
  readonly hours: readonly Hour[];
  readonly objectsPerHour: number;
}

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  /** Where the server keeps its buckets as folders: files are made there in seconds, PUTs take minutes. */
  readonly data: string | undefined;
}

/** Sealed hours, each with so many small objects. */
export async function makeYear({ hours, objectsPerHour }: Year, server: Server): Promise<void> {
  const client = new S3Client({
    endpoint: server.endpoint,
    region: process.env.AWS_REGION ?? 'us-east-1',
    forcePathStyle: true,
    credentials: server.credentials,
  });
  await client.send(new CreateBucketCommand({ Bucket: server.bucket }));
  const { data } = server;
  const put = async (key: string, content: Buffer) => {
    const path = `${server.prefix}/${key}`;
    if (data === undefined) {
      await client.send(new PutObjectCommand({ Bucket: server.bucket, Key: path, Body: content }));
      return;
    }
    const file = join(data, server.bucket, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content);
  };
  const queue = new PQueue({ concurrency: 32 });
  for (const hour of hours) {
    await queue.onSizeLessThan(64);
    void queue.add(() => putHour(hour, objectsPerHour, put));
  }
  await queue.onIdle();
  client.destroy();
}

async function putHour(hour: Hour, parts: number, put: (key: string, content: Buffer) => Promise<void>): Promise<void> {
  const bytes = CONTENT.length;
  const objects = Array.from({ length: parts }, (_, part) => {
    const key = eventsKey({ project: PROJECT, hour, part, generation: 1, crc32: CRC }, 'json');
    const member = `${PROJECT}/${PROJECT}_${formatHour(hour).replace(/T0?/, '_')}#${part}.json.gz`;
    return { key, bytes, crc32: CRC, events: 1, member, source: { bytes, crc32: CRC } };
  });
  for (const { key } of objects) await put(key, CONTENT);
  const at = new Date().toISOString();
  const request = { start: formatHour(hour), end: formatHour(hour + 1), at };
  const landing = { hour, generation: 1, project: PROJECT, objects, quarantine: [] };
  await put(manifestKey(hour), writeManifest(makeManifest(landing, { request, sealedAt: at, tool: 'load' })));
}
