import type PQueue from 'p-queue';
import { hold, refused } from '../archive/archive.ts';
import { examine } from '../archive/inflate.ts';
import { command } from '../command-line.ts';
import type { OutputFormat } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { formatHour, type Hour, hourFolder, wholeSeconds } from '../hours.ts';
import { readKey, unprovedKey } from '../landing/keys.ts';
import {
  isUnproved,
  keysIn,
  landedOtherwise,
  type Manifest,
  makeManifest,
  manifestKey,
  type Origin,
  type Seal,
  writeManifest,
} from '../landing/manifest.ts';
import type { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import { TOOL } from '../version.ts';
import { type Current, readCurrent, repairShrunk } from './current.ts';
import { type Decision, decide, type Mode } from './decide.ts';
import { type ExaminedMember, type LandedMember, landMember, type NamedMember } from './member.ts';
import type { Tally } from './tally.ts';
import { tellSealed } from './telling.ts';

/** What a run needs to land its hours. */
export interface LandingOptions {
  readonly destination: Destination;
  readonly project: PrefixProject;
  readonly rules: { readonly format: OutputFormat; readonly strict: boolean; readonly mode: Mode };
  /** Hours with a mark that nothing proves them to be whole. An answer of Amplitude ends that. */
  readonly unproved: ReadonlySet<Hour>;
  /** Bounds how many members are inflated and uploaded at once, over all archives. */
  readonly uploads: PQueue;
  readonly tally: Tally;
  readonly log: Log;
  readonly now: () => Date;
}

/** How often a run tries to swap the manifest of an hour before it leaves the hour to the others. */
const SWAPS = 5;

/**
 * The landing of one hour from one answer. Objects are written once, under keys that no manifest has named before. Only
 * the swap of the manifest commits.
 */
export class HourLanding {
  readonly hour: Hour;
  readonly #name: string;
  readonly #origin: Origin;
  readonly #options: LandingOptions;
  readonly #members: readonly NamedMember[];
  /** Undefined until the members are examined. A gap needs that only where another run seals it first. */
  #examined: readonly ExaminedMember[] | undefined;
  /** What stands for the hour, as this run last read it. */
  #current: Current | undefined;
  /** The highest generation that this run has seen of the hour, so that it never reuses a key. */
  #generation = 0;
  /** The manifest for the objects of a gap, which are written before its seal. */
  #first: Manifest | undefined;

  constructor(hour: Hour, members: readonly NamedMember[], origin: Origin, options: LandingOptions) {
    this.hour = hour;
    this.#name = formatHour(hour);
    this.#members = members;
    this.#origin = origin;
    this.#options = options;
  }

  /** Comes before the archive has proved sound. Writes the objects of a gap, only examines members of a sealed hour. */
  async prepare(isSealed: boolean): Promise<void> {
    if (isSealed) await this.#readCurrent();
    if (this.#current === undefined) this.#first = await this.#land(new Map());
    else this.#examined = await this.#examine();
  }

  /** Throws a JobError where the hour cannot be sealed. An error before the swap leaves the old manifest in place. */
  async seal(): Promise<void> {
    const { destination, log, tally } = this.#options;
    for (let swap = 1; swap <= SWAPS; swap++) {
      const old = this.#current;
      const decision = this.#decide(old?.manifest);
      if (swap > 1 && decision.kind === 'unchanged') {
        // Another run has sealed the same in the meantime. Its manifest is as new as ours would be.
        return tellSealed(this.hour, { decision, manifest: decision.old }, { tally, log });
      }
      const next = this.#first ?? (await this.#write(decision));
      if ((await destination.swap(manifestKey(this.hour), writeManifest(next), old?.version)) === 'swapped') {
        tellSealed(this.hour, { decision, manifest: next, old: old?.manifest }, { tally, log });
        await this.#deleteUnnamed(old?.keys ?? [], next);
        for (const top of ['events', 'quarantine']) await destination.sweep(`${top}/${hourFolder(this.hour)}`);
        await this.#deleteMark(old?.manifest, next);
        return;
      }
      log.debug(`Another run sealed ${this.#name} first. This run compares its answer again.`, { hour: this.#name });
      await this.#readCurrent();
      const written = keysIn(next).filter((key) => readKey(key)?.generation === next.generation);
      await this.#deleteUnnamed(written, this.#current?.manifest);
      this.#first = undefined;
      this.#examined ??= await this.#examine();
    }
    throw new JobError('HOUR_CONTESTED', `Other runs sealed ${this.#name} ${SWAPS} times while this run tried to.`, {
      hint: 'Their result stays. Let one run at a time work on a range, then run the same command again.',
    });
  }

  #decide(old: Manifest | undefined): Decision {
    const { project, rules } = this.#options;
    if (old !== undefined && old.project !== null && this.#members.length > 0 && old.project !== project.id) {
      throw refused(`it is of project ${project.id}, while ${this.#name} holds project ${old.project}`);
    }
    return decide(old, this.#examined ?? [], rules);
  }

  /** The manifest that the decision asks for, with its objects written. */
  async #write(decision: Decision): Promise<Manifest> {
    if (decision.kind === 'refuse') {
      if (this.#options.rules.mode === 'adopt') throw landedOtherwise(this.hour);
      throw repairShrunk(this.hour, 'fewer events or members', this.#members.length);
    }
    if (decision.kind === 'land') return await this.#land(decision.kept);
    const { shrunk: _, request, source, sealedAt: __, tool: ___, ...old } = decision.old;
    const project = old.project ?? this.#options.project.id ?? null;
    const seal = this.#seal();
    const manifest = { ...old, generation: this.#generation + 1, project };
    if (decision.kind === 'unchanged') return { ...manifest, ...seal };
    // What stays is not what was asked for: a source remains its source.
    const origin = source === undefined ? this.#origin : { source };
    return {
      ...manifest,
      shrunk: { events: decision.events, at: seal.sealedAt },
      ...origin,
      sealedAt: seal.sealedAt,
      tool: seal.tool,
    };
  }

  /** Writes the members that are not kept. */
  async #land(kept: ReadonlyMap<string, LandedMember>): Promise<Manifest> {
    const { destination, rules, tally, project } = this.#options;
    const generation = this.#generation + 1;
    const options = { destination, ...rules, timings: tally.timings, generation };
    const landed = await this.#eachMember(this.#examined ?? this.#members, async (named) => {
      const same = kept.get(named.member.name);
      if (same !== undefined) return same;
      const result = await landMember(named, options);
      tally.uploadedBytes += result.object.bytes;
      return result;
    });
    const objects = landed.map(({ object }) => object);
    const quarantine = landed.flatMap((member) => member.quarantine ?? []);
    const landing = { hour: this.hour, generation, project: project.id ?? null, objects, quarantine };
    return makeManifest(landing, this.#seal());
  }

  #seal(): Seal {
    return { ...this.#origin, sealedAt: wholeSeconds(this.#options.now()), tool: TOOL };
  }

  async #examine(): Promise<ExaminedMember[]> {
    return await this.#eachMember(this.#members, async (named) => {
      const examined = await examine(await hold(named.member), this.#options.rules);
      return { ...named, examined };
    });
  }

  /** Waits for all members, since they read the archive. Once one has failed, no other begins. */
  async #eachMember<T>(members: readonly NamedMember[], work: (named: NamedMember) => Promise<T>): Promise<T[]> {
    const { uploads } = this.#options;
    const failed = new AbortController();
    const results: T[] = [];
    const left = members.entries();
    const worker = async () => {
      try {
        for (const [at, named] of left) {
          await uploads.add(async () => {
            failed.signal.throwIfAborted();
            results[at] = await work(named);
          });
        }
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    };
    // Not all members at once into the queue: an hour may have 50,000.
    const workers = Array.from({ length: Math.min(uploads.concurrency, members.length) }, worker);
    await Promise.allSettled(workers);
    await Promise.all(workers);
    return results;
  }

  async #readCurrent(): Promise<void> {
    const { destination, rules, log } = this.#options;
    const parts = new Set(this.#members.map(({ name }) => name.part));
    this.#current = await readCurrent(this.hour, parts, { destination, mode: rules.mode, log });
    this.#generation = Math.max(this.#generation, this.#current?.generation ?? 0);
  }

  /** Only once the new manifest stands: until then the hour has to be asked for. */
  async #deleteMark(old: Manifest | undefined, next: Manifest): Promise<void> {
    const { destination, unproved } = this.#options;
    const isMarked = unproved.has(this.hour) || (old !== undefined && isUnproved(old));
    if (isMarked && !isUnproved(next)) await destination.delete([unprovedKey(this.hour)]);
  }

  /** Deletes what the manifest that stands does not name. Where that fails, the hour has landed all the same. */
  async #deleteUnnamed(keys: readonly string[], standing: Manifest | undefined): Promise<void> {
    const { destination, log } = this.#options;
    const named = new Set(standing === undefined ? [] : keysIn(standing));
    const unnamed = keys.filter((key) => !named.has(key));
    if (unnamed.length === 0) return;
    try {
      await destination.delete(unnamed);
    } catch (error) {
      if (!(error instanceof JobError) || error.code === 'INTERRUPTED') throw error;
      const what = `Objects of ${this.#name} that no manifest names now could not be deleted: ${error.message}`;
      const sweep = `\`${command('verify --sweep')}\` deletes them once they are a day old.`;
      log.warn([what, error.hint, sweep].filter((part) => part !== undefined).join(' '), { hour: this.#name });
    }
  }
}
