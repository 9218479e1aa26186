import type { S3Client } from '@aws-sdk/client-s3';
import { agentsFor } from '../network.ts';
import type { Destination } from './destination.ts';
import type { DestinationOptions } from './open.ts';
import { isAws, MOST_SOCKETS, makeClient } from './s3/client.ts';
import { deletingOf } from './s3/deleting.ts';
import { Dialect } from './s3/dialect.ts';
import { explain } from './s3/explain.ts';
import { isNewToSdk, isTransient, regionOf } from './s3/faults.ts';
import { readingOf } from './s3/reading.ts';
import { backOff, writingOf } from './s3/writing.ts';

/** S3 takes up to 5 GiB in one PUT; parts, which are held in memory, are of 8 MiB. */
const MULTIPART = { aboveBytes: 5 * 2 ** 30, partBytes: 8 * 2 ** 20 };

/**
 * Hours in a bucket. S3 is told length and CRC-32 of every object beforehand and refuses what arrives otherwise.
 * An upload that fails on the way is repeated here, since only we can open the content again.
 */
export function openS3Destination(
  { bucket, prefix }: { bucket: string; prefix: string },
  { s3: settings, signal, log, onDate, multipart = MULTIPART }: DestinationOptions,
): Destination {
  const folder = prefix === '' ? '' : `${prefix}/`;
  const name = `s3://${bucket}/${prefix}`;
  const where = { bucket, name, settings };
  let client: Promise<S3Client> | undefined;

  const agents = agentsFor(settings.proxyEnv, MOST_SOCKETS);
  const dialect = new Dialect(log, isAws(settings.endpoint));

  async function inRegion(region: string | undefined): Promise<S3Client> {
    const { client, checksums } = await makeClient(settings, region, agents, onDate);
    if (!checksums) dialect.toldWithoutChecksums();
    return client;
  }

  /** Sends by `send`; once, a bucket in another region is followed there, unless the region was given. */
  async function withClient<T>(
    what: { action: string; key: string },
    send: (client: S3Client) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    client ??= inRegion(settings.region);
    try {
      return await send(await client);
    } catch (error) {
      signal.throwIfAborted();
      const region = settings.region === undefined ? regionOf(error) : undefined;
      if (region === undefined || region === (await (await client).config.region())) throw error;
      log.debug(`${what.action} ${what.key}: the bucket is in ${region}`);
      client = inRegion(region);
      return await send(await client);
    }
  }

  async function request<T>(
    action: string,
    key: string,
    send: (client: S3Client) => Promise<T>,
    repeat = false,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await withClient({ action, key }, send);
      } catch (error) {
        signal.throwIfAborted();
        // The SDK repeats requests, not the reading of an answer that breaks off midway, nor after every cause that passes.
        if (!(repeat || isNewToSdk(error)) || !isTransient(error) || attempt >= settings.maxAttempts) {
          throw explain(error, { ...where, action, key });
        }
        await backOff(attempt, signal);
      }
    }
  }

  const at = {
    bucket,
    folder,
    settings,
    signal,
    log,
    dialect,
    multipart,
    withClient,
    request,
    explain: (error: unknown, action: string, key: string, attempts?: number) => {
      signal.throwIfAborted();
      return explain(error, { ...where, action, key, ...(attempts === undefined ? {} : { attempts }) });
    },
  };
  const reading = readingOf(at);
  return {
    name,
    lacks: dialect.lacks,
    ...reading,
    ...writingOf({ ...at, standing: reading.standing }),
    ...deletingOf(at, dialect),
    // What a run swaps, it swaps by condition: others need not be kept out.
    async lock() {},
    // An unfinished upload is never seen in S3; the bucket's lifecycle rule takes unfinished multipart uploads away.
    async sweep() {},
    async close() {
      await client?.then(
        (s3) => s3.destroy(),
        () => undefined,
      );
    },
  };
}
