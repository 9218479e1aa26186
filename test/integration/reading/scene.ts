import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { gzipMember } from '../../../src/simulator/gzip.ts';
import { startSimulator } from '../../../src/simulator/simulator.ts';
import { write } from '../../support/archive/fixtures.ts';
import { filesOf, manifestsOf, runProgram } from '../../support/program.ts';
import { serve } from '../../support/requests/asking.ts';

const PROJECT = '100011471';
export const DAYS = ['2026-11-20', '2026-11-21'] as const;
const DRIFT_HOUR = '2026-11-21T02';

/** Properties, event by event. Only the second member has `onlySecond`. */
export const DRIFT = ['{"price":1.5}', '{"Price":"x"}', '{"price":"three","Price":4}', '{"onlySecond":{"a":1}}'];
/** Neighbours that one double cannot tell apart. */
export const driftId = (nth: number) => `90071992547409930${10 + nth}`;
export const driftTime = (nth: number) => `2026-11-21 02:00:0${nth}.123456`;

function driftLine(properties: string, nth: number): string {
  return `{"amplitude_id":${driftId(nth)},"event_properties":${properties},"event_time":"${driftTime(nth)}","event_type":"Drift","user_id":null,"uuid":"00000000-0000-4000-8000-00000000000${nth}"}\n`;
}

/** Two members. The last line alone is in the second one. */
function driftArchive(drift: readonly string[]): Promise<Buffer> {
  const lines = drift.map(driftLine);
  const members = [lines.slice(0, -1), lines.slice(-1)];
  return write(
    members.map((member, part) => ({
      name: `${PROJECT}/${PROJECT}_2026-11-21_2#${part}.json.gz`,
      data: gzipMember(Buffer.from(member.join(''))),
    })),
  );
}

/** A folder that the program has filled: two days, both formats, drifting properties, and what a killed run leaves. */
export class Scene {
  readonly folder: string;
  /** Events in objects that no manifest names. */
  leftOver = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'reading-')));
    const simulator = await startSimulator({ eventsPerHour: 200 });
    try {
      await scene.#export(simulator.url, ['--start', `${DAYS[0]}T03`, '--end', `${DAYS[0]}T12`], 'gzip');
      await scene.#export(simulator.url, ['--start', `${DAYS[1]}T00`, '--end', DRIFT_HOUR]);
      await scene.landDrift(DRIFT);
      scene.leftOver = await scene.#export(simulator.url, ['--start', `${DAYS[1]}T10`, '--end', `${DAYS[1]}T11`]);
    } finally {
      await simulator.close();
    }
    // As if the run had been killed before the manifest.
    await rm(join(scene.folder, `data/manifests/date=${DAYS[1]}/hour=10.json`));
    for (const day of DAYS) await mkdir(join(scene.folder, `data/tables/events/date=${day}`), { recursive: true });
    return scene;
  }

  /** Events of all manifests. */
  async events(): Promise<number> {
    const manifests = manifestsOf(await filesOf(join(this.folder, 'data'))).values();
    return [...manifests].reduce((sum, manifest) => sum + manifest.events, 0);
  }

  /** Lands the hour of the drifting events, also in place of what has landed. */
  async landDrift(drift: readonly string[]): Promise<void> {
    const archive = await driftArchive(drift);
    const amplitude = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/zip' }).end(archive);
    });
    const args = ['--start', DRIFT_HOUR, '--end', `${DAYS[1]}T03`, '--force'];
    await this.#export(amplitude.url, args).finally(() => amplitude.close());
  }

  async #export(url: string, args: readonly string[], format = 'json'): Promise<number> {
    const { code, stderr, report } = await runProgram(['export', '--json', ...args], {
      AMPLITUDE_BASE_URL: url,
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      DESTINATION: join(this.folder, 'data'),
      OUTPUT_FORMAT: format,
    });
    expect(code, stderr).to.equal(0);
    return report().events;
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
