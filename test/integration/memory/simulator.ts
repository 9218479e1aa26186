// Serves what the JSON of its only argument says, a set of SimulatorOptions, until its standard input ends.
import { parseFault } from '../../../src/simulator/faults.ts';
import { type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';

export type Served = Omit<SimulatorOptions, 'faults'> & { readonly faults: readonly string[] };

const { faults, ...options } = JSON.parse(process.argv[2] ?? '') as Served;
const simulator = await startSimulator({ ...options, faults: faults.map(parseFault) });
process.stdout.write(`${simulator.url}\n`);
process.stdin.on('end', () => process.exit()).resume();
