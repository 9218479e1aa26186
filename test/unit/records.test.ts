import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { Destination } from '../../src/destination/destination.ts';
import { readHour } from '../../src/hours.ts';
import { readRecords, readStanding } from '../../src/landing/records.ts';

describe('reading manifests', () => {
  it('takes at most 64 places in the whole process, whoever reads', async () => {
    let under = 0;
    let most = 0;
    const look = async () => {
      most = Math.max(most, ++under);
      await pause(1);
      under--;
      return undefined;
    };
    const destination = { read: look, standing: look } as unknown as Destination;
    const hours = Array.from({ length: 300 }, (_, at) => readHour('2026-11-20T05') + at);
    const windows = [0, 1, 2, 3].map(() => Promise.all(hours.map((hour) => readStanding(hour, destination))));
    const records = Array.fromAsync(readRecords(hours, destination));
    expect((await records).map(({ hour }) => hour)).to.deep.equal(hours);
    await Promise.all(windows);
    expect(most).to.equal(64);
  });
});
