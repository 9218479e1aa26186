import { setTimeout as pause } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { JobError } from '../../errors.ts';
import type { DestinationOptions, Requests } from '../destination.ts';
import { isAws, makeClient } from './client.ts';
import { Dialect } from './dialect.ts';
import { attemptsOf, ContentFailure, isTransient, isWrongDigest, regionOf, WrongBytes } from './errors.ts';
import { explain } from './explain.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 20_000;

/** The SDK's own signature, which infers answers from commands. */
export type Send = S3Client['send'];

/** A prefix of a bucket. Sends requests, repeats them where that may help, and throws errors for people. */
export class Bucket {
  readonly name: string;
  readonly dialect: Dialect;
  readonly requests: Requests = { listings: 0, reads: 0, looks: 0 };
  readonly #address: { bucket: string; prefix: string };
  readonly #options: DestinationOptions;
  #client: Promise<S3Client> | undefined;

  constructor(address: { bucket: string; prefix: string }, options: DestinationOptions) {
    this.name = `s3://${address.bucket}/${address.prefix}`;
    this.dialect = new Dialect(options.log, isAws(options.s3.endpoint));
    this.#address = address;
    this.#options = options;
  }

  /** As requests name an object. */
  target(key: string): { Bucket: string; Key: string } {
    const { bucket: Bucket, prefix } = this.#address;
    return { Bucket, Key: prefix === '' ? key : `${prefix}/${key}` };
  }

  /** Sends to the bucket's region, until the signal aborts. */
  readonly send = (async (command: never, options?: object) => {
    const client = await this.#connected();
    return await client.send(command, { abortSignal: this.#options.signal, ...options });
  }) as Send;

  /** Repeats `work` where that may help, then explains what it throws. What content throws passes unchanged. */
  async request<T>(action: string, key: string, work: () => Promise<T>): Promise<T> {
    const { s3, signal, log } = this.#options;
    let moved = s3.region !== undefined;
    for (let attempts = 0; ; ) {
      signal.throwIfAborted();
      try {
        // First, because it tells whether checksums are wanted at all.
        await this.#connected();
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ContentFailure) throw error.cause;
        const region = moved ? undefined : regionOf(error);
        if (region !== undefined) {
          moved = true;
          // Another request may have been first.
          if (region !== (await (await this.#connected()).config.region())) this.#client = this.#connect(region);
          continue;
        }
        attempts += attemptsOf(error);
        const again = isTransient(error) || isWrongDigest(error) || error instanceof WrongBytes;
        if (!again || error instanceof JobError || attempts >= s3.maxAttempts)
          throw this.explain(error, action, key, attempts);
        log.debug(`${action} of ${key} failed (${(error as Error).message}); attempt ${attempts + 1} follows`, { key });
        await this.pause(attempts);
      }
    }
  }

  get maxAttempts(): number {
    return this.#options.s3.maxAttempts;
  }

  /** Where the signal ends the pause, the next request throws its reason. */
  async pause(attempts: number): Promise<void> {
    const { signal } = this.#options;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
    await pause(Math.random() * longest, undefined, { signal }).catch(() => undefined);
  }

  explain(error: unknown, action: string, key: string, attempts = 1): JobError {
    this.#options.signal.throwIfAborted();
    return explain(error, {
      action,
      key,
      name: this.name,
      settings: this.#options.s3,
      setting: this.#options.setting,
      attempts,
    });
  }

  async close(): Promise<void> {
    (await this.#client?.catch(() => undefined))?.destroy();
  }

  #connected(): Promise<S3Client> {
    this.#client ??= this.#connect(this.#options.s3.region);
    return this.#client;
  }

  async #connect(region: string | undefined): Promise<S3Client> {
    const client = await makeClient(this.#options, region);
    // AWS's own variable and profiles may turn checksums off.
    if ((await client.config.requestChecksumCalculation()) === 'WHEN_REQUIRED') this.dialect.leaveOutChecksums();
    // Every checksum is ours: where we send none, the SDK must not add one.
    client.config.requestChecksumCalculation = async () => 'WHEN_REQUIRED';
    return client;
  }
}
