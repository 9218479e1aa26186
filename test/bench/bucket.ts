import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';

import { formatHour } from '../../src/hours.ts';
import { readKey } from '../../src/landing/keys.ts';

/** What a program landed: the objects that hold events, their sizes by Amplitude's name for the file. */
export type Landed = ReadonlyMap<string, number>;

/** Ours as well as those of programs that keep the names of the archive. */
function asAmplitudeNames(key: string): string {
  const name = readKey(key.slice(key.indexOf('events/')));
  if (name === undefined) return key.slice(key.lastIndexOf('/') + 1);
  const [date, hour] = formatHour(name.hour).split('T');
  return `${name.project}_${date}_${Number(hour)}#${name.part}.json`;
}

/** The bucket that the programs write to, emptied between them. */
export class BenchBucket {
  readonly name: string;
  readonly #client: S3Client;
  #made = false;

  constructor(name: string, endpoint: string, credentials: { accessKeyId: string; secretAccessKey: string }) {
    this.name = name;
    const region = process.env.AWS_REGION ?? 'us-east-1';
    this.#client = new S3Client({ endpoint, credentials, region, forcePathStyle: true });
  }

  async make(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.name }));
    } catch (error) {
      if (!(error instanceof S3ServiceException) || error.$metadata.httpStatusCode !== 404) throw error;
      await this.#client.send(new CreateBucketCommand({ Bucket: this.name }));
      this.#made = true;
    }
  }

  /** Objects with events in them: all but the manifests. */
  async landed(): Promise<Landed> {
    const sizes = new Map<string, number>();
    for await (const { key, size } of this.#objects()) {
      if (!key.includes('/manifests/')) sizes.set(asAmplitudeNames(key), size);
    }
    return sizes;
  }

  async empty(): Promise<void> {
    let keys: string[] = [];
    const clear = async () => {
      const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
      if (keys.length > 0) await this.#client.send(new DeleteObjectsCommand({ Bucket: this.name, Delete }));
      keys = [];
    };
    for await (const { key } of this.#objects()) {
      keys.push(key);
      if (keys.length === 1000) await clear();
    }
    await clear();
  }

  /** Leaves the server as it was found. */
  async remove(): Promise<void> {
    await this.empty();
    if (this.#made) await this.#client.send(new DeleteBucketCommand({ Bucket: this.name }));
    this.#client.destroy();
  }

  async *#objects(): AsyncGenerator<{ key: string; size: number }> {
    let after: string | undefined;
    do {
      const input = { Bucket: this.name, ...(after === undefined ? {} : { StartAfter: after }) };
      const { Contents = [], IsTruncated } = await this.#client.send(new ListObjectsV2Command(input));
      for (const { Key = '', Size = 0 } of Contents) yield { key: Key, size: Size };
      after = IsTruncated === true ? Contents.at(-1)?.Key : undefined;
    } while (after !== undefined);
  }
}
