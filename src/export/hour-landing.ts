import type PQueue from 'p-queue';
import { examine } from '../archive/inflate.ts';
import { hold } from '../archive.ts';
import type { OutputFormat } from '../config.ts';
import { contentOf, type Destination } from '../destination.ts';
import { JobError } from '../errors.ts';
import { formatHour, type Hour, hourFolder } from '../hours.ts';
import type { Log } from '../log.ts';
import { type Landing, type Manifest, makeManifest, manifestKey, readManifest, writeManifest } from '../manifest.ts';
import { readLocalName } from '../reconcile/names.ts';
import { TOOL } from '../version.ts';
import { compare, type ExaminedMember, eventsOf, holdsAllOf } from './compare.ts';
import { landExamined, landMember, type NamedMember } from './member.ts';
import { keysByHour } from './stored-keys.ts';
import type { Tally } from './tally.ts';

export interface LandingOptions {
  readonly destination: Destination;
  readonly format: OutputFormat;
  readonly strict: boolean;
  readonly force: boolean;
  /** What is stored was found to differ from its manifest: every object is written anew, and nothing becomes less. */
  readonly repair: boolean;
  /** Bounds the members that are inflated and uploaded at once, over all archives. */
  readonly members: PQueue;
  readonly tally: Tally;
  readonly log: Log;
  readonly now: () => Date;
  /** The project of the prefix, once it is known. */
  readonly project: { id: string | undefined };
}

/** How often a seal begins anew after another run sealed the same hour from another answer. */
const RACES = 3;

/** What is left to do for an hour once the whole archive has proved sound. */
export type Seal = () => Promise<void>;

export function wholeSeconds(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** A member that was left alone, since another one of its hour had failed. */
class NotBegun extends Error {}

/** The landing of one hour from one answer. */
export class HourLanding {
  readonly #hour: Hour;
  readonly #members: readonly NamedMember[];
  /** Keys that were in the hour's folders before this landing. */
  readonly #before: ReadonlySet<string>;
  readonly #request: Manifest['request'];
  readonly #options: LandingOptions;

  constructor(
    hour: Hour,
    members: readonly NamedMember[],
    before: ReadonlySet<string>,
    request: Manifest['request'],
    options: LandingOptions,
  ) {
    this.#hour = hour;
    this.#members = members;
    this.#before = before;
    this.#request = request;
    this.#options = options;
  }

  /** A gap: the objects are written at once. */
  async first(): Promise<Seal> {
    if (this.#options.repair && this.#lacksStored()) throw this.#less('fewer members');
    const landing = await this.#write((named) => landMember(named, this.#memberOptions));
    return () => this.#sealFirst(landing, 1);
  }

  /** An hour that has a manifest: the new answer is examined and held against it; nothing is written yet. */
  async again(): Promise<Seal> {
    const { destination, force, format, tally, log } = this.#options;
    const content = await destination.read(manifestKey(this.#hour));
    const old = await this.#readOld(content);
    if (old === undefined) return this.first();
    /** A verdict holds as long as the manifest does: one of another run is compared with in its turn. */
    const unlessOvertaken =
      (seal: Seal): Seal =>
      async () => {
        const now = await destination.read(manifestKey(this.#hour));
        if (now !== undefined && content?.equals(now)) return seal();
        log.info(`${formatHour(this.#hour)} was sealed by another run meanwhile; it is compared again.`);
        return (await this.again())();
      };
    const examined = await Promise.all(
      this.#members.map((named) => this.#options.members.add(() => this.#examine(named))),
    );
    const found = compare(old, examined, { format, force });
    if (this.#options.repair && found.kind === 'shrunk' && !holdsAllOf(old, examined))
      throw this.#less('fewer events or members');
    const verdict = this.#options.repair
      ? ({ kind: 'replace', events: eventsOf(examined), same: new Map() } as const)
      : found;
    const name = formatHour(this.#hour);
    if (verdict.kind === 'unchanged') {
      return unlessOvertaken(async () => {
        const { shrunk: _, ...kept } = old;
        await this.#rewriteManifest({ ...kept, ...this.#sealing() });
        tally.unchanged.add(this.#hour);
        log.debug(`Asked for ${name} again: unchanged.`, { hour: name });
      });
    }
    if (verdict.kind === 'shrunk') {
      return unlessOvertaken(async () => {
        const at = wholeSeconds(this.#options.now());
        await this.#rewriteManifest({ ...old, ...this.#sealing(), shrunk: { events: verdict.events, at } });
        tally.shrunk.add(this.#hour);
        log.warn(
          `${name} shrank: Amplitude now returns ${verdict.events} events, ${old.events} have landed. The landing stays; --force takes the smaller answer.`,
          { hour: name },
        );
      });
    }
    return unlessOvertaken(async () => {
      await destination.delete([manifestKey(this.#hour)]);
      log.info(`Replacing ${name}: ${old.events} events landed, Amplitude now returns ${verdict.events}.`, {
        hour: name,
      });
      const landing = await this.#write(async (named) => {
        const found = examined.find(({ member }) => member === named.member) as ExaminedMember;
        const same = verdict.same.get(named.member.name);
        return same ?? landExamined(found, found.examined, this.#memberOptions);
      });
      await this.#sealFirst(
        landing,
        1,
        old.objects.map(({ key }) => key),
      );
    });
  }

  /** Whether an object of a member lies there that the answer has not: without a manifest, names are all that tells. */
  #lacksStored(): boolean {
    const members = new Set(this.#members.map(({ member }) => readLocalName(member.name)?.member));
    return [...this.#before].some((key) => {
      const stored = readLocalName(key);
      return stored !== undefined && !members.has(stored.member);
    });
  }

  /** Not mended: what lies there may be all that is left of the hour. */
  #less(what: string): JobError {
    const name = formatHour(this.#hour);
    return new JobError(
      'REPAIR_SHRUNK',
      `Amplitude now returns ${what} for ${name} than lie there. It stays as it is.`,
      {
        hint: `Where the smaller answer is better than what is there: amplitude-to-s3 export --start ${name} --end ${formatHour(this.#hour + 1)} --force, then verify again.`,
      },
    );
  }

  async #examine(named: NamedMember): Promise<ExaminedMember> {
    const held = await hold(named.member);
    const examined = await examine(held, this.#options);
    held.drop();
    return { ...named, examined };
  }

  get #memberOptions() {
    const { destination, format, strict, tally } = this.#options;
    return { destination, format, strict, timings: tally.timings };
  }

  async #readOld(content: Buffer | undefined): Promise<Manifest | undefined> {
    if (content === undefined) return undefined;
    try {
      return readManifest(content, this.#hour);
    } catch (error) {
      const { force, repair } = this.#options;
      if (!(force || repair) || /newer/.test((error as Error).message)) throw error;
      if (repair && this.#lacksStored()) throw this.#less('fewer members');
      this.#options.log.warn(`${(error as Error).message} It is written anew.`);
      await this.#options.destination.delete([manifestKey(this.#hour)]);
      return undefined;
    }
  }

  async #write(land: (named: NamedMember) => ReturnType<typeof landMember>): Promise<Landing> {
    const { members, tally, project } = this.#options;
    let failed = false;
    const landed = await Promise.allSettled(
      this.#members.map((named) =>
        members.add(async () => {
          // Once one member fails the hour cannot be sealed, and the rest of its members would be work for nothing.
          if (failed) throw new NotBegun();
          try {
            const result = await land(named);
            tally.uploadedBytes += result.object.bytes;
            return result;
          } catch (error) {
            failed = true;
            throw error;
          }
        }),
      ),
    );
    for (const result of landed) {
      if (result.status === 'rejected' && !(result.reason instanceof NotBegun)) throw result.reason;
    }
    const done = landed.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    return {
      hour: this.#hour,
      project: done.length === 0 ? null : (project.id ?? null),
      objects: done.map(({ object }) => object),
      quarantine: done.flatMap(({ quarantine }) => quarantine ?? []),
    };
  }

  /** Clears away what the landing does not name and writes the manifest where none is. */
  async #sealFirst(landing: Landing, race: number, replaced: readonly string[] = []): Promise<void> {
    const { destination, log, tally } = this.#options;
    const named = new Set([...landing.objects, ...landing.quarantine].map(({ key }) => key));
    const strays = [...new Set([...this.#before, ...replaced])].filter((key) => !named.has(key));
    if (strays.length > 0) await destination.delete(strays);
    for (const top of ['events', 'quarantine']) await destination.sweep(`${top}/${hourFolder(this.#hour)}`);

    const manifest = makeManifest(landing, this.#sealing());
    const name = formatHour(this.#hour);
    const content = contentOf(writeManifest(manifest));
    const outcome = await destination.put(manifestKey(this.#hour), content, { ifAbsent: true });
    if (outcome === 'present' && !(await this.#isSealedAlike(manifest))) {
      if (race === RACES) {
        throw new JobError('DESTINATION', `${name} was sealed by another run from another answer, again and again.`, {
          hint: 'Let one run work on a range at a time, then run this again.',
        });
      }
      log.warn(`${name} was sealed by another run from another answer; it is landed anew.`, { hour: name });
      await destination.delete([manifestKey(this.#hour)]);
      const anew = await this.#write((member) => landMember(member, this.#memberOptions));
      const theirs = await keysByHour(destination, { start: this.#hour, end: this.#hour + 1 });
      return this.#sealFirst(anew, race + 1, [...(theirs.get(this.#hour) ?? [])]);
    }
    tally.seal(this.#hour, manifest);
    if (manifest.quarantined > 0) {
      log.warn(
        `${name} holds ${manifest.quarantined} lines that are no events; they lie in quarantine/${hourFolder(this.#hour)}/, the rest has landed.`,
        { hour: name },
      );
    }
    log.debug(`Sealed ${name}: ${manifest.status}, ${manifest.events} events.`, {
      hour: name,
      events: manifest.events,
      bytes: manifest.bytes,
      objects: manifest.objects.length,
    });
  }

  async #isSealedAlike(ours: Manifest): Promise<boolean> {
    const theirs = await this.#options.destination.read(manifestKey(this.#hour));
    if (theirs === undefined) return false;
    try {
      const { objects, quarantine } = readManifest(theirs, this.#hour);
      return (
        JSON.stringify({ objects, quarantine }) ===
        JSON.stringify({ objects: ours.objects, quarantine: ours.quarantine })
      );
    } catch {
      return false;
    }
  }

  #sealing() {
    return { request: this.#request, sealedAt: wholeSeconds(this.#options.now()), tool: TOOL };
  }

  async #rewriteManifest(manifest: Manifest): Promise<void> {
    const { destination, tally } = this.#options;
    await destination.put(manifestKey(this.#hour), contentOf(writeManifest(manifest)));
    tally.seal(this.#hour, manifest);
  }
}
