import PQueue from 'p-queue';
import type { Destination } from '../destination/destination.ts';
import { JobError } from '../errors.ts';
import { agreeing, count, printableName, size } from '../format.ts';
import { formatHour, formatWindow, type Hour, readyEnd, type Window } from '../hours.ts';
import { sealedIn } from '../landing/listing.ts';
import type { PrefixProject } from '../landing/project.ts';
import type { Log } from '../log.ts';
import { adoptHour, gather, type HourOptions, type Land } from './hour.ts';
import { type Branch, folderOf } from './names.ts';
import { Outcome } from './outcome.ts';
import { spansOf } from './proof.ts';
import type { Part, SourceHour } from './source.ts';

/** Where a branch goes. */
export interface Place {
  readonly destination: Destination;
  readonly project: PrefixProject;
  readonly land: Land;
}

export interface AdoptOptions
  extends Pick<HourOptions, 'source' | 'trust' | 'settleHours' | 'format' | 'strict' | 'now' | 'signal'> {
  readonly range: Window;
  readonly dryRun: boolean;
  /** Opens the place of a branch. */
  readonly open: (branch: Branch) => Promise<Place>;
  /** Hours, and files of each, that are worked on at once. */
  readonly atOnce: number;
  readonly log: Log;
  /** Called once it is known how many hours there are. */
  readonly onPlan: (hours: number, outcome: Outcome) => void;
}

/** Names of so many files are in memory at once. For more, SOURCE is listed once for each so many. */
const MOST_FILES = 100_000;

/** After so many failures in a row, source or destination count as down. */
const MOST_FAILURES = 5;

/** Adopts what is in the source. Throws a JobError only before the first hour; later failures are in the outcome. */
export async function runAdopt(options: AdoptOptions): Promise<Outcome> {
  const { source, range, log } = options;
  log.info(`Listing ${source.name}.`);
  const survey = await source.survey(range);
  const outcome = new Outcome(survey);
  const { firstUnknown, unknown } = survey;
  for (const file of firstUnknown) outcome.leave({ file, hour: null, code: 'UNKNOWN', reason: NO_EXPORT_FILE });
  outcome.leftFiles += unknown - firstUnknown.length;
  for (const branch of ['events', 'mergedIds'] as const) {
    const { projects, sealed } = survey;
    if (projects[branch].size + sealed[branch].size === 0) continue;
    await new Adoption(branch, outcome, options).run(await options.open(branch));
    if (outcome.ended !== undefined) break;
  }
  return outcome;
}

const NO_EXPORT_FILE = 'its name is not that of an export file';

/** Adopts the hours of one branch. */
class Adoption {
  readonly #branch: Branch;
  readonly #outcome: Outcome;
  readonly #options: AdoptOptions;
  #failures = 0;

  constructor(branch: Branch, outcome: Outcome, options: AdoptOptions) {
    this.#branch = branch;
    this.#outcome = outcome;
    this.#options = options;
  }

  async run(place: Place): Promise<void> {
    const { source, range, dryRun } = this.#options;
    const { survey } = this.#outcome;
    const branch = this.#branch;
    const sealedBy = await source.project(branch, survey.sealed[branch]);
    const project = place.project.id ?? sealedBy ?? survey.largest(branch);
    if (project === undefined) return;
    if (sealedBy !== undefined && sealedBy !== project) this.#leaveManifests(sealedBy, project);
    if (branch === 'events') this.#outcome.project = project;
    if (!dryRun) place.project.claim(project);
    const files = this.#hoursOf(project);
    const [first = 0] = files.keys();
    const window = { start: first, end: ([...files.keys()].at(-1) ?? first - 1) + 1 };
    const landed = await sealedIn(window, place.destination);
    for (const hour of landed.keys()) if (!files.has(hour)) landed.delete(hour);
    this.#outcome.planned += files.size;
    if (branch === 'events') this.#outcome.noteNewest(landed.keys());
    this.#tell(project, window, { hours: files.size, landed: landed.size });
    await this.#nameForeign({ branch, project, range });
    for (const span of spansOf(files, MOST_FILES)) {
      const hours = await source.hours({ branch, project, range: span });
      // What is not ready, or of another landing, is not in the count.
      await this.#adopt(
        hours.filter(({ hour }) => files.has(hour)),
        landed,
        project,
        place,
      );
      if (this.#outcome.ended !== undefined) return;
    }
  }

  /** How many files each hour has, in the order of hours. Hours that are not ready stay. */
  #hoursOf(project: string): Map<Hour, number> {
    const { survey, pending } = this.#outcome;
    const files = new Map(survey.projects[this.#branch].get(project)?.hours);
    for (const hour of survey.sealed[this.#branch]) if (!files.has(hour)) files.set(hour, 0);
    const ready = readyEnd(this.#options.now());
    for (const hour of files.keys()) {
      if (hour < ready) continue;
      files.delete(hour);
      if (this.#branch === 'events') pending.push(hour);
    }
    return new Map([...files].sort(([a], [b]) => a - b));
  }

  /** The landing of another project. Its hours are none of ours. */
  #leaveManifests(theirs: string, ours: string): void {
    const { survey } = this.#outcome;
    survey.sealed[this.#branch].clear();
    const reason = `they are of project ${theirs}, and this destination holds ${ours}`;
    this.#outcome.leave({ file: `${folderOf(this.#branch)}manifests/`, hour: null, code: 'FOREIGN', reason });
  }

  #tell(project: string, window: Window, { hours, landed }: { readonly hours: number; readonly landed: number }): void {
    const { log, source, onPlan } = this.#options;
    const { files: found = 0, bytes = 0 } = this.#outcome.survey.projects[this.#branch].get(project) ?? {};
    const of = this.#branch === 'events' ? `project ${project}` : `merged IDs of organization ${project}`;
    const when = hours === 0 ? '' : `, ${formatWindow(window)}`;
    const manifests = this.#outcome.survey.sealed[this.#branch].size;
    const sealed = manifests === 0 ? '' : ` and ${count(manifests, 'manifest')}`;
    log.info(
      `${source.name} holds ${count(found, 'file')} (${size(bytes)})${sealed} of ${of} in ${count(hours, 'hour')}${when}: ${count(hours - landed, 'hour')} to adopt, ${landed} landed before and compared.`,
      { files: found, bytes, hours, landed },
    );
    onPlan(hours, this.#outcome);
  }

  async #nameForeign(part: Part): Promise<void> {
    const projects = [...this.#outcome.survey.projects[this.#branch].keys()];
    if (projects.every((project) => project === part.project)) return;
    const { source, log } = this.#options;
    let named = 0;
    let first = '';
    for await (const { file, hour, project } of source.foreign(part)) {
      if (named === 0) first = file;
      named++;
      const reason = `it belongs to ${project}, and this destination holds ${part.project}`;
      this.#outcome.leave({ file, hour: formatHour(hour), code: 'FOREIGN', reason });
    }
    if (named === 0) return;
    log.warn(
      `${count(named, 'file')} of other projects than ${part.project} ${agreeing(named, 'stays', 'stay')} in the source, the first is ${printableName(first)}. Adopt each project under a prefix of its own.`,
    );
  }

  async #adopt(
    hours: readonly SourceHour[],
    landed: ReadonlyMap<Hour, Date>,
    project: string,
    place: Place,
  ): Promise<void> {
    const { destination, land } = place;
    const onCopy = (bytes: number) => {
      this.#outcome.copied++;
      this.#outcome.copiedBytes += bytes;
    };
    const onBytes = (bytes: number) => {
      this.#outcome.downloadedBytes += bytes;
    };
    const options = { ...this.#options, destination, land, branch: this.#branch, project, onCopy, onBytes };
    const queue = new PQueue({ concurrency: this.#options.atOnce });
    const { sealed } = this.#outcome.survey;
    const tasks = hours.map((found) => async () => {
      const isOurs = sealed[this.#branch].has(found.hour);
      const hour = isOurs ? found : { ...found, sealedAt: undefined };
      if (this.#outcome.ended !== undefined) return;
      const landedAt = landed.get(hour.hour);
      if (this.#options.dryRun) await this.#foresee(hour, landedAt !== undefined, options);
      else await this.#attempt(hour, landedAt, options);
      this.#outcome.done++;
    });
    await queue.addAll(tasks);
  }

  async #foresee(hour: SourceHour, isLanded: boolean, options: HourOptions): Promise<void> {
    const { files, proof } = await gather(hour, options);
    const { mergedIds } = this.#outcome;
    const isMerged = this.#branch === 'mergedIds';
    if (isLanded) {
      if (isMerged) mergedIds.same++;
      else this.#outcome.same++;
      return;
    }
    this.#outcome.files += files.length;
    if (isMerged) mergedIds.hours++;
    else this.#outcome.adopted.push({ hour: hour.hour, isEmpty: files.length === 0, proof });
  }

  async #attempt(hour: SourceHour, landedAt: Date | undefined, options: HourOptions): Promise<void> {
    const { signal, log } = this.#options;
    try {
      signal.throwIfAborted();
      const result = await adoptHour(hour, landedAt, options);
      this.#outcome.note(hour.hour, result, this.#branch);
      if (result.kind === 'left') log.failure(result.error);
      this.#failures = 0;
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      if (!(cause instanceof JobError)) throw cause;
      this.#failures++;
      if (cause.endsRun || this.#failures >= MOST_FAILURES) {
        this.#outcome.ended ??= cause;
        return;
      }
      this.#outcome.fail(hour.hour, cause);
      log.failure(cause);
    }
  }
}
