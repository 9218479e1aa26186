import { expect } from 'chai';
import type { Destination } from '../../src/destination/destination.ts';
import { type Manifest, readManifest, writeManifest } from '../../src/landing/manifest.ts';
import { Random } from '../../src/simulator/random.ts';
import { memoryPlace } from '../support/interleavings/places.ts';
import { ANSWERS, CALM, HOUR, MANIFEST, runOnce, Schedule } from '../support/interleavings/schedule.ts';

describe('an hour that other runs seal again and again', () => {
  /** A destination where another run is faster at the first `times` swaps. */
  async function contested(times: number) {
    const place = memoryPlace();
    await new Schedule(place, new Random(1, 1, 1), '').seal(ANSWERS.small);
    const base = place.open(CALM, () => undefined);
    let swaps = 0;
    const destination: Destination = {
      ...base,
      async swap(key, content, from) {
        swaps++;
        if (swaps <= times) {
          const old = JSON.parse(String(place.contents().get(MANIFEST))) as Manifest;
          const other = { ...old, generation: old.generation + 1, tool: `other ${swaps}` };
          await base.swap(MANIFEST, writeManifest(other), (await base.standing(MANIFEST))?.version);
        }
        return await base.swap(key, content, from);
      },
    };
    const tally = await runOnce(destination, ANSWERS.grown, 'export');
    const contents = place.contents();
    const manifest = readManifest(contents.get(MANIFEST) ?? Buffer.alloc(0), HOUR);
    return { tally, swaps, manifest, keys: [...contents.keys()].filter((key) => key !== MANIFEST) };
  }

  it('lands at the fifth swap, and leaves no object of the four lost ones', async () => {
    const { tally, swaps, manifest, keys } = await contested(4);
    expect([swaps, tally.failed.size, manifest.events]).to.deep.equal([5, 0, 8]);
    expect(keys).to.have.members(manifest.objects.map(({ key }) => key));
  });

  it('fails after five, and nothing of it has changed', async () => {
    const { tally, swaps, manifest, keys } = await contested(5);
    expect([swaps, tally.sealed.size]).to.deep.equal([5, 0]);
    const [failure] = tally.failed.values();
    expect(failure).to.include({ hour: HOUR, code: 'HOUR_CONTESTED' });
    expect(manifest).to.include({ tool: 'other 5', events: 5 });
    expect(keys).to.have.members(manifest.objects.map(({ key }) => key));
  });
});
