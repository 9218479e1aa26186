// Serves what the JSON of its only argument says, until its standard input ends: a set of SimulatorOptions, and `members`,
// so many of one event each in every hour.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { formatHour, readHour } from '../../../src/hours.ts';
import { parseFault } from '../../../src/simulator/faults.ts';
import { type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';
import { zip } from '../../../src/simulator/zip.ts';

export type Served = Omit<SimulatorOptions, 'faults'> & {
  readonly faults: readonly string[];
  readonly members?: number;
};

const { faults, members, ...options } = JSON.parse(process.argv[2] ?? '') as Served;
const simulator =
  members === undefined ? startSimulator({ ...options, faults: faults.map(parseFault) }) : many(members);
process.stdout.write(`${(await simulator).url}\n`);
process.stdin.on('end', () => process.exit()).resume();

async function many(parts: number): Promise<{ url: string }> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://simulator');
    const hourAt = (name: string) => readHour((searchParams.get(name) ?? '').replace(/(....)(..)/, '$1-$2-'));
    const entries = [];
    for (let hour = hourAt('start'); hour <= hourAt('end'); hour++) {
      const [date, hh] = formatHour(hour).split('T');
      for (let part = 0; part < parts; part++) {
        const name = `1/1_${date}_${Number(hh)}#${part}.json.gz`;
        entries.push({ name, data: gzipSync(`{"event_id":${part},"event_type":"one of many"}\n`) });
      }
    }
    Readable.from(zip(entries)).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
