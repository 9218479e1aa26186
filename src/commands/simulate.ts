import { defineCommand } from '../cli/command.ts';
import { EXIT, JobError } from '../errors.ts';
import { FAULTS, parseFault, runSimulator } from '../simulator/simulator.ts';

const faults = Object.entries(FAULTS).map(([name, description]) => `  ${name.padEnd(20)} ${description}`);

export const simulateCommand = defineCommand({
  name: 'simulate',
  summary: 'a local Export API, until it is stopped',
  help: `
    A local Export API with realistic events, the same for the same seed, until it is stopped. It prints the settings that
    point an export at it. While it runs, PUT /simulator/faults with a JSON array of SPECs replaces the faults, and GET
    /simulator/requests tells the requests so far. The help of simulate alone lists the names of faults.`,
  appendix: ['Faults', ...faults].join('\n'),
  examples: ['simulate --fault server-error*2 --fault flipped-byte@2026-11-20T05'],
  flags: {
    port: { type: 'whole', value: 'N', range: [0, 65_535], default: '8300', help: '0 takes any free port' },
    host: { type: 'text', value: 'H', default: '127.0.0.1', help: 'the address that it listens on' },
    seed: { type: 'whole', value: 'N', range: [0, 2 ** 32 - 1], default: '1', help: 'another seed makes other events' },
    eventsPerHour: { type: 'whole', value: 'N', range: [1, 10_000_000], default: '200', help: 'mean of a busy hour' },
    tooLargeHours: {
      type: 'whole',
      value: 'N',
      range: [1, 8760],
      example: 6,
      help: 'answer longer windows with the 400 of an export above 4 GB',
    },
    deflated: { type: 'boolean', help: 'deflate the members in the archive instead of storing them' },
    fault: { type: 'text', value: 'SPEC', repeatable: true, help: 'NAME[@HOUR][*TIMES]; may be repeated' },
  },
  readsSettings: false,
  isForPeople: () => false,
  async run({ deflated, fault, tooLargeHours, ...rest }, { out, signal }) {
    const options = {
      ...rest,
      faults: fault.map(parseFault),
      compression: deflated ? ('deflated' as const) : ('stored' as const),
      ...(tooLargeHours === undefined ? {} : { tooLargeHours }),
    };
    await runSimulator(options, signal, (line) => out.print(line));
    return signal.reason instanceof JobError ? signal.reason.exitCode : EXIT.done;
  },
});
