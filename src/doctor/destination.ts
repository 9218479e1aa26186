import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { S3Settings, Settings } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { openDestination } from '../destination/open.ts';
import { addressingOf } from '../destination/s3/client.ts';
import { formatHour } from '../hours.ts';
import { firstLanded } from '../landing/listing.ts';
import { readRecord } from '../landing/records.ts';
import type { Log } from '../log.ts';
import { type Check, type DoctorOptions, ok, skipped, tried, warned } from './check.ts';
import { ONE_AT_A_TIME, PROBES, Probe } from './probe.ts';
import { freeIn, roomCheck } from './space.ts';

/** A run tries more often; two tries tell a person as much, and sooner. */
const MOST_ATTEMPTS = 2;

/** At a signal, a write under way may still arrive. It is waited for, so that the probe can be deleted. */
const GRACE_MS = 2000;
const CLEAN_UP_MS = 4000;

/** Tries what a run needs of its destination, and leaves it as it was. */
export async function* destinationChecks(
  settings: Settings,
  { now, signal, log }: DoctorOptions,
  hearClock: (date: string | undefined, sentAt: Date, cameAt: Date) => void,
): AsyncGenerator<Check> {
  const { destination: address } = settings;
  const s3 = { ...settings.s3, maxAttempts: Math.min(MOST_ATTEMPTS, settings.s3.maxAttempts) };
  // Each check tells the warnings that it causes.
  const warnings: string[] = [];
  const quiet: Log = { ...log, info: log.debug, warn: (message) => void warnings.push(message) };
  const onDate = (date: string | undefined, tookMs: number) => {
    const cameAt = now();
    hearClock(date, new Date(cameAt.getTime() - tookMs), cameAt);
  };
  const open = (until: AbortSignal) => openDestination(address, { s3, signal: until, log: quiet, onDate });
  const destination = open(after(signal, GRACE_MS));
  const folder = address.kind === 'file' ? address.folder : undefined;
  const made = folder === undefined ? [] : missing(join(folder, PROBES));
  const how = folder === undefined ? howStored(s3) : 'synced and renamed';
  const probe = new Probe(destination, { signal, how, warnings, conditions: folder === undefined });
  try {
    if (folder !== undefined) {
      const lock = await tried('lock', signal, () => lockCheck(destination, made.length > 1, warnings));
      yield lock;
      if (lock.status === 'failed') {
        const untried = ['write', 'read', 'list', 'delete', 'landed', 'space'];
        yield* untried.map((check) => skipped(check, 'not tried: the folder cannot be used'));
        return;
      }
    }
    const answers = yield* probe.checks();
    yield answers
      ? await tried('landed', signal, () => landedCheck(destination))
      : skipped('landed', 'not tried: the destination gave no usable answer');
    if (folder !== undefined) {
      const space = async () => roomCheck('space', await freeIn(folder), folder, 'DESTINATION');
      yield await tried('space', signal, space);
    }
  } finally {
    await destination.close();
    // The first one stops working soon after an interruption.
    if (probe.mayStay) await cleanUp(probe, open(AbortSignal.timeout(CLEAN_UP_MS)), log);
    // A folder stays where a run has put files into it.
    for (const path of made) await rmdir(path).catch(() => undefined);
  }
}

async function cleanUp(probe: Probe, destination: Destination, log: Log): Promise<void> {
  try {
    await destination.delete(probe.keys);
  } catch (error) {
    if (probe.isWritten) log.warn(`${probe.left} ${error instanceof Error ? error.message : error}`);
  } finally {
    await destination.close();
  }
}

/** The folders of `path` that do not exist, innermost first. */
function missing(path: string): string[] {
  const found: string[] = [];
  for (let folder = join(path, '.'); !existsSync(folder); folder = dirname(folder)) found.push(folder);
  return found;
}

/** Aborts as `signal` does, but later. */
function after(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController();
  const abort = () => void setTimeout(() => controller.abort(signal.reason), ms).unref();
  signal.addEventListener('abort', abort, { once: true });
  return controller.signal;
}

function howStored(settings: S3Settings): string {
  const { kmsKeyId, sse } = settings;
  const asked = kmsKeyId === undefined ? sse : `aws:kms with ${kmsKeyId}`;
  const encryption = asked === undefined ? "the bucket's default encryption" : `encryption ${asked}`;
  return `${addressingOf(settings)} addressing, ${encryption}`;
}

async function lockCheck(destination: Destination, isNew: boolean, warnings: readonly string[]): Promise<Check> {
  await destination.lock();
  const [warning] = warnings;
  if (warning !== undefined) return warned('lock', warning, ONE_AT_A_TIME);
  return ok('lock', `${destination.name} can be ${isNew ? 'created and ' : ''}locked`);
}

async function landedCheck(destination: Destination): Promise<Check> {
  const first = await firstLanded(destination);
  if (first === undefined) return ok('landed', 'nothing yet');
  const { manifest } = await readRecord(first, destination);
  const project = typeof manifest?.project === 'string' ? `project ${manifest.project}, ` : '';
  return ok('landed', `${project}from ${formatHour(first)} on`);
}
