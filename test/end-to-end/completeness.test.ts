import { mkdir } from 'node:fs/promises';
import { FileDestination } from '../../src/destination/file.ts';
import { completenessContract, remove, temporary } from '../support/completeness-contract.ts';
import { hearingLog } from '../support/settings.ts';

const signal = new AbortController().signal;

describe('what has landed in a folder', function () {
  this.timeout(60_000);
  const folder = temporary('completeness');
  let count = 0;
  after(() => remove(folder));
  completenessContract(async () => {
    const own = `${folder}/${count++}`;
    await mkdir(own, { recursive: true });
    const options = { signal, log: hearingLog() };
    return { env: { DESTINATION: own }, destination: new FileDestination(own, options) };
  });
});
