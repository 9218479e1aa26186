import { rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { S3Settings, Settings } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { addressingOf } from '../destination/s3/client.ts';
import { JobError } from '../errors.ts';
import { formatHour } from '../hours.ts';
import { firstLanded } from '../landing/listing.ts';
import { readRecord } from '../landing/records.ts';
import type { Log } from '../log.ts';
import { type Check, ok, skipped, told, tried, warned } from './check.ts';
import type { Clocks } from './clock.ts';
import { PROBES, probe } from './probe.ts';
import { freeIn, roomCheck } from './space.ts';

/** A run tries longer; whoever waits for these lines learns as much from two tries. */
const MOST_ATTEMPTS = 2;

/** A write under way at a signal may still arrive: it is waited for, so that what it wrote can be deleted. */
const GRACE_MS = 2000;

interface Options {
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clocks: Clocks;
}

/** What a run needs of the place where the hours land. It is left as it was found, whatever happens on the way. */
export async function* destinationChecks(settings: Settings, options: Options): AsyncGenerator<Check> {
  const { now, signal, log, clocks } = options;
  const { destination: address } = settings;
  const s3 = { ...settings.s3, maxAttempts: Math.min(MOST_ATTEMPTS, settings.s3.maxAttempts) };
  // What a destination warns of is told by the check in which it comes up.
  const warnings: string[] = [];
  const quiet: Log = { ...log, info: log.debug, warn: (message) => void warnings.push(message) };
  const onDate = (date: string | undefined, tookMs: number) => {
    const cameAt = now();
    clocks.hear("the store's", date, new Date(cameAt.getTime() - tookMs), cameAt);
  };
  const reopen = (until: AbortSignal) => openDestination(address, { s3, signal: until, log: quiet, onDate });
  const destination = reopen(later(signal, GRACE_MS));
  const isFolder = address.kind === 'file';
  const made = isFolder ? await missing(join(address.folder, PROBES)) : [];
  try {
    if (isFolder) {
      const lock = await lockCheck(destination, { made: made.length > 1, warnings, signal });
      yield lock;
      if (lock.status === 'failed') {
        const why = 'not tried: the folder cannot be used';
        for (const check of ['write', 'read', 'list', 'delete', 'landed', 'space']) yield skipped(check, why);
        return;
      }
    }
    const answers = yield* probe(destination, {
      signal,
      how: isFolder ? 'synced and renamed' : sentence(s3),
      warnings,
      conditions: !isFolder,
      reopen,
      onLeft: (message) => log.warn(message),
    });
    yield answers
      ? await tried('landed', signal, () => landedCheck(destination))
      : skipped('landed', 'not tried: the destination gave no usable answer');
    if (isFolder) {
      const { folder } = address;
      yield await tried('space', signal, async () =>
        roomCheck('space', await freeIn(folder), { folder, use: '', variable: 'DESTINATION' }),
      );
    }
  } finally {
    await destination.close();
    // A run that has begun meanwhile fills them: then they are its own.
    for (const folder of made) await rmdir(folder).catch(() => undefined);
  }
}

function sentence(settings: S3Settings): string {
  const { kmsKeyId, sse } = settings;
  const kms = kmsKeyId === undefined ? undefined : `aws:kms with ${kmsKeyId}`;
  const asked = kms ?? sse;
  const encryption = asked === undefined ? "the bucket's default encryption" : `encryption asked for: ${asked}`;
  return `${addressingOf(settings)} addressing, ${encryption}`;
}

async function lockCheck(
  destination: Destination,
  { made, warnings, signal }: { made: boolean; warnings: readonly string[]; signal: AbortSignal },
): Promise<Check> {
  return await tried('lock', signal, async () => {
    try {
      await destination.lock();
    } catch (error) {
      if (error instanceof JobError && error.code === 'DESTINATION_LOCKED') return told('lock', 'warn', error);
      throw error;
    }
    const [warning] = warnings;
    if (warning !== undefined) return warned('lock', warning, 'A schedule must not overlap there.');
    return ok('lock', `${destination.name} can be ${made ? 'made and ' : ''}locked`);
  });
}

/** One listing, and one manifest for the project. */
async function landedCheck(destination: Destination): Promise<Check> {
  const first = await firstLanded(destination);
  if (first === undefined) return ok('landed', 'nothing yet');
  const { manifest } = await readRecord(first, destination);
  const project = typeof manifest?.project === 'string' ? `project ${manifest.project}, ` : '';
  return ok('landed', `${project}from ${formatHour(first)} on`);
}

/** The folders of `path` that are not there, the innermost first. */
async function missing(path: string): Promise<string[]> {
  const found: string[] = [];
  for (let at = join(path, '.'); at !== dirname(at); at = dirname(at)) {
    const there = await stat(at).then(
      () => true,
      () => false,
    );
    if (there) break;
    found.push(at);
  }
  return found;
}

/** Aborts as `signal` does, some time after. */
function later(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController();
  const abort = () => void setTimeout(() => controller.abort(signal.reason), ms).unref();
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return controller.signal;
}
