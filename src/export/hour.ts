import type PQueue from 'p-queue';
import { hold, refused } from '../archive/archive.ts';
import { examine } from '../archive/inflate.ts';
import { command } from '../command-line.ts';
import type { OutputFormat } from '../config/settings.ts';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { agreeing, count, number } from '../format.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import { keysIn, type Manifest, makeManifest, manifestKey, writeManifest } from '../landing/manifest.ts';
import type { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import type { Redact } from '../redaction.ts';
import { TOOL } from '../version.ts';
import { type Before, readBefore, repairShrunk } from './before.ts';
import { type Decision, decide, factsExamined, factsLanded, type LandedMember, type Mode } from './decide.ts';
import { type ExaminedMember, landExamined, landMember, type NamedMember } from './member.ts';
import type { Tally } from './tally.ts';

export interface LandingOptions {
  readonly destination: Destination;
  readonly format: OutputFormat;
  readonly strict: boolean;
  readonly mode: Mode;
  /** Bounds the members that are inflated and uploaded at once, over all archives. */
  readonly members: PQueue;
  readonly tally: Tally;
  readonly log: Log;
  readonly now: () => Date;
  readonly project: PrefixProject;
  readonly redact: Redact;
}

/** How often a run tries to swap the manifest of an hour before it leaves the hour to the others. */
const SWAPS = 5;

/** A manifest that is to stand, and the keys that were written for it. */
interface Next {
  readonly manifest: Manifest;
  readonly written: readonly string[];
}

export function wholeSeconds(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** A member that was left alone, since another one of its hour had failed. */
class NotBegun extends Error {}

/**
 * The landing of one hour from one answer. Objects are written once, under names that no manifest has named before; the
 * swap of the manifest is all that commits.
 */
export class HourLanding {
  readonly #hour: Hour;
  readonly #name: string;
  readonly #members: readonly NamedMember[];
  readonly #request: Manifest['request'];
  readonly #options: LandingOptions;
  #before: Before | undefined;
  /** What a gap was filled with ahead of its seal. */
  #first: Next | undefined;
  #examined: readonly ExaminedMember[] | undefined;
  /** The highest that was seen of this hour, so that no name comes twice. */
  #generation = 0;

  constructor(hour: Hour, members: readonly NamedMember[], request: Manifest['request'], options: LandingOptions) {
    this.#hour = hour;
    this.#name = formatHour(hour);
    this.#members = members;
    this.#request = request;
    this.#options = options;
  }

  /** Before the archive has proved sound: a gap's objects are written, the answer for a sealed hour is only examined. */
  async prepare({ sealed }: { sealed: boolean }): Promise<void> {
    this.#before = sealed ? await this.#readBefore() : undefined;
    if (this.#before === undefined) this.#first = await this.#land(new Map());
    else this.#examined = await this.#examineAll();
  }

  /** Throws a JobError where the hour cannot be sealed; then what stood for it stands. */
  async seal(): Promise<void> {
    const { destination, log } = this.#options;
    let before = this.#before;
    for (let swap = 1; swap <= SWAPS; swap++) {
      const decision = this.#decide(before?.manifest);
      // The manifest that stands was written while this run went on: it is as new as ours would be.
      if (swap > 1 && decision.kind === 'unchanged') return this.#tell(decision, before?.manifest as Manifest);
      const first = swap === 1 ? this.#first : undefined;
      const next = first ?? (await this.#next(decision, before?.manifest));
      const content = writeManifest(next.manifest);
      if ((await destination.swap(manifestKey(this.#hour), content, before?.version)) === 'swapped') {
        this.#tell(decision, next.manifest, before?.manifest);
        await this.#delete(before?.keys ?? [], next.manifest);
        for (const top of ['events', 'quarantine']) await destination.sweep(`${top}/${hourFolder(this.#hour)}`);
        return;
      }
      log.debug(`Another run sealed ${this.#name} meanwhile. Its landing is compared.`, { hour: this.#name });
      before = await this.#readBefore();
      await this.#delete(next.written, before?.manifest);
    }
    throw new JobError('HOUR_CONTESTED', `Other runs sealed ${this.#name} ${SWAPS} times while this one tried to.`, {
      hint: 'What they sealed stands. Let one run at a time work on a range, then run the same command again.',
    });
  }

  #decide(old: Manifest | undefined): Decision {
    const { format, mode, project } = this.#options;
    if (old !== undefined && old.project !== null && this.#members.length > 0 && old.project !== project.id) {
      throw refused(`it is of project ${project.id}, while ${this.#name} holds project ${old.project}`);
    }
    const facts =
      this.#examined?.map(({ member, examined }) => factsExamined(member.name, examined)) ??
      this.#first?.manifest.objects.map((object) =>
        factsLanded({
          object,
          quarantine: this.#first?.manifest.quarantine.find(({ member }) => member === object.member),
        }),
      );
    return decide(old, facts ?? [], { mode, format });
  }

  async #next(decision: Decision, old: Manifest | undefined): Promise<Next> {
    const { log, project } = this.#options;
    if (decision.kind === 'refuse') throw repairShrunk(this.#hour, 'fewer events or members', this.#members.length);
    if (old === undefined) return await this.#land(new Map());
    if (decision.kind === 'land') {
      log.info(
        `Replacing ${this.#name}: ${count(old.events, 'event')} ${agreeing(old.events, 'has', 'have')} landed.`,
        { hour: this.#name },
      );
      return await this.#land(decision.kept);
    }
    const { shrunk: _, ...kept } = old;
    const generation = this.#generation + 1;
    const sealing = { ...this.#sealing(), generation, project: old.project ?? project.id ?? null };
    if (decision.kind === 'unchanged') return { manifest: { ...kept, ...sealing }, written: [] };
    const shrunk = { events: decision.events, at: sealing.sealedAt };
    return { manifest: { ...kept, ...sealing, shrunk }, written: [] };
  }

  /** Writes the members that are not kept. */
  async #land(kept: ReadonlyMap<string, LandedMember>): Promise<Next> {
    const generation = this.#generation + 1;
    const { destination, format, strict, tally, project } = this.#options;
    const options = { destination, format, strict, timings: tally.timings, generation };
    const landed = await this.#eachMember(async (named) => {
      const same = kept.get(named.member.name);
      if (same !== undefined) return same;
      const known = this.#examined?.find(({ member }) => member === named.member)?.examined;
      const result = await (known === undefined ? landMember(named, options) : landExamined(named, known, options));
      tally.uploadedBytes += result.object.bytes;
      return result;
    });
    const objects = landed.map(({ object }) => object);
    const quarantine = landed.flatMap((member) => member.quarantine ?? []);
    const landing = { hour: this.#hour, generation, project: project.id ?? null, objects, quarantine };
    const old = new Set([...kept.values()].flatMap(({ object, quarantine: bad }) => [object.key, bad?.key]));
    const manifest = makeManifest(landing, this.#sealing());
    return { manifest, written: keysIn(manifest).filter((key) => !old.has(key)) };
  }

  async #examineAll(): Promise<ExaminedMember[]> {
    return await this.#eachMember(async (named) => {
      const examined = await examine(await hold(named.member), this.#options);
      return { ...named, examined };
    });
  }

  /** Once one member fails the hour cannot be sealed, and the rest of its members would be work for nothing. */
  async #eachMember<T>(work: (named: NamedMember) => Promise<T>): Promise<T[]> {
    let failed = false;
    const results = await Promise.allSettled(
      this.#members.map((named) =>
        this.#options.members.add(async () => {
          if (failed) throw new NotBegun();
          try {
            return await work(named);
          } catch (error) {
            failed = true;
            throw error;
          }
        }),
      ),
    );
    for (const result of results) {
      if (result.status === 'rejected' && !(result.reason instanceof NotBegun)) throw result.reason;
    }
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  async #readBefore(): Promise<Before | undefined> {
    const parts = new Set(this.#members.map(({ name }) => name.part));
    const before = await readBefore(this.#hour, parts, this.#options);
    this.#generation = Math.max(this.#generation, before?.generation ?? 0);
    return before;
  }

  /** Deletes what the manifest that stands does not name. Where that fails, the hour has landed all the same. */
  async #delete(keys: readonly string[], standing: Manifest | undefined): Promise<void> {
    const { destination, log } = this.#options;
    const named = new Set(standing === undefined ? [] : keysIn(standing));
    const unnamed = keys.filter((key) => !named.has(key));
    if (unnamed.length === 0) return;
    try {
      await destination.delete(unnamed);
    } catch (error) {
      if (!(error instanceof JobError) || error.code === 'INTERRUPTED') throw error;
      const what = `Objects of ${this.#name} that no manifest names any more could not be deleted: ${error.message}`;
      const sweep = `\`${command('verify --sweep')}\` deletes them once they are a day old.`;
      log.warn([what, error.hint, sweep].filter((part) => part !== undefined).join(' '), { hour: this.#name });
    }
  }

  #tell(decision: Decision, manifest: Manifest, old?: Manifest): void {
    const { tally, log } = this.#options;
    const name = this.#name;
    tally.seal(this.#hour, manifest);
    if (decision.kind === 'unchanged') {
      tally.unchanged.add(this.#hour);
      log.debug(`${name} is unchanged.`, { hour: name });
    } else if (decision.kind === 'shrunk') {
      tally.shrunk.add(this.#hour);
      const force = decision.events === 0 ? '--force=empty' : '--force';
      log.warn(
        `${name} shrank: Amplitude now returns ${count(decision.events, 'event')}, ${number(manifest.events)} ${agreeing(manifest.events, 'has', 'have')} landed. The landing stays. \`${command(`export --start ${name} --end ${formatHour(this.#hour + 1)} ${force}`)}\` takes the smaller answer.`,
        { hour: name },
      );
    } else {
      log.debug(
        `Sealed ${name}: ${manifest.status}, ${count(manifest.events, 'event')}${old === undefined ? '' : `, ${number(old.events)} before`}.`,
        {
          hour: name,
          events: manifest.events,
          bytes: manifest.bytes,
          objects: manifest.objects.length,
        },
      );
    }
    if (manifest.quarantined > 0 && decision.kind === 'land') {
      log.warn(
        `${name} holds ${count(manifest.quarantined, 'line')} that ${agreeing(manifest.quarantined, 'is no event. It is', 'are no events. They are')} in quarantine/${hourFolder(this.#hour)}/; the rest has landed.`,
        { hour: name },
      );
    }
  }

  #sealing() {
    return { request: this.#request, sealedAt: wholeSeconds(this.#options.now()), tool: TOOL };
  }
}
